/* SPDX-License-Identifier: Apache-2.0 */
/* Stops for good: no interrupt can wake it. */
	.text
	.globl _start
_start:
	cli
1:	hlt
	jmp	1b
