/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decompression in memory, by the content's magic: gzip, xz, zstd, lz4, bzip2, lzma.  The filters
 * run in a worker (base/worker.h), so that what they have of bugs gets at nothing.
 */
#ifndef VPOD_STAGE0_KERNEL_UNPACK_H
#define VPOD_STAGE0_KERNEL_UNPACK_H

#include "stage0/blob.h"

/* Content that no filter knows is an error, and so are more than @max bytes. Caller frees @out. */
int unpack_bytes(struct bytes in, size_t max, const char *what, struct blob *out, struct err *e);

/* Whether @in begins like something that unpack_bytes() takes. */
bool unpack_knows(struct bytes in);
bool unpack_is_gzip(struct bytes in);

#endif
