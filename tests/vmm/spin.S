/* SPDX-License-Identifier: Apache-2.0 */
/* Never stops. */
	.text
	.globl _start
_start:
	jmp	_start
