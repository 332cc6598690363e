/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_VMM_VIRTIO_BLK_H
#define VPOD_VMM_VIRTIO_BLK_H

#include "vmm/spec.h"
#include "vmm/virtio/blk_engine.h"
#include "vmm/virtio/virtio.h"

/* Requests of one disk in flight; io_engine_new() is told their sum. */
#define BLK_MAX_IN_FLIGHT 64u

struct blk_stats {
	uint64_t reads, writes, flushes, others; /* requests that were done */
	uint64_t read_bytes, written_bytes;
	uint64_t errors;    /* requests that ended otherwise */
	uint64_t throttled; /* how often the limit made the disk wait */
};

/* A disk of the files that spec_open() opened; they stay the spec's. All calls: in the loop. */
struct virtio_dev *blk_new(struct io_engine *g, struct loop *l, const struct spec_disk *disk,
			   struct err *e);
void blk_set_limit(struct virtio_dev *d, const struct spec_limit *limit);
void blk_stats(const struct virtio_dev *d, struct blk_stats *out);

#endif
