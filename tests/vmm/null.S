/* SPDX-License-Identifier: Apache-2.0 */
/* Ends with its first instructions: the reset line. */
	.text
	.globl _start
_start:
	mov	$0xfe, %al
	out	%al, $0x64
1:	hlt
	jmp	1b
