/*
 * idle.S: a guest that prints one byte and halts for good, for measuring the
 * memory of the machine around it while it stands still. Entered by PVH in
 * 32-bit protected mode; needs no stack, table or memory.
 */
	.code32
	.text
	.globl _start
_start:
	movw	$0x3f8, %dx
	movb	$'.', %al
	outb	%al, %dx
halt:	cli
	hlt
	jmp	halt

	.section .note.Xen, "a", @note
	.long	4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start
	.section .note.GNU-stack, "", @progbits
