/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends as the first letter of its command line says: r reset, p panic, o power off, t triple fault,
 * i an access of odd size to the reset port, which must do nothing, before a reset.
 */
	.text
	.globl _start
_start:
	mov	0x228(%rsi), %eax	/* cmd_line_ptr of the zero page */
	mov	(%rax), %al
	cmp	$'r', %al
	je	reset
	cmp	$'p', %al
	je	panic
	cmp	$'o', %al
	je	poweroff
	cmp	$'t', %al
	je	fault
	cmp	$'i', %al
	je	ignored
	hlt
ignored:
	mov	$0xfefe, %eax
	out	%ax, $0x64
	out	%eax, $0x64
	mov	$0x34, %al
	mov	$0x600, %dx
	out	%ax, %dx
reset:
	mov	$0xfe, %al
	out	%al, $0x64
	jmp	reset
panic:
	mov	$0x505, %dx
	in	%dx, %al
	and	$1, %al			/* the bit that it offers */
	out	%al, %dx
	jmp	panic
poweroff:
	mov	$0x600, %dx
	mov	$0x34, %al		/* SLP_EN, S5 */
	out	%al, %dx
	jmp	poweroff
fault:
	lidt	nowhere(%rip)
	ud2
nowhere:
	.word	0
	.quad	0
