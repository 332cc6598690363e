/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/aml.h"

#include <stdlib.h>
#include <string.h>

enum {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_STRING = 0x0d,
	AML_SCOPE = 0x10,
	AML_BUFFER = 0x11,
	AML_PACKAGE = 0x12,
	AML_EXT = 0x5b,
	AML_DEVICE = 0x82,
};

/* Package lengths are written in their three-byte form, the least that always fits here. */
#define PKG_LENGTH 3

static void put(struct aml *b, const void *p, size_t n)
{
	if (n > b->size - b->len)
		abort();
	memcpy(b->buf + b->len, p, n);
	b->len += n;
}

static void put8(struct aml *b, unsigned v)
{
	uint8_t byte = (uint8_t)v;

	put(b, &byte, 1);
}

static void put_integer(struct aml *b, uint32_t v)
{
	if (v <= 1) {
		put8(b, v ? AML_ONE : AML_ZERO);
	} else if (v <= 0xff) {
		put8(b, AML_BYTE);
		put8(b, v);
	} else {
		put8(b, AML_DWORD);
		put(b, &v, 4);
	}
}

static size_t open_package(struct aml *b)
{
	size_t at = b->len;

	put(b, "\0\0\0", PKG_LENGTH);
	return at;
}

/* 20.2.4: 6 + 8 + 8 bits, the count of bytes that follow in the top two; it includes itself. */
void aml_package_end(struct aml *b, size_t at)
{
	size_t n = b->len - at;

	if (n >= 1u << 20)
		abort();
	b->buf[at] = (uint8_t)(2 << 6 | (n & 0xf));
	b->buf[at + 1] = (uint8_t)(n >> 4);
	b->buf[at + 2] = (uint8_t)(n >> 12);
}

size_t aml_scope_sb(struct aml *b)
{
	size_t at;

	put8(b, AML_SCOPE);
	at = open_package(b);
	put(b, "_SB_", 4);
	return at;
}

size_t aml_device(struct aml *b, char letter, unsigned index)
{
	char name[4] = { letter, (char)('0' + index / 100 % 10), (char)('0' + index / 10 % 10),
			 (char)('0' + index % 10) };
	size_t at;

	put8(b, AML_EXT);
	put8(b, AML_DEVICE);
	at = open_package(b);
	put(b, name, 4);
	return at;
}

static void put_name(struct aml *b, const char *name)
{
	put8(b, AML_NAME);
	put(b, name, 4);
}

void aml_name_integer(struct aml *b, const char *name, uint32_t v)
{
	put_name(b, name);
	put_integer(b, v);
}

void aml_name_string(struct aml *b, const char *name, const char *v)
{
	put_name(b, name);
	put8(b, AML_STRING);
	put(b, v, strlen(v) + 1);
}

/* Name (_S5, Package () {type, type, 0, 0}) */
void aml_name_s5(struct aml *b, unsigned type)
{
	size_t at;

	put_name(b, "_S5_");
	put8(b, AML_PACKAGE);
	at = open_package(b);
	put8(b, 4);
	put_integer(b, type);
	put_integer(b, type);
	put_integer(b, 0);
	put_integer(b, 0);
	aml_package_end(b, at);
}

/* The buffer's size is a word, filled in at the end. */
size_t aml_resources(struct aml *b)
{
	size_t at;

	put_name(b, "_CRS");
	put8(b, AML_BUFFER);
	at = open_package(b);
	put8(b, AML_WORD);
	put(b, "\0\0", 2);
	return at;
}

void aml_resources_end(struct aml *b, size_t start)
{
	size_t body = start + PKG_LENGTH + 3, n;

	put8(b, 0x79); /* end tag, checksum not used */
	put8(b, 0);
	n = b->len - body;
	b->buf[body - 2] = (uint8_t)n;
	b->buf[body - 1] = (uint8_t)(n >> 8);
	aml_package_end(b, start);
}

void aml_memory32(struct aml *b, uint32_t at, uint32_t size)
{
	put(b, "\x86\x09\x00\x01", 4); /* Memory32Fixed, 9 bytes, writable */
	put(b, &at, 4);
	put(b, &size, 4);
}

void aml_io(struct aml *b, uint16_t port, uint8_t count)
{
	put(b, "\x47\x01", 2); /* IO, 16-bit decode */
	put(b, &port, 2);
	put(b, &port, 2);
	put8(b, 1);
	put8(b, count);
}

void aml_interrupt(struct aml *b, uint32_t gsi)
{
	put(b, "\x89\x06\x00\x03\x01", 5); /* extended; consumer, edge, high; one */
	put(b, &gsi, 4);
}
