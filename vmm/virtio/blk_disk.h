/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a disk consists of: one file, or several that are shown one behind the other, each padded
 * with zeros to 4 KiB.  Raw bytes, whatever they look like (V30).
 */
#ifndef VPOD_VMM_VIRTIO_BLK_DISK_H
#define VPOD_VMM_VIRTIO_BLK_DISK_H

#include "vmm/virtio/blk_engine.h"

#define DISK_ALIGN 4096u

struct disk_part {
	int file;	      /* of the engine */
	uint64_t start, size; /* bytes; size without the padding */
};

struct disk {
	struct disk_part *parts;
	unsigned nr_parts;
	uint64_t size;	/* bytes, with padding if it is read-only; whole sectors */
	uint32_t block; /* logical block size */
	bool is_readonly, can_punch;
};

/* Adds the files to the engine. disk_free() in either case. */
int disk_init(struct disk *d, struct io_engine *g, struct io_client *c,
	      const struct spec_disk *spec, struct err *e);
void disk_free(struct disk *d, struct io_engine *g, struct io_client *c);

/* The part that has byte @at of the disk, or whose padding has it. @at is below d->size. */
const struct disk_part *disk_part_at(const struct disk *d, uint64_t at);

#endif
