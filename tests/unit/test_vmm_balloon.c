/* SPDX-License-Identifier: Apache-2.0 */
/* The balloon: memory that goes back to the host, statistics, and drivers that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/virtio/balloon.h"
#include "vmm_fixture.h"

#define WRITE VRING_DESC_F_WRITE
#define SIZE 32
#define PAGE 4096u
#define VICTIM 0x200000ull /* pages that the guest gives */
#define ALL (~0ull & ~(1ull << VIRTIO_RING_F_EVENT_IDX))
#define STATS (1ull << VIRTIO_BALLOON_F_STATS_VQ)

static struct vmm_rig rig;
static struct drvq q[5];
static unsigned slot;

static void start(uint64_t features)
{
	unsigned i;

	drv_negotiate(&rig, slot, features);
	for (i = 0; i < nitems(q); i++)
		drv_queue(&q[i], &rig, slot, i, SIZE);
	drv_ok(&rig, slot);
}

static int setup(void **state)
{
	static const struct spec_balloon spec = { .target = 1 << 20,
						  .has_stats = true,
						  .has_reporting = true };

	(void)state;
	rig_init(&rig, RIG_MEMORY);
	slot = rig_add(&rig, balloon_new(&spec));
	start(ALL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_free(&rig);
	return 0;
}

static struct virtio_dev *dev(void)
{
	return rig.m.devs[slot];
}

static uint64_t discarded(void)
{
	struct balloon_stats s;

	balloon_stats(dev(), &s);
	return s.discarded;
}

static bool is_resident(uint64_t gpa)
{
	unsigned char v = 0;

	assert_int_equal(mincore(rig_at(&rig, gpa, PAGE), PAGE, &v), 0);
	return v & 1;
}

static void touch(uint64_t gpa, unsigned pages)
{
	memset(rig_at(&rig, gpa, (uint64_t)pages * PAGE), 0x55, (size_t)pages * PAGE);
}

static void send(unsigned queue, const void *data, uint32_t len)
{
	memcpy(rig_at(&rig, RIG_DATA, len), data, len);
	drv_desc(&q[queue], 0, RIG_DATA, len, 0, 0);
	drv_offer(&q[queue], 0);
	drv_kick(&q[queue]);
}

static void inflated_pages_go_back_to_the_host(void **state)
{
	uint32_t pfns[] = { VICTIM / PAGE + 3, VICTIM / PAGE + 2, VICTIM / PAGE + 1,
			    VICTIM / PAGE + 6, VICTIM / PAGE + 7 };
	unsigned i;

	(void)state;
	touch(VICTIM, 10);
	send(0, pfns, sizeof(pfns));
	assert_int_equal(drv_waiting(&q[0]), 1);
	for (i = 0; i < 10; i++)
		assert_int_equal(is_resident(VICTIM + i * PAGE),
				 !(i == 1 || i == 2 || i == 3 || i == 6 || i == 7));
	assert_int_equal(discarded(), 5 * PAGE);
	send(1, pfns, sizeof(pfns));
	assert_int_equal(drv_waiting(&q[1]), 1);
	assert_int_equal(*(uint8_t *)rig_at(&rig, VICTIM + PAGE, 1), 0);
	assert_int_equal(*(uint8_t *)rig_at(&rig, VICTIM, 1), 0x55);
}

static void shared_memory_is_punched(void **state)
{
	uint32_t pfn = VICTIM / PAGE;
	struct err e;

	(void)state;
	mem_free(&rig.m.mem);
	assert_int_equal(mem_init(&rig.m.mem, RIG_MEMORY, true, &e), 0);
	start(ALL);
	touch(VICTIM, 2);
	send(0, &pfn, sizeof(pfn));
	assert_int_equal(discarded(), PAGE);
	assert_int_equal(*(uint8_t *)rig_at(&rig, VICTIM, 1), 0);
	assert_int_equal(*(uint8_t *)rig_at(&rig, VICTIM + PAGE, 1), 0x55);
}

static void pages_outside_of_memory_end_the_machine(void **state)
{
	static const uint32_t bad[] = { RIG_MEMORY / PAGE, VIRTIO_BASE / PAGE, 0xffffffff,
					MEM_HIGH_START / PAGE, 0x80000000 };
	size_t k;

	for (k = 0; k < nitems(bad); k++) {
		uint32_t pfns[2] = { VICTIM / PAGE, bad[k] };

		send(0, pfns, sizeof(pfns));
		assert_string_equal(rig_violation(&rig),
				    "V06 balloon: a page that is not in memory");
		assert_int_equal(drv_waiting(&q[0]), 0);
		teardown(state);
		setup(state);
	}
}

/* What a guest cannot mean well is bounded: the list, and how often it names a page. */
static void long_lists_are_cut(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 100000; i++)
		*(uint32_t *)rig_at(&rig, RIG_DATA + i * 4, 4) = VICTIM / PAGE + i % 2 * 2;
	drv_desc(&q[0], 0, RIG_DATA, 400000, 0, 0);
	drv_offer(&q[0], 0);
	drv_kick(&q[0]);
	assert_int_equal(drv_waiting(&q[0]), 1);
	assert_int_equal(discarded(), 4096 * PAGE);
}

static void odd_requests_are_answered(void **state)
{
	static const uint8_t odd[7] = { 0, 2, 0, 0, 1, 1, 1 }; /* one page and three bytes */

	(void)state;
	send(0, odd, 0);
	send(0, odd, 3);
	assert_int_equal(discarded(), 0);
	send(0, odd, 7);
	assert_int_equal(discarded(), PAGE);
	assert_int_equal(drv_waiting(&q[0]), 3);
	drv_desc(&q[0], 0, RIG_DATA, 4096, WRITE, 0); /* the wrong way round */
	drv_offer(&q[0], 0);
	drv_kick(&q[0]);
	assert_int_equal(drv_waiting(&q[0]), 4);
	assert_int_equal(discarded(), PAGE);
}

static void report(unsigned queue)
{
	touch(VICTIM, 12);
	drv_desc(&q[queue], 0, VICTIM, 2 * PAGE, WRITE | VRING_DESC_F_NEXT, 1);
	drv_desc(&q[queue], 1, VICTIM + 3 * PAGE + 100, 2 * PAGE, WRITE | VRING_DESC_F_NEXT, 2);
	drv_desc(&q[queue], 2, VICTIM + 8 * PAGE + 1, PAGE, WRITE, 0);
	drv_offer(&q[queue], 0);
	drv_kick(&q[queue]);
	assert_int_equal(drv_waiting(&q[queue]), 1);
	assert_false(is_resident(VICTIM) || is_resident(VICTIM + PAGE));
	assert_true(is_resident(VICTIM + 2 * PAGE));
	assert_true(is_resident(VICTIM + 3 * PAGE));  /* in part */
	assert_false(is_resident(VICTIM + 4 * PAGE)); /* whole */
	assert_true(is_resident(VICTIM + 5 * PAGE));
	assert_true(is_resident(VICTIM + 8 * PAGE) && is_resident(VICTIM + 9 * PAGE));
}

/* Linux before 6.11 numbers the queues otherwise than the specification: both are understood. */
static void reported_pages_go_back_by_either_number(void **state)
{
	(void)state;
	report(3);
	report(4);
	assert_int_equal(discarded(), 6 * PAGE);
	start(ALL & ~STATS);
	report(2);
	report(4);
}

static void statistics_are_asked_for_and_told(void **state)
{
	struct virtio_balloon_stat s[] = { { VIRTIO_BALLOON_S_MEMFREE, 1234 },
					   { VIRTIO_BALLOON_S_MEMTOT, 99999 },
					   { 77, 1 },
					   { 65535, 1 } };
	struct balloon_stats got;

	(void)state;
	balloon_stats(dev(), &got);
	assert_int_equal(got.age, UINT64_MAX);
	assert_int_equal(got.target, 1 << 20);
	send(2, s, sizeof(s));
	assert_int_equal(drv_waiting(&q[2]), 0); /* kept until it is asked for */
	balloon_stats(dev(), &got);
	assert_int_equal(got.guest[VIRTIO_BALLOON_S_MEMFREE], 1234);
	assert_int_equal(got.guest[VIRTIO_BALLOON_S_MEMTOT], 99999);
	assert_int_equal(got.told, 1u << VIRTIO_BALLOON_S_MEMFREE | 1u << VIRTIO_BALLOON_S_MEMTOT);
	assert_true(got.age < 60000000000ull);
	assert_int_equal(drv_waiting(&q[2]), 1); /* and that was asking */
	balloon_stats(dev(), &got);
	assert_int_equal(drv_waiting(&q[2]), 1);
	s[0].val = 4321;
	send(2, s, sizeof(s));
	send(2, s, 25); /* a second one at once, cut short: the first comes back */
	assert_int_equal(drv_waiting(&q[2]), 2);
	balloon_stats(dev(), &got);
	assert_int_equal(got.guest[VIRTIO_BALLOON_S_MEMFREE], 4321);
}

static void statistics_end_with_a_reset(void **state)
{
	struct virtio_balloon_stat s = { VIRTIO_BALLOON_S_MEMFREE, 1 };
	struct balloon_stats got;

	(void)state;
	send(2, &s, sizeof(s));
	start(ALL);
	balloon_stats(dev(), &got); /* the buffer is the old driver's */
	assert_int_equal(drv_waiting(&q[2]), 0);
}

static void targets_are_told_and_bounded(void **state)
{
	struct balloon_stats got;

	(void)state;
	rig_write(&rig, slot, VIRTIO_MMIO_INTERRUPT_ACK, ~0u, 4);
	balloon_set_target(dev(), 2 << 20);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG, 4), (2 << 20) / PAGE);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_INTERRUPT_STATUS, 4), VIRTIO_INT_CONFIG);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG_GENERATION, 4), 1);
	balloon_set_target(dev(), UINT64_MAX);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG, 4), RIG_MEMORY / PAGE);
	rig_write(&rig, slot, VIRTIO_MMIO_CONFIG + 4, 100, 4);
	rig_write(&rig, slot, VIRTIO_MMIO_CONFIG, 7, 4); /* not the driver's to write */
	rig_write(&rig, slot, VIRTIO_MMIO_CONFIG + 6, ~0ull, 4);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG, 4), RIG_MEMORY / PAGE);
	balloon_stats(dev(), &got);
	assert_int_equal(got.actual, 100 * PAGE);
}

static void a_flood_is_served_in_turns(void **state)
{
	uint32_t pfn = VICTIM / PAGE;

	(void)state;
	memcpy(rig_at(&rig, RIG_DATA, 4), &pfn, 4);
	drv_desc(&q[0], 0, RIG_DATA, 4, 0, 0);
	q[0].avail->idx = SIZE;
	drv_kick(&q[0]);
	q[0].avail->idx = 2 * SIZE;
	rig_turn(&rig);
	assert_int_equal(drv_waiting(&q[0]), 2 * SIZE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(inflated_pages_go_back_to_the_host),
		T(shared_memory_is_punched),
		T(pages_outside_of_memory_end_the_machine),
		T(long_lists_are_cut),
		T(odd_requests_are_answered),
		T(reported_pages_go_back_by_either_number),
		T(statistics_are_asked_for_and_told),
		T(statistics_end_with_a_reset),
		T(targets_are_told_and_bounded),
		T(a_flood_is_served_in_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
