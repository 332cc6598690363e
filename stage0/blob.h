/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files in memory. struct bytes borrows, struct blob owns. */
#ifndef VPOD_STAGE0_BLOB_H
#define VPOD_STAGE0_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct bytes {
	const uint8_t *p;
	size_t len;
};

struct blob {
	uint8_t *p; /* from malloc, or a private read-only mapping */
	size_t len;
	bool is_mapped;
};

#define cleanup_blob __attribute__((__cleanup__(blob_free)))
void blob_free(struct blob *b);

static inline struct bytes blob_bytes(const struct blob *b)
{
	return (struct bytes){ b->p, b->len };
}

/* Maps the regular file @fd. @max 0: no bound but memory's. */
int blob_map(int fd, const char *what, size_t max, struct blob *out, struct err *e);

/* Appends, doubling; more than @max bytes in all is an error. */
int blob_append(struct blob *b, const void *p, size_t n, size_t max, const char *what,
		struct err *e);

/* The part [off, off+len) of @in; 0 when it reaches outside. */
bool bytes_slice(struct bytes in, uint64_t off, uint64_t len, struct bytes *out);

/* First place of @needle at or after @from, or NULL. */
const uint8_t *bytes_find(struct bytes in, size_t from, const void *needle, size_t n);

/* Little-endian loads; the caller has checked the bounds. */
uint16_t le16_at(const uint8_t *p);
uint32_t le32_at(const uint8_t *p);

#endif
