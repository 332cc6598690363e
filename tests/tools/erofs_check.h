/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second opinion on the EROFS writer, for tests and fuzzers: reads a meta file from memory and
 * checks all that the kernel relies on.  Shares nothing with the writer but the on-disk structs.
 */
#ifndef VPOD_TESTS_EROFS_CHECK_H
#define VPOD_TESTS_EROFS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct erofs_image {
	const unsigned char *p; /* the meta file, or the whole image */
	size_t len;
	uint64_t nr_blocks; /* as the superblock says */
	uint64_t root_nid;
	uint64_t nr_inodes;
};

struct erofs_node {
	uint64_t nid;
	bool is_extended;
	unsigned layout;
	uint32_t mode; /* with type */
	uint32_t uid, gid, nr_links, rdev;
	int64_t mtime;
	uint32_t mtime_nsec;
	uint64_t size;
	uint32_t block;
	const unsigned char *xattrs; /* entries, without the header */
	uint32_t xattr_len;
	const unsigned char *tail; /* inline data, or NULL */
};

int erofs_open(struct erofs_image *img, const void *p, size_t len, struct err *e);
int erofs_node(const struct erofs_image *img, uint64_t nid, struct erofs_node *out, struct err *e);

/* @path without a leading slash, "" the root. -1 when it is not there. Follows no links. */
int erofs_lookup(const struct erofs_image *img, const char *path, struct erofs_node *out);

/* Link target or data within the image; -1 when it is not in memory. @n: bytes wanted from @off. */
int erofs_read(const struct erofs_image *img, const struct erofs_node *node, uint64_t off,
	       void *buf, size_t n);

/* Value of an xattr by EROFS prefix number and rest of the name; NULL when there is none. */
const void *erofs_xattr(const struct erofs_node *node, unsigned index, const char *name,
			size_t *len);

/* Walks everything. Returns the number of names, "." and ".." apart, or -1 with the reason. */
long erofs_check(const struct erofs_image *img, struct err *e);

#endif
