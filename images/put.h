/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing blobs: a file without a name in the store until its size and digest are right and it is
 * on disk (store.h).  Only vpod-image writes blobs.
 */
#ifndef VPOD_IMAGES_PUT_H
#define VPOD_IMAGES_PUT_H

#include "images/manifest.h"
#include "images/store.h"

struct put {
	struct store *s;
	int fd;
	struct evp_md_ctx_st *md;
	const struct desc *expect; /* NULL: whatever comes */
	const char *what;	   /* for messages */
	uint64_t max, size;
	uint64_t sent; /* what the disk was told to begin with */
	char tmp[32];
};

/*
 * Starts a blob that has to be @expect (which must outlive the put), or, with NULL, any of at most
 * @max bytes.  End with put_commit() or put_abort().
 */
int put_begin(struct store *s, struct put *p, const struct desc *expect, uint64_t max,
	      const char *what, struct err *e);
int put_write(struct put *p, const void *data, size_t n, struct err *e);
int put_restart(struct put *p, struct err *e); /* forgets what was written */
int put_commit(struct put *p, struct desc *out, struct err *e);
void put_abort(struct put *p);

/* Copies @size bytes (or until the end, for UINT64_MAX) from @off of @fd. */
int put_copy(struct put *p, int fd, uint64_t off, uint64_t size, struct err *e);

int put_bytes(struct store *s, const void *data, size_t n, const char *what, struct desc *out,
	      struct err *e);

int digest_bytes(const void *data, size_t n, struct digest *out, struct err *e);

#endif
