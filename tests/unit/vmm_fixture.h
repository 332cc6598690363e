/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine without KVM, for tests and fuzzers: memory, a loop and devices, and a driver that may
 * lie.  One thread: register accesses and the loop's turns take place when the test says so.
 * Nothing here uses cmocka; what must hold for the fixture itself aborts.
 */
#ifndef VPOD_TESTS_VMM_FIXTURE_H
#define VPOD_TESTS_VMM_FIXTURE_H

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "vmm/machine.h"
#include "vmm/virtio/blk.h"

#define RIG_MEMORY (4ull << 20)
#define RIG_RINGS 0x10000ull /* of queue i: at i * 0x4000 from here */
#define RIG_DATA 0x100000ull
#define RIG_VERSION_1 (1ull << VIRTIO_F_VERSION_1)

struct vmm_rig {
	struct machine m;
	struct vmm_spec spec;
	struct source waker;
};

void rig_init(struct vmm_rig *r, uint64_t memory);
void rig_free(struct vmm_rig *r);

/* Returns the slot. */
unsigned rig_add(struct vmm_rig *r, struct virtio_dev *d);

/* A disk of the spec's files, and its engine started; @which backend. */
unsigned rig_add_disk(struct vmm_rig *r, const struct spec_disk *disk, enum spec_io which);

/* One pass over what is ready; rig_until(): as many as it takes, for at most some seconds. */
void rig_turn(struct vmm_rig *r);
void rig_pause(struct vmm_rig *r); /* until something is ready, at most 10 ms */
#define rig_until(r, condition)                              \
	do {                                                 \
		int tries_ = 0;                              \
		while (!(condition) && tries_++ < 2000) {    \
			rig_turn(r);                         \
			if (!(condition))                    \
				rig_pause(r);                \
		}                                            \
		if (!(condition))                            \
			rig_fail("never true: " #condition); \
	} while (0)
__attribute__((noreturn)) void rig_fail(const char *why);

/* What the machine ended with: "V01 blk: ...", or "" while it goes on. */
const char *rig_violation(const struct vmm_rig *r);

void *rig_at(struct vmm_rig *r, uint64_t gpa, uint64_t len);
uint64_t rig_read(struct vmm_rig *r, unsigned slot, uint64_t offset, unsigned len);
void rig_write(struct vmm_rig *r, unsigned slot, uint64_t offset, uint64_t v, unsigned len);

/* The driver's side of a queue. */
struct drvq {
	struct vmm_rig *r;
	unsigned slot, index;
	uint16_t size, seen;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

/* Reset, negotiate what of @features is offered, and RIG_VERSION_1. */
void drv_negotiate(struct vmm_rig *r, unsigned slot, uint64_t features);

/* Rings of @size at their place, ready. */
void drv_queue(struct drvq *q, struct vmm_rig *r, unsigned slot, unsigned index, uint16_t size);
void drv_ok(struct vmm_rig *r, unsigned slot);

/* All three, for a device with one queue. */
void drv_start(struct drvq *q, struct vmm_rig *r, unsigned slot, uint64_t features, uint16_t size);

void drv_desc(struct drvq *q, unsigned i, uint64_t gpa, uint32_t len, unsigned flags,
	      unsigned next);
void drv_offer(struct drvq *q, uint16_t head);
void drv_kick(struct drvq *q); /* and a turn */

/* How many used entries there are that drv_take() has not taken. */
uint16_t drv_waiting(const struct drvq *q);
struct vring_used_elem drv_take(struct drvq *q);

#endif
