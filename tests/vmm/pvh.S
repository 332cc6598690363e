/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entered by PVH: 32-bit protected mode without paging, %ebx points to the start information.
 * Checks its magic and that the memory map begins with RAM at 0; the 64-bit entry fails.
 */
	.text
	.globl _start
	.code64
_start:
	jmp	bad
	.code32
	.globl pvh_start
pvh_start:
	mov	%cr0, %eax
	test	$0x80000000, %eax	/* paging is off */
	jnz	bad
	cmpl	$0x336ec578, (%ebx)
	jne	bad
	cmpl	$1, 4(%ebx)		/* version */
	jne	bad
	mov	40(%ebx), %ecx		/* memory map */
	cmpl	$0, (%ecx)
	jne	bad
	cmpl	$1, 16(%ecx)		/* RAM */
	jne	bad
	mov	24(%ebx), %ecx		/* command line */
	cmpb	$'x', (%ecx)
	jne	bad
	mov	$0xfe, %al
	out	%al, $0x64
bad:
	mov	$0x505, %dx
	mov	$1, %al
	out	%al, %dx
1:	hlt
	jmp	1b

	.section .note.Xen, "a", @note
	.long	4, 8, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.quad	pvh_start
