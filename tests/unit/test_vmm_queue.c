/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings against a driver that lies: V01 to V11, V17 and V21 of reference/threats.md.  The
 * device is the entropy device: what it writes, and where, is easily seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/virtio/rng.h"
#include "vmm_fixture.h"

#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define EVENT_IDX (1ull << VIRTIO_RING_F_EVENT_IDX)
#define SIZE 16

static struct vmm_rig rig;
static struct drvq q;
static unsigned slot;

static int setup_memory(uint64_t memory, uint64_t rate)
{
	struct err e;

	rig_init(&rig, memory);
	slot = rig_add(&rig, rng_new(&rig.m.loop, &(struct spec_limit){ .bytes = rate }, &e));
	drv_start(&q, &rig, slot, 0, SIZE);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return setup_memory(RIG_MEMORY, 1ull << 30);
}

static int teardown(void **state)
{
	(void)state;
	rig_free(&rig);
	return 0;
}

static void assert_ends_with(const char *id)
{
	drv_kick(&q);
	assert_memory_equal(rig_violation(&rig), id, strlen(id));
	assert_int_equal(drv_waiting(&q), 0);
}

static void assert_goes_on(void)
{
	drv_kick(&q);
	assert_string_equal(rig_violation(&rig), "");
}

static void request_is_served(void **state)
{
	static const uint8_t zeros[64];

	(void)state;
	drv_desc(&q, 3, RIG_DATA, 40, WRITE | NEXT, 7);
	drv_desc(&q, 7, RIG_DATA + 100, 24, WRITE, 0);
	drv_offer(&q, 3);
	assert_goes_on();
	assert_int_equal(drv_waiting(&q), 1);
	assert_int_equal(q.used->ring[0].id, 3);
	assert_int_equal(q.used->ring[0].len, 64);
	assert_memory_not_equal(rig_at(&rig, RIG_DATA, 40), zeros, 40);
	assert_memory_equal(rig_at(&rig, RIG_DATA + 40, 60), zeros, 60);
	assert_memory_not_equal(rig_at(&rig, RIG_DATA + 100, 24), zeros, 24);
	assert_true(rig_read(&rig, slot, VIRTIO_MMIO_INTERRUPT_STATUS, 4) & VIRTIO_INT_QUEUE);
	rig_write(&rig, slot, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_INT_QUEUE, 4);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_INTERRUPT_STATUS, 4), 0);
}

static void rings_wrap(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 70000; i++) {
		drv_desc(&q, i % SIZE, RIG_DATA, 1, WRITE, 0);
		drv_offer(&q, (uint16_t)(i % SIZE));
		if (i % SIZE == SIZE - 1)
			assert_goes_on();
		while (drv_waiting(&q)) {
			unsigned wanted = q.seen % SIZE;

			assert_int_equal(drv_take(&q).id, wanted);
		}
	}
}

static void v01_loops_end_the_machine(void **state)
{
	static const struct {
		unsigned n; /* cycle length */
	} cases[] = { { 1 }, { 2 }, { SIZE } };
	size_t k;
	unsigned i;

	for (k = 0; k < nitems(cases); k++) {
		for (i = 0; i < cases[k].n; i++)
			drv_desc(&q, i, RIG_DATA, 1, WRITE | NEXT, (i + 1) % cases[k].n);
		drv_offer(&q, 0);
		assert_ends_with("V01 rng: ");
		teardown(state);
		setup(state);
	}
}

static void v01_empty_descriptors_in_a_loop_end_it_too(void **state)
{
	(void)state;
	drv_desc(&q, 0, RIG_DATA, 0, WRITE | NEXT, 0);
	drv_offer(&q, 0);
	assert_ends_with("V01 rng: ");
}

static void chain_as_long_as_the_queue_is_fine(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < SIZE; i++)
		drv_desc(&q, i, RIG_DATA + i, 1, WRITE | (i < SIZE - 1 ? NEXT : 0), i + 1);
	drv_offer(&q, 0);
	assert_goes_on();
	assert_int_equal(drv_take(&q).len, SIZE);
}

static void v02_more_than_4_gib_ends_the_machine(void **state)
{
	unsigned i;

	teardown(state);
	setup_memory(1ull << 30, 1ull << 30); /* reserved, hardly touched */
	for (i = 0; i < 5; i++)
		drv_desc(&q, i, 0, 1u << 30, WRITE | NEXT, i + 1);
	drv_desc(&q, 5, 0, 1, WRITE, 0);
	drv_offer(&q, 0);
	assert_ends_with("V02 rng: ");
}

static void v03_available_index_that_jumps_ends_the_machine(void **state)
{
	static const uint16_t jumps[] = { SIZE + 1, 0x7fff, 0x8000, 0xffff };
	size_t k;

	for (k = 0; k < nitems(jumps); k++) {
		q.avail->idx = jumps[k];
		assert_ends_with("V03 rng: ");
		teardown(state);
		setup(state);
	}
}

static void v04_empty_descriptors_are_skipped(void **state)
{
	(void)state;
	drv_desc(&q, 0, ~0ull, 0, NEXT, 1);
	drv_desc(&q, 1, 0, 0, WRITE | NEXT, 2);
	drv_desc(&q, 2, RIG_DATA, 8, WRITE | NEXT, 3);
	drv_desc(&q, 3, 0, 0, WRITE, 0);
	drv_offer(&q, 0);
	drv_desc(&q, 4, 0, 0, WRITE, 0); /* all of it empty */
	drv_offer(&q, 4);
	assert_goes_on();
	assert_int_equal(drv_take(&q).len, 8);
	assert_int_equal(drv_take(&q).len, 0);
}

static void v05_v06_addresses_outside_of_memory_end_the_machine(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
		const char *id;
	} cases[] = {
		{ ~0ull, 2, "V05" },
		{ ~0ull - 0xfffffffe, 0xffffffff, "V05" },
		{ 0x7fffffffffffffff, 0xffffffff, "V06" },
		{ RIG_MEMORY, 1, "V06" },
		{ RIG_MEMORY - 1, 2, "V06" }, /* the last byte and one more */
		{ RIG_DATA, 0xffffffff, "V06" },
		{ VIRTIO_BASE, 4, "V06" },
		{ MEM_HOLE_START, 4096, "V06" },
		{ MEM_HIGH_START, 1, "V06" },
		{ 0xfee00000, 4096, "V06" },
	};
	size_t k;

	for (k = 0; k < nitems(cases); k++) {
		drv_desc(&q, 0, cases[k].addr, cases[k].len, WRITE, 0);
		drv_offer(&q, 0);
		assert_ends_with(cases[k].id);
		teardown(state);
		setup(state);
	}
}

static void last_byte_of_memory_is_memory(void **state)
{
	(void)state;
	drv_desc(&q, 0, RIG_MEMORY - 1, 1, WRITE, 0);
	drv_offer(&q, 0);
	assert_goes_on();
	assert_int_equal(drv_take(&q).len, 1);
}

static void v06_buffers_do_not_straddle_the_hole(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
		bool is_fine;
	} cases[] = {
		{ MEM_HOLE_START - 4096, 4096, true },
		{ MEM_HOLE_START - 4096, 4097, false },
		{ MEM_HOLE_START - 1, 0x40000002, false }, /* over the hole into the second */
		{ MEM_HIGH_START, 4096, true },
		{ MEM_HIGH_START - 1, 2, false },
		{ MEM_HIGH_START + (1 << 20) - 1, 1, true },
		{ MEM_HIGH_START + (1 << 20) - 1, 2, false },
	};
	size_t k;

	for (k = 0; k < nitems(cases); k++) {
		teardown(state);
		setup_memory(MEM_HOLE_START + (1 << 20), 1 << 30);
		drv_desc(&q, 0, cases[k].addr, cases[k].len, WRITE, 0);
		drv_offer(&q, 0);
		if (cases[k].is_fine)
			assert_goes_on();
		else
			assert_ends_with("V06");
	}
}

/* The device overwrites its own rings: nothing happens outside of guest memory. */
static void v07_buffers_over_the_rings_hurt_only_the_guest(void **state)
{
	unsigned i;

	for (i = 0; i < 64; i++) {
		drv_desc(&q, 0, RIG_RINGS + i * 256, 4096, WRITE, 0);
		drv_offer(&q, 0);
		drv_kick(&q);
		drv_kick(&q);
		teardown(state);
		setup(state);
	}
	/* the used ring is the available ring */
	drv_negotiate(&rig, slot, 0);
	drv_queue(&q, &rig, slot, 0, SIZE);
	rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_USED_LOW, RIG_RINGS + 0x2000, 4);
	drv_ok(&rig, slot);
	drv_desc(&q, 0, RIG_DATA, 8, WRITE, 0);
	for (i = 0; i < 100; i++) {
		drv_offer(&q, 0);
		drv_kick(&q);
	}
}

static void v08_indices_outside_of_the_queue_end_the_machine(void **state)
{
	drv_offer(&q, SIZE);
	assert_ends_with("V08");
	teardown(state);
	setup(state);
	drv_offer(&q, 0xffff);
	assert_ends_with("V08");
	teardown(state);
	setup(state);
	drv_desc(&q, 0, RIG_DATA, 1, WRITE | NEXT, SIZE);
	drv_offer(&q, 0);
	assert_ends_with("V08");
}

static void v09_indirect_descriptors_end_the_machine(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 15, 16, 32, 0xfffffff0 };
	size_t k;

	assert_false(rig.m.devs[slot]->features >> VIRTIO_RING_F_INDIRECT_DESC & 1);
	for (k = 0; k < nitems(lengths); k++) {
		drv_desc(&q, 0, RIG_DATA, lengths[k], VRING_DESC_F_INDIRECT, 0);
		drv_offer(&q, 0);
		assert_ends_with("V09");
		teardown(state);
		setup(state);
	}
}

static void v10_mixed_order_is_no_request(void **state)
{
	(void)state;
	drv_desc(&q, 0, RIG_DATA, 8, WRITE | NEXT, 1);
	drv_desc(&q, 1, RIG_DATA, 8, 0, 0);
	drv_offer(&q, 0);
	drv_desc(&q, 2, RIG_DATA, 8, 0, 0); /* nothing to write to */
	drv_offer(&q, 2);
	assert_goes_on();
	assert_int_equal(drv_take(&q).len, 0);
	assert_int_equal(drv_take(&q).len, 0);
}

static void event_index_suppresses_interrupts_and_kicks(void **state)
{
	(void)state;
	drv_start(&q, &rig, slot, EVENT_IDX, SIZE);
	q.avail->ring[SIZE] = 1; /* used_event: after the second */
	drv_desc(&q, 0, RIG_DATA, 8, WRITE, 0);
	drv_offer(&q, 0);
	assert_goes_on();
	assert_int_equal(drv_waiting(&q), 1);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_INTERRUPT_STATUS, 4), 0);
	assert_int_equal(q.used->ring[SIZE].id & 0xffff, 1); /* kick when it passes 1 */
	drv_offer(&q, 0);
	assert_goes_on();
	assert_true(rig_read(&rig, slot, VIRTIO_MMIO_INTERRUPT_STATUS, 4) & VIRTIO_INT_QUEUE);
}

static void v17_notify_storm_without_requests_is_idle(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 10000; i++)
		assert_goes_on();
	assert_int_equal(drv_waiting(&q), 0);
}

/* The ring never runs empty: each turn of the loop does a bounded part. */
static void v17_a_full_ring_leaves_others_their_turn(void **state)
{
	uint16_t before;

	(void)state;
	drv_desc(&q, 0, RIG_DATA, 1, WRITE, 0);
	q.avail->idx = SIZE;
	drv_kick(&q);
	before = q.used->idx;
	assert_int_equal(before, SIZE);
	q.avail->idx = (uint16_t)(2 * SIZE);
	rig_turn(&rig); /* it looks again by itself */
	assert_int_equal(q.used->idx, 2 * SIZE);
}

static void v21_entropy_is_capped_per_request_and_rate(void **state)
{
	unsigned i, n = 0;

	teardown(state);
	setup_memory(RIG_MEMORY, 100000); /* 100 kB/s, a burst of 10 kB */
	drv_desc(&q, 0, RIG_DATA, 1 << 20, WRITE, 0);
	for (i = 0; i < SIZE; i++)
		drv_offer(&q, 0);
	assert_goes_on();
	while (drv_waiting(&q)) {
		assert_int_equal(drv_take(&q).len, 4096);
		n++;
	}
	assert_in_range(n, 1, 4);
	rig_until(&rig, drv_waiting(&q) > 0); /* goes on by the timer */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(request_is_served),
		T(rings_wrap),
		T(v01_loops_end_the_machine),
		T(v01_empty_descriptors_in_a_loop_end_it_too),
		T(chain_as_long_as_the_queue_is_fine),
		T(v02_more_than_4_gib_ends_the_machine),
		T(v03_available_index_that_jumps_ends_the_machine),
		T(v04_empty_descriptors_are_skipped),
		T(v05_v06_addresses_outside_of_memory_end_the_machine),
		T(last_byte_of_memory_is_memory),
		T(v06_buffers_do_not_straddle_the_hole),
		T(v07_buffers_over_the_rings_hurt_only_the_guest),
		T(v08_indices_outside_of_the_queue_end_the_machine),
		T(v09_indirect_descriptors_end_the_machine),
		T(v10_mixed_order_is_no_request),
		T(event_index_suppresses_interrupts_and_kicks),
		T(v17_notify_storm_without_requests_is_idle),
		T(v17_a_full_ring_leaves_others_their_turn),
		T(v21_entropy_is_capped_per_request_and_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
