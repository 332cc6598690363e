/* SPDX-License-Identifier: Apache-2.0 */
/* Disks over both backends of the engine, with drivers that keep the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm_disk_fixture.h"

static void tells_what_it_is(void **state)
{
	(void)state;
	assert_int_equal(rig_read(&disk_rig, disk_slot, VIRTIO_MMIO_DEVICE_ID, 4), 2);
	assert_int_equal(rig_read(&disk_rig, disk_slot, VIRTIO_MMIO_CONFIG, 8), DISK / 512);
	assert_int_equal(rig_read(&disk_rig, disk_slot, VIRTIO_MMIO_CONFIG + 12, 4),
			 126); /* seg_max */
	assert_int_equal(rig_read(&disk_rig, disk_slot, VIRTIO_MMIO_CONFIG + 20, 4), 512);
	assert_int_equal(rig_read(&disk_rig, disk_slot, VIRTIO_MMIO_CONFIG + 60, 8),
			 0); /* its end */
	assert_int_equal(disk_request(VIRTIO_BLK_T_GET_ID, 0, DATA, 20), VIRTIO_BLK_S_OK);
	assert_memory_equal(rig_at(&disk_rig, DATA, 20), "disk-1\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
}

static void reads_and_writes(void **state)
{
	(void)state;
	assert_int_equal(disk_request(VIRTIO_BLK_T_IN, 0, DATA, 4096), VIRTIO_BLK_S_OK);
	disk_assert_pattern(DATA, 0, 4096);
	assert_int_equal(disk_q.used->ring[0].len, 4097);
	assert_int_equal(disk_request(VIRTIO_BLK_T_IN, DISK / 512 - 1, DATA, 512), VIRTIO_BLK_S_OK);
	disk_assert_pattern(DATA, DISK - 512, 512);
	memset(rig_at(&disk_rig, DATA, 8192), 0x5a, 8192);
	assert_int_equal(disk_request(VIRTIO_BLK_T_OUT, 8, DATA, 8192), VIRTIO_BLK_S_OK);
	assert_int_equal(disk_q.used->ring[2].len, 1);
	disk_assert_file(4096, 0x5a, 8192);
	disk_assert_file(4095, disk_pattern(4095), 1);
	disk_assert_file(12288, disk_pattern(12288), 1);
	assert_int_equal(disk_request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(disk_stats().reads, 2);
	assert_int_equal(disk_stats().writes, 1);
	assert_int_equal(disk_stats().flushes, 1);
	assert_int_equal(disk_stats().read_bytes, 4608);
	assert_int_equal(disk_stats().written_bytes, 8192);
	assert_int_equal(disk_stats().errors, 0);
}

/* Any layout of the buffers is fine (2.7.4): also a status behind the data in one descriptor. */
static void buffers_of_any_shape(void **state)
{
	struct virtio_blk_outhdr h = { .type = VIRTIO_BLK_T_IN, .sector = 2 };
	unsigned i;

	(void)state;
	memcpy(rig_at(&disk_rig, HDR, 16), &h, 16);
	for (i = 0; i < 16; i++) /* the header, byte for byte */
		drv_desc(&disk_q, i, HDR + i, 1, NEXT, i + 1);
	drv_desc(&disk_q, 16, DATA, 1, NEXT | WRITE, 17);
	drv_desc(&disk_q, 17, DATA + 1, 700, NEXT | WRITE, 18);
	drv_desc(&disk_q, 18, DATA + 701, 1024 - 701 + 1, WRITE, 0);
	drv_offer(&disk_q, 0);
	*(uint8_t *)rig_at(&disk_rig, DATA + 1024, 1) = NO_STATUS;
	(void)disk_answer();
	assert_int_equal(*(uint8_t *)rig_at(&disk_rig, DATA + 1024, 1), VIRTIO_BLK_S_OK);
	disk_assert_pattern(DATA, 1024, 1024);

	h.type = VIRTIO_BLK_T_OUT; /* header and data in one */
	memset(rig_at(&disk_rig, HDR, 1024), 0x77, 1024);
	memcpy(rig_at(&disk_rig, HDR, 16), &h, 16);
	drv_desc(&disk_q, 0, HDR, 300, NEXT, 1);
	drv_desc(&disk_q, 1, HDR + 300, 528 - 300, NEXT, 2);
	drv_desc(&disk_q, 2, STATUS, 1, WRITE, 0);
	drv_offer(&disk_q, 0);
	assert_int_equal(disk_answer(), VIRTIO_BLK_S_OK);
	disk_assert_file(1024, 0x77, 512);
	disk_assert_file(1536, disk_pattern(1536), 1);
}

/* One request of all descriptors but two, and many in flight. */
static void long_chains_and_deep_queues(void **state)
{
	unsigned i, n = 0;

	(void)state;
	disk_prepare(0, VIRTIO_BLK_T_IN, 0, DATA, 512);
	for (i = 1; i < SIZE - 1; i++)
		drv_desc(&disk_q, i, DATA + (i - 1) * 512, 512, NEXT | WRITE, i + 1);
	drv_desc(&disk_q, SIZE - 1, STATUS, 1, WRITE, 0);
	disk_offer(0);
	assert_int_equal(disk_answer(), VIRTIO_BLK_S_OK);
	disk_assert_pattern(DATA, 0, (SIZE - 2) * 512);
	for (i = 0; i < SIZE / 4; i++) {
		disk_prepare(i, VIRTIO_BLK_T_IN, i * 8, DATA + i * 4096, 4096);
		disk_offer(i);
	}
	drv_kick(&disk_q);
	rig_until(&disk_rig, drv_waiting(&disk_q) == SIZE / 4);
	for (; drv_waiting(&disk_q); n++)
		assert_int_equal(disk_status(drv_take(&disk_q).id / 4), VIRTIO_BLK_S_OK);
	assert_int_equal(n, SIZE / 4);
	disk_assert_pattern(DATA, 0, SIZE / 4 * 4096);
}

static void parts_are_padded_with_zeros(void **state)
{
	static const uint64_t sizes[] = { 4096, 5000, 1, 8191 }; /* at 0, 4096, 12288, 16384 */

	(void)state;
	disk_stop();
	disk_start_parts(sizes, 4, true, ALL);
	assert_int_equal(rig_read(&disk_rig, disk_slot, VIRTIO_MMIO_CONFIG, 8), 24576 / 512);
	memset(rig_at(&disk_rig, DATA, 24576), 0xee, 24576);
	assert_int_equal(disk_request(VIRTIO_BLK_T_IN, 0, DATA, 24576), VIRTIO_BLK_S_OK);
	disk_assert_pattern(DATA, 0, 9096);
	disk_assert_bytes(DATA + 9096, 0, 12288 - 9096);
	disk_assert_pattern(DATA + 12288, 12288, 1);
	disk_assert_bytes(DATA + 12289, 0, 4095);
	disk_assert_pattern(DATA + 16384, 16384, 8191);
	disk_assert_bytes(DATA + 24575, 0, 1);
	memset(rig_at(&disk_rig, DATA, 24576), 0xee, 24576);
	assert_int_equal(disk_request(VIRTIO_BLK_T_IN, 23, DATA, 1024),
			 VIRTIO_BLK_S_OK); /* all padding, and not */
	disk_assert_bytes(DATA, 0, 512);
	disk_assert_pattern(DATA + 512, 12288, 1);
	assert_int_equal(disk_request(VIRTIO_BLK_T_IN, 47, DATA, 1024), VIRTIO_BLK_S_IOERR);
	/* buffers that end elsewhere than the parts */
	disk_prepare(0, VIRTIO_BLK_T_IN, 8, DATA, 3);
	drv_desc(&disk_q, 1, DATA, 3, NEXT | WRITE, 100);
	drv_desc(&disk_q, 100, DATA + 3, 5000, NEXT | WRITE, 101);
	drv_desc(&disk_q, 101, DATA + 5003, 12288 - 5003, NEXT | WRITE, 2);
	disk_offer(0);
	assert_int_equal(disk_answer(), VIRTIO_BLK_S_OK);
	disk_assert_pattern(DATA, 4096, 5000);
	disk_assert_bytes(DATA + 5000, 0, 3192);
	disk_assert_pattern(DATA + 8192, 12288, 1);
}

static void discards_and_zeroes(void **state)
{
	struct virtio_blk_discard_write_zeroes *r = rig_at(&disk_rig, DATA, sizeof(*r));
	struct stat st;

	(void)state;
	assert_true(disk_rig.m.devs[disk_slot]->features & BIT(VIRTIO_BLK_F_DISCARD));
	*r = (struct virtio_blk_discard_write_zeroes){ .sector = 8, .num_sectors = 16 };
	assert_int_equal(disk_request(VIRTIO_BLK_T_DISCARD, 0, DATA, sizeof(*r)), VIRTIO_BLK_S_OK);
	disk_assert_file(4096, 0, 8192);
	disk_assert_file(4095, disk_pattern(4095), 1);
	disk_assert_file(12288, disk_pattern(12288), 1);
	assert_int_equal(fstat(disk_file, &st), 0);
	assert_int_equal(st.st_blocks, DISK / 512 - 16);
	*r = (struct virtio_blk_discard_write_zeroes){ .sector = 100, .num_sectors = 3 };
	assert_int_equal(disk_request(VIRTIO_BLK_T_WRITE_ZEROES, 0, DATA, sizeof(*r)),
			 VIRTIO_BLK_S_OK);
	disk_assert_file(51200, 0, 1536);
	disk_assert_file(51199, disk_pattern(51199), 1);
	disk_assert_file(52736, disk_pattern(52736), 1);
	*r = (struct virtio_blk_discard_write_zeroes){
		.sector = 200, .num_sectors = 8, .flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP
	};
	assert_int_equal(disk_request(VIRTIO_BLK_T_WRITE_ZEROES, 0, DATA, sizeof(*r)),
			 VIRTIO_BLK_S_OK);
	disk_assert_file(102400, 0, 4096);
	assert_int_equal(disk_stats().others, 3);
}

/* Without VIRTIO_BLK_F_FLUSH a write is on stable storage when it is done. */
static void write_through_without_flush(void **state)
{
	(void)state;
	drv_start(&disk_q, &disk_rig, disk_slot, ALL & ~FLUSH, SIZE);
	assert_int_equal(disk_request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_UNSUPP);
	memset(rig_at(&disk_rig, DATA, 512), 1, 512);
	assert_int_equal(disk_request(VIRTIO_BLK_T_OUT, 0, DATA, 512), VIRTIO_BLK_S_OK);
	disk_assert_file(0, 1, 512);
	drv_start(&disk_q, &disk_rig, disk_slot, 0, SIZE); /* nor what was not taken */
	assert_int_equal(disk_request(VIRTIO_BLK_T_DISCARD, 0, DATA, 16), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(disk_request(VIRTIO_BLK_T_WRITE_ZEROES, 0, DATA, 16), VIRTIO_BLK_S_UNSUPP);
}

static void limits_hold_the_queue_back(void **state)
{
	unsigned i;

	(void)state;
	disk_stop();
	disk_limit = (struct spec_limit){ .ops = 100, .ops_burst = 5 };
	disk_start(false, ALL);
	for (i = 0; i < 8; i++) {
		disk_prepare(i, VIRTIO_BLK_T_IN, 0, DATA, 512);
		disk_offer(i);
	}
	drv_kick(&disk_q);
	rig_until(&disk_rig, drv_waiting(&disk_q) >= 5);
	assert_int_equal(disk_stats().throttled, 1);
	rig_until(&disk_rig, drv_waiting(&disk_q) == 8); /* the timer, 10 ms each */
	blk_set_limit(disk_rig.m.devs[disk_slot], &(struct spec_limit){ 0 });
	disk_q.seen = disk_q.used->idx;
	for (i = 0; i < SIZE / 4; i++)
		disk_offer(0);
	drv_kick(&disk_q);
	rig_until(&disk_rig, drv_waiting(&disk_q) == SIZE / 4);
	assert_int_equal(rig_violation(&disk_rig)[0], 0);
}

int main(void)
{
#define T(f)                                                              \
	{ "uring_" #f, f, disk_setup_uring, disk_teardown, NULL },        \
	{                                                                 \
		"threads_" #f, f, disk_setup_threads, disk_teardown, NULL \
	}
	const struct CMUnitTest tests[] = {
		T(tells_what_it_is),
		T(reads_and_writes),
		T(buffers_of_any_shape),
		T(long_chains_and_deep_queues),
		T(parts_are_padded_with_zeros),
		T(discards_and_zeroes),
		T(write_through_without_flush),
		T(limits_hold_the_queue_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
