/* SPDX-License-Identifier: Apache-2.0 */
/* The merge itself, without the jail: rootfs_merge() of layer.h runs it in one. For tests, too. */
#ifndef VPOD_IMAGES_EROFS_MERGE_H
#define VPOD_IMAGES_EROFS_MERGE_H

#include "base/err.h"
#include "images/layer.h"
#include "images/layer_index.h"

struct merge_input {
	struct index index[MERGE_MAX_LAYERS];
	uint64_t data_blocks[MERGE_MAX_LAYERS];
	unsigned nr_layers;
	uint64_t seed;
	uint8_t uuid[16];
};

/* Adds an index that is in memory, and stays there. */
int merge_add(struct merge_input *in, const void *p, size_t n, uint64_t data_size, struct err *e);

/* By what is in them: the layers' digests in order, and the version of this program's output. */
int merge_make_uuid(struct merge_input *in, struct err *e);

int merge_run(struct merge_input *in, int meta_fd, uint64_t *meta_size, struct err *e);

#endif
