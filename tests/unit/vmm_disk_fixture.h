/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One machine with one disk, and a driver that makes requests: for the tests of blk.c.  The disk's
 * files hold disk_pattern() of the place where they are shown.
 */
#ifndef VPOD_TESTS_VMM_DISK_FIXTURE_H
#define VPOD_TESTS_VMM_DISK_FIXTURE_H

#include <linux/virtio_blk.h>

#include "vmm_fixture.h"

#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define SIZE 256 /* of the queue */
#define DISK (1u << 20)

#define HDR RIG_DATA		   /* of request i: at i * 16 */
#define STATUS (RIG_DATA + 0x2000) /* of request i: at i */
#define DATA (RIG_DATA + 0x10000)
#define NO_STATUS 0xaa

#define BIT(n) (1ull << (n))
#define FLUSH BIT(VIRTIO_BLK_F_FLUSH)
#define ALL (~0ull & ~BIT(VIRTIO_RING_F_EVENT_IDX))

extern struct vmm_rig disk_rig;
extern struct drvq disk_q;
extern unsigned disk_slot;
extern int disk_file; /* the last one, as the test looks into it */
extern struct spec_file disk_parts[4];
extern struct spec_limit disk_limit; /* of the next start */

/* A writable disk of DISK bytes, over a backend of the engine; uring is auto where it is missing.
 */
int disk_setup_uring(void **state);
int disk_setup_threads(void **state);
int disk_teardown(void **state);

void disk_start(bool is_readonly, uint64_t features);
void disk_start_parts(const uint64_t *sizes, unsigned nr, bool is_readonly, uint64_t features);
void disk_stop(void);
struct blk_stats disk_stats(void);

/* Request @i, descriptors from 4 * i on: header, data of @len in one buffer if any, status. */
void disk_prepare(unsigned i, uint32_t type, uint64_t sector, uint64_t data, uint32_t len);
void disk_offer(unsigned i);
uint8_t disk_status(unsigned i);

/* The status of request 0, which is offered; all three in one. */
uint8_t disk_answer(void);
uint8_t disk_request(uint32_t type, uint64_t sector, uint64_t data, uint32_t len);

/* What is in guest memory at @gpa: the disk's content from @at on, or @len times @v. */
uint8_t disk_pattern(uint64_t at);
void disk_assert_pattern(uint64_t gpa, uint64_t at, uint32_t len);
void disk_assert_bytes(uint64_t gpa, uint8_t v, uint32_t len);

/* What is in the file. */
void disk_assert_file(uint64_t at, uint8_t v, uint32_t len);
void disk_assert_untouched(void);

#endif
