/*
 * start.S: from the loader's hand-over to C in ring 3.
 *
 * A test guest may run on a KVM that emulates ring 0 instruction by
 * instruction and runs ring 3 at full speed. So everything that can be a table
 * made by the linker is one (page tables, GDT, TSS), ring 0 executes about
 * twenty instructions, and the test itself runs in ring 3 with every port
 * allowed (TSS I/O bitmap) and all of memory mapped for it.
 *
 * Two ways in, one ELF: pvh_entry (named by the Xen note) and start64
 * (e_entry, the 64-bit boot protocol). Application processors come through
 * the trampoline at the end. All meet at long_mode and leave for start_entry.
 */
#define CODE0	0x08		/* ring 0, 64-bit */
#define CODE32	0x10
#define DATA0	0x18
#define CODE3	(0x20 | 3)
#define DATA3	(0x28 | 3)
#define TSS	0x30		/* one of 16 bytes per CPU from here on */

	.section .text.start, "ax"
	.code32
	.globl pvh_entry
pvh_entry:
	movl	%ebx, boot_data
	movl	$1, boot_protocol
	lgdt	gdt_pointer
to_long_mode:
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx	/* EFER */
	rdmsr
	orl	$0x100, %eax		/* LME */
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000001, %eax	/* PG, PE */
	movl	%eax, %cr0
	ljmp	$CODE0, $long_mode

	.code64
	.globl start64
start64:
	movq	%rsi, boot_data
	movl	$2, boot_protocol
	lgdt	gdt_pointer
	movl	$pml4, %eax
	movq	%rax, %cr3
long_mode:
	movq	start_stack0, %rsp
	movzwl	start_tss, %eax
	ltr	%ax
	lidt	idt_pointer
	pushq	$DATA3
	pushq	start_stack3
	pushq	$2			/* RFLAGS: interrupts off until the IDT is filled */
	pushq	$CODE3
	pushq	start_entry
	iretq

/*
 * What ring 3 may ask of ring 0: it puts the address of one of these routines
 * in rax and executes `hlt`, which ring 3 may not: the general protection
 * fault leads here. (Not `int`: a KVM that emulates does not know it.)
 *
 * gate_call: call rdi(rsi, rdx), result in rax.
 * gate_irq_on, gate_irq_off: the interrupt flag of the caller.
 * gate_wait: halt unless *(uint32_t *)rdi differs from esi. Comparing with
 * interrupts off is what closes the gap between looking and halting: no
 * interrupt can slip in between, because sti takes effect after hlt began.
 */
	.globl	protection_fault
protection_fault:
	pushq	%rbx
	movq	16(%rsp), %rbx
	cmpb	$0xf4, (%rbx)
	jne	1f
	incq	16(%rsp)		/* go on behind the hlt */
	popq	%rbx
	addq	$8, %rsp		/* the error code */
	jmp	*%rax
1:	popq	%rbx
	pushq	$13
	jmp	to_exception

	.globl gate_call, gate_irq_on, gate_irq_off, gate_wait
gate_call:
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	call	*%rax
	iretq
gate_irq_on:
	orl	$0x200, 16(%rsp)
	iretq
gate_irq_off:
	andl	$~0x200, 16(%rsp)
	iretq
gate_wait:
	cmpl	%esi, (%rdi)
	jne	1f
	sti
	hlt
1:	iretq

/* One stub of 16 bytes per vector: exceptions go to C, interrupts are counted. */
	.balign	16
	.globl vector_stubs
vector_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	.if	vector >= 32
	lock incl irq_count + 4 * vector
	jmp	end_of_interrupt
	.else
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
	pushq	$0
	.endif
	pushq	$vector
	jmp	to_exception
	.endif
	.set	vector, vector + 1
	.endr

end_of_interrupt:
	pushq	%rax
	movl	$0xfee000b0, %eax
	movl	$0, (%rax)
	popq	%rax
	iretq

to_exception:
	movq	%rsp, %rdi
	call	exception

/* Copied to 0x8000 by smp.c: an application processor wakes up here in real mode. */
	.globl trampoline, trampoline_end
	.code16
trampoline:
	cli
	lgdtl	%cs:(trampoline_gdt - trampoline)
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$CODE32, $trampoline32
	.balign	8
trampoline_gdt:
	.word	gdt_end - gdt - 1
	.long	gdt
trampoline_end:
	.code32
trampoline32:
	movl	$DATA0, %eax
	movl	%eax, %ds
	movl	%eax, %ss
	jmp	to_long_mode
	.code64

	.data
	.balign	16
	.globl gdt, start_tss, start_stack0, start_stack3, start_entry
gdt:	.quad	0
	.quad	0x00af9b000000ffff	/* CODE0 */
	.quad	0x00cf9b000000ffff	/* CODE32 */
	.quad	0x00cf93000000ffff	/* DATA0 */
	.quad	0x00affb000000ffff	/* CODE3 */
	.quad	0x00cff3000000ffff	/* DATA3 */
	.word	tss_end - tss - 1, 0	/* TSS of the first CPU; base: guest.ld puts */
	.byte	0x20, 0x89, 0, 0	/* it at exactly 0x200000 */
	.quad	0
	.fill	30, 8, 0		/* TSSs of the others, filled by smp.c */
gdt_end:

gdt_pointer:
	.word	gdt_end - gdt - 1
	.quad	gdt
idt_pointer:
	.word	256 * 16 - 1
	.quad	idt
	.balign	8
start_stack0:	.quad	stack0_top
start_stack3:	.quad	stack3_top
start_entry:	.quad	guest_start
start_tss:	.word	TSS

	.section .tss, "aw"
tss:	.long	0
	.quad	stack0_top		/* RSP0 */
	.fill	90, 1, 0
	.word	104			/* the I/O bitmap follows: every port allowed */
	.fill	8192, 1, 0
	.byte	0xff
tss_end:

/* Identity map of the first 16 GiB in pages of 2 MiB, for every ring; between
 * 3 and 4 GiB, where the devices are, uncached. */
	.section .pagetables, "aw"
	.balign	4096
pml4:	.quad	pdpt + 7
	.fill	511, 8, 0
pdpt:
	.set	i, 0
	.rept	16
	.quad	pd + 4096 * i + 7
	.set	i, i + 1
	.endr
	.fill	496, 8, 0
pd:
	.set	i, 0
	.rept	8192
	.quad	(i << 21) + 0x87 + ((i >> 9 == 3) & 1) * 0x18
	.set	i, i + 1
	.endr

	.bss
	.balign	16
	.globl idt, irq_count
idt:	.skip	256 * 16
irq_count: .skip 256 * 4
	.globl boot_data, boot_protocol
boot_data: .skip 8
boot_protocol: .skip 4
	.balign	16
	.skip	4096
stack0_top:
	.skip	65536
stack3_top:
	.section .note.GNU-stack, "", @progbits
