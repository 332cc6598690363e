/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that ends at its first instruction, however it is entered: there is no handler. */
	.text
	.globl _start
_start:
	ud2

	.section .note.Xen, "a", @note
	.long	4, 8, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.quad	_start
