/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads every port with each size, and two words of each page between the end of low memory and 4
 * GiB (0, and 0x30 for the local APIC's version); what does not read as ones is printed on the serial port, "p SIZE PORT" or "m
 * ADDRESS", in hexadecimal.  Ends by reset.
 */
	.text
	.globl _start
_start:
	lea	stack_end(%rip), %rsp
	xor	%ebx, %ebx
ports:	mov	%ebx, %edx
	in	%dx, %al
	cmp	$0xff, %al
	je	1f
	mov	$1, %edi
	call	port
1:	mov	%ebx, %edx
	in	%dx, %ax
	cmp	$0xffff, %ax
	je	2f
	mov	$2, %edi
	call	port
2:	mov	%ebx, %edx
	in	%dx, %eax
	cmp	$0xffffffff, %eax
	je	3f
	mov	$4, %edi
	call	port
3:	inc	%ebx
	cmp	$0x10000, %ebx
	jb	ports

	mov	$0xd0000000, %ebx
pages:	mov	(%rbx), %eax
	and	0x30(%rbx), %eax
	cmp	$0xffffffff, %eax
	je	4f
	mov	$'m', %al
	call	putc
	call	space
	mov	%ebx, %eax
	mov	$8, %ecx
	call	hex
	call	newline
4:	add	$0x1000, %rbx
	bt	$32, %rbx
	jnc	pages

	mov	$0xfe, %al
	out	%al, $0x64
5:	hlt
	jmp	5b

/* size in edi, port in ebx */
port:	mov	$'p', %al
	call	putc
	call	space
	mov	%edi, %eax
	add	$'0', %al
	call	putc
	call	space
	mov	%ebx, %eax
	mov	$4, %ecx
	call	hex
newline:
	mov	$'\n', %al
	jmp	putc
space:	mov	$' ', %al
	jmp	putc

/* the ecx lowest digits of eax */
hex:	mov	%eax, %esi
6:	dec	%ecx
	mov	%esi, %eax
	push	%rcx
	shl	$2, %ecx
	shr	%cl, %eax
	pop	%rcx
	and	$15, %al
	cmp	$10, %al
	jb	7f
	add	$('a' - '0' - 10), %al
7:	add	$'0', %al
	call	putc
	test	%ecx, %ecx
	jnz	6b
	ret

/* waits for room */
putc:	mov	%al, %ah
	mov	$0x3fd, %dx
8:	in	%dx, %al
	test	$0x20, %al
	jz	8b
	mov	$0x3f8, %dx
	mov	%ah, %al
	out	%al, %dx
	ret

	.bss
	.skip	256
stack_end:
