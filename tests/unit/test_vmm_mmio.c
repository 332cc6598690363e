/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of the transport against a driver that lies: V12 to V16 of reference/threats.md.
 * The device is the entropy device: what it writes, and where, is easily seen.
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

#define WRITE VRING_DESC_F_WRITE
#define SIZE 16

static struct vmm_rig rig;
static struct drvq q;
static unsigned slot;

static int setup(void **state)
{
	struct err e;

	(void)state;
	rig_init(&rig, RIG_MEMORY);
	slot = rig_add(&rig, rng_new(&rig.m.loop, &(struct spec_limit){ .bytes = 1ull << 30 }, &e));
	drv_start(&q, &rig, slot, 0, SIZE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_free(&rig);
	return 0;
}

static void assert_goes_on(void)
{
	drv_kick(&q);
	assert_string_equal(rig_violation(&rig), "");
}

static void v12_geometry_is_fixed_at_driver_ok(void **state)
{
	unsigned reg;

	(void)state;
	rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_SEL, 0, 4);
	for (reg = VIRTIO_MMIO_QUEUE_NUM; reg < VIRTIO_MMIO_CONFIG; reg += 4) {
		if (reg != VIRTIO_MMIO_STATUS)
			rig_write(&rig, slot, reg, 0xfffff000, 4);
	}
	drv_desc(&q, SIZE - 1, RIG_DATA, 8, WRITE, 0);
	drv_offer(&q, SIZE - 1);
	assert_goes_on();
	assert_int_equal(drv_take(&q).len, 8);
}

static void restart(uint32_t size, uint64_t desc, uint64_t avail, uint64_t used)
{
	drv_negotiate(&rig, slot, 0);
	drv_queue(&q, &rig, slot, 0, SIZE);
	rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_NUM, size, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)desc, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_DESC_HIGH, desc >> 32, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)avail, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, avail >> 32, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)used, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_USED_HIGH, used >> 32, 4);
	drv_ok(&rig, slot);
}

static void v13_queues_of_bad_geometry_are_refused(void **state)
{
	static const uint32_t sizes[] = { 0, 3, 24, 65, 128, 32768, 65535, 65536, 0x80000000, ~0u };
	static const uint64_t places[] = { RIG_MEMORY,	RIG_MEMORY - 16, VIRTIO_BASE,
					   ~0ull << 12, RIG_DATA + 1,	 0xfffffffffffffff0ull,
					   1ull << 63,	MEM_HIGH_START };
	uint64_t good[3] = { RIG_RINGS, RIG_RINGS + 0x2000, RIG_RINGS + 0x3000 };
	size_t k, i;

	for (k = 0; k < nitems(sizes); k++) {
		restart(sizes[k], good[0], good[1], good[2]);
		assert_memory_equal(rig_violation(&rig), "V13", 3);
		teardown(state);
		setup(state);
	}
	for (k = 0; k < nitems(places); k++) {
		for (i = 0; i < 3; i++) {
			uint64_t at[3] = { good[0], good[1], good[2] };

			at[i] = places[k];
			restart(SIZE, at[0], at[1], at[2]);
			assert_memory_equal(rig_violation(&rig), "V13", 3);
			teardown(state);
			setup(state);
		}
	}
}

static void v13_queues_that_are_not_there_are_zeros(void **state)
{
	static const uint32_t numbers[] = { 1, 2, 9, 10, 11, 12, 255, 0x7fffffff, 0x80000000, ~0u };
	size_t k;

	(void)state;
	for (k = 0; k < nitems(numbers); k++) {
		rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
		rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_SEL, numbers[k], 4);
		assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_QUEUE_NUM_MAX, 4), 0);
		rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_NUM, 8, 4);
		rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_READY, 1, 4);
		assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_QUEUE_READY, 4), 0);
		rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_NOTIFY, numbers[k], 4);
	}
	assert_string_equal(rig_violation(&rig), "");
}

static void v14_v15_every_access_is_answered(void **state)
{
	static const unsigned lengths[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint64_t offset;
	size_t k;

	(void)state;
	for (offset = 0; offset < VIRTIO_STRIDE; offset++) {
		for (k = 0; k < nitems(lengths); k++) {
			uint64_t v = rig_read(&rig, slot, offset, lengths[k]);

			if (offset >= VIRTIO_MMIO_CONFIG && offset + lengths[k] <= VIRTIO_STRIDE)
				assert_int_equal(v, 0);	   /* the device has no config */
			if (lengths[k] != 4 || offset & 3) /* a register is 32 bits wide */
				rig_write(&rig, slot, offset, ~0ull, lengths[k]);
		}
	}
	assert_false(virtio_mmio_access(&rig.m, ~0ull, &offset, 8, false));
	assert_false(virtio_mmio_access(&rig.m, ~0ull - 3, &offset, 8, true));
	assert_false(virtio_mmio_access(&rig.m, VIRTIO_BASE - 1, &offset, 4, true));
	assert_false(virtio_mmio_access(&rig.m, VIRTIO_BASE + VIRTIO_STRIDE, &offset, 4, true));
	assert_string_equal(rig_violation(&rig), "");
	drv_desc(&q, 0, RIG_DATA, 8, WRITE, 0); /* and it still works */
	drv_offer(&q, 0);
	assert_goes_on();
	assert_int_equal(drv_take(&q).len, 8);
}

static void v16_features_not_offered_have_no_effect(void **state)
{
	struct virtio_dev *d = rig.m.devs[slot];

	(void)state;
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 3, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_DRIVER_FEATURES, ~0u, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_DRIVER_FEATURES, ~0u, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 2, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_DRIVER_FEATURES, ~0u, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 11, 4);
	drv_queue(&q, &rig, slot, 0, SIZE);
	drv_ok(&rig, slot);
	assert_int_equal(d->acked, d->features);
	rig_write(&rig, slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0, 4); /* too late */
	rig_write(&rig, slot, VIRTIO_MMIO_DRIVER_FEATURES, 0, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 15, 4);
	assert_int_equal(d->acked, d->features);
}

static void v16_status_in_any_order(void **state)
{
	unsigned i, j;

	(void)state;
	for (i = 0; i < 256; i++) {
		for (j = 0; j < 256; j += 5) {
			rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
			assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_STATUS, 4), 0);
			assert_false(rig.m.devs[slot]->is_active);
			rig_write(&rig, slot, VIRTIO_MMIO_STATUS, i, 4);
			rig_write(&rig, slot, VIRTIO_MMIO_STATUS, j, 4);
			/* without VERSION_1 nothing starts */
			assert_false(rig.m.devs[slot]->is_active);
		}
	}
	drv_start(&q, &rig, slot, 0, SIZE);
	assert_true(rig.m.devs[slot]->is_active);
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 1, 4); /* bits are only added */
	assert_true(rig.m.devs[slot]->is_active);
}

static void reset_forgets_the_rings(void **state)
{
	(void)state;
	drv_desc(&q, 0, RIG_DATA, 8, WRITE, 0);
	drv_offer(&q, 0);
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
	assert_goes_on();
	assert_int_equal(drv_waiting(&q), 0);
	drv_start(&q, &rig, slot, 0, SIZE);
	drv_desc(&q, 1, RIG_DATA, 8, WRITE, 0);
	drv_offer(&q, 1);
	assert_goes_on();
	assert_int_equal(drv_take(&q).id, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(v12_geometry_is_fixed_at_driver_ok),
		T(v13_queues_of_bad_geometry_are_refused),
		T(v13_queues_that_are_not_there_are_zeros),
		T(v14_v15_every_access_is_answered),
		T(v16_features_not_offered_have_no_effect),
		T(v16_status_in_any_order),
		T(reset_forgets_the_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
