/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_VMM_VIRTIO_BALLOON_H
#define VPOD_VMM_VIRTIO_BALLOON_H

#include <linux/virtio_balloon.h>

#include "vmm/spec.h"
#include "vmm/virtio/virtio.h"

struct balloon_stats {
	uint64_t target, actual; /* bytes: asked for; given, as the guest says */
	uint64_t discarded;	 /* bytes given back to the host since the start, some repeatedly */
	uint64_t guest[VIRTIO_BALLOON_S_NR]; /* VIRTIO_BALLOON_S_*: what the guest last told */
	uint32_t told;			     /* bit map of what it told */
	uint64_t age;			     /* ns since then; UINT64_MAX: never */
};

struct virtio_dev *balloon_new(const struct spec_balloon *spec);

/* How much the guest shall give up; at most all of its memory. Loop. */
void balloon_set_target(struct virtio_dev *d, uint64_t bytes);

/* What is known now, and asks the guest for news. Loop. */
void balloon_stats(struct virtio_dev *d, struct balloon_stats *out);

#endif
