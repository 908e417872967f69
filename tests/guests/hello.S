/*
 * hello.S: the least a guest can do, for measuring how soon a machine's first
 * guest instruction runs: write one line, power off; where port 0x600 does not
 * do that (QEMU), triple fault, which ends a `-no-reboot` machine too. Entered
 * by PVH in protected mode; needs no stack, table or memory.
 */
	.code32
	.globl start64, pvh_entry
start64:				/* PVH only: the linker script wants the name */
pvh_entry:
	movw	$0x3f8, %dx
	movl	$text, %esi
	movl	$text_end - text, %ecx
	rep outsb
	movw	$0x600, %dx
	movb	$0x34, %al
	outb	%al, %dx
	lidt	nothing
	ud2
text:	.ascii	"hello\n"
text_end:
nothing: .word	0
	.long	0
	.section .note.GNU-stack, "", @progbits
