/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file written from front to back through a large buffer: no system call per small file, and runs
 * of zeros become holes.  Private to the layer reader and the EROFS writer.
 */
#ifndef VPOD_IMAGES_LAYER_FILE_H
#define VPOD_IMAGES_LAYER_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct outfile {
	int fd; /* the caller's; the file is empty at first */
	const char *what;
	uint64_t flushed; /* bytes of the file that are behind the buffer */
	uint64_t sent;	  /* of these, what the disk was told to begin with */
	size_t len;	  /* bytes in the buffer */
	size_t cap;
	unsigned char *buf;
};

int outfile_open(struct outfile *f, int fd, size_t buffer, const char *what, struct err *e);
void outfile_close(struct outfile *f); /* frees the buffer only */

static inline uint64_t outfile_tell(const struct outfile *f)
{
	return f->flushed + f->len;
}

int outfile_write(struct outfile *f, const void *p, size_t n, struct err *e);

/* @n bytes of zeros, a hole when there are many. */
int outfile_zeros(struct outfile *f, uint64_t n, struct err *e);

/* Zeros up to the next multiple of @unit. */
int outfile_align(struct outfile *f, uint64_t unit, struct err *e);

/* Writes the buffer and gives the file its size. */
int outfile_finish(struct outfile *f, struct err *e);

#endif
