/*
 * pvh-note.S: the ELF note that says "enter me by PVH, here". Linked into
 * NAME.elf; NAME-nonote.elf is linked without it, so that a loader must take
 * the 64-bit entry.
 */
	.section .note.Xen, "a", @note
	.balign	4
	.long	2f - 1f
	.long	4f - 3f
	.long	18			/* XEN_ELFNOTE_PHYS32_ENTRY */
1:	.asciz	"Xen"
2:	.balign	4
3:	.long	pvh_entry
4:	.balign	4
	.section .note.GNU-stack, "", @progbits
