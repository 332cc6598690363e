/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for interrupts that never come. */
	.text
	.globl _start
_start:
	sti
1:	hlt
	jmp	1b
