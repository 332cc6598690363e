/* SPDX-License-Identifier: Apache-2.0 */
/* The scratch disk: a sparse ext4 image that holds the apps' changes and empty volumes. */
#ifndef VPOD_STAGE0_SCRATCH_H
#define VPOD_STAGE0_SCRATCH_H

#include <stdint.h>

#include "base/err.h"

struct config;

#define SCRATCH_DEFAULT (4ull << 30)

/*
 * Creates @name beneath @dirfd with an empty ext4 file system of @size bytes.  Copied from a
 * template that mke2fs makes once per size.  Returns an fd, read-write, that the caller owns.
 */
int scratch_create(const struct config *cfg, int dirfd, const char *name, uint64_t size,
		   struct err *e);

#endif
