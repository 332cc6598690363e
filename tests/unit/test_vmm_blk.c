/* SPDX-License-Identifier: Apache-2.0 */
/* Disks over both backends of the engine, with drivers that keep the rules and drivers that do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/virtio_blk.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm_fixture.h"

#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define SIZE 256
#define DISK (1u << 20)

#define HDR RIG_DATA		   /* of request i: at i * 16 */
#define STATUS (RIG_DATA + 0x2000) /* of request i: at i */
#define DATA (RIG_DATA + 0x10000)
#define NO_STATUS 0xaa

#define BIT(n) (1ull << (n))
#define FLUSH BIT(VIRTIO_BLK_F_FLUSH)
#define ALL (~0ull & ~BIT(VIRTIO_RING_F_EVENT_IDX))

static enum spec_io backend;
static struct vmm_rig rig;
static struct drvq q;
static unsigned slot;
static int file; /* as the test looks into it */
static struct spec_file parts[4];
static struct spec_limit limit;

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 7 + (at >> 9) + 1);
}

/* A file of pattern bytes, reopened as a disk's is. */
static int make_file(uint64_t size, bool is_readonly, uint64_t start)
{
	char path[64];
	uint8_t buf[512];
	uint64_t i, j;
	int fd = memfd_create("disk", MFD_CLOEXEC), again;

	for (i = 0; i < size; i += j) {
		for (j = 0; j < sizeof(buf) && i + j < size; j++)
			buf[j] = pattern(start + i + j);
		assert_int_equal(pwrite(fd, buf, j, (off_t)i), (ssize_t)j);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, (is_readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	assert_true(again >= 0);
	if (file >= 0)
		close(file);
	file = fd;
	return again;
}

static void start_parts(const uint64_t *sizes, unsigned nr, bool is_readonly, uint64_t features)
{
	struct spec_disk d = { .serial = "disk-1",
			       .is_readonly = is_readonly,
			       .limit = limit,
			       .parts = parts,
			       .nr_parts = nr };
	uint64_t start = 0;
	unsigned i;

	rig_init(&rig, RIG_MEMORY);
	for (i = 0; i < nr; i++) {
		parts[i].fd = make_file(sizes[i], is_readonly, start);
		start += (sizes[i] + 4095) & ~4095ull;
	}
	slot = rig_add_disk(&rig, &d, backend);
	drv_start(&q, &rig, slot, features, SIZE);
}

static void start(bool is_readonly, uint64_t features)
{
	uint64_t size = DISK;

	start_parts(&size, 1, is_readonly, features);
}

static void stop(void)
{
	unsigned i;

	rig_free(&rig);
	for (i = 0; i < nitems(parts); i++)
		close_p(&parts[i].fd);
}

static int setup(enum spec_io which)
{
	unsigned i;

	backend = which;
	for (i = 0; i < nitems(parts); i++)
		parts[i].fd = -1;
	file = -1;
	limit = (struct spec_limit){ 0 };
	start(false, ALL);
	return 0;
}

/* Where io_uring is not allowed, both are the same. */
static int setup_uring(void **state)
{
	struct io_uring_params p;
	int fd;

	(void)state;
	memset(&p, 0, sizeof(p));
	fd = (int)syscall(SYS_io_uring_setup, 1, &p);
	if (fd >= 0)
		close(fd);
	return setup(fd < 0 ? SPEC_IO_AUTO : SPEC_IO_URING);
}

static int setup_threads(void **state)
{
	(void)state;
	return setup(SPEC_IO_THREADS);
}

static int teardown(void **state)
{
	(void)state;
	stop();
	close_p(&file);
	return 0;
}

static struct blk_stats stats(void)
{
	struct blk_stats s;

	blk_stats(rig.m.devs[slot], &s);
	return s;
}

/* Request @i, descriptors from 4 * i on: header, data of @len in one buffer if any, status. */
static void prepare(unsigned i, uint32_t type, uint64_t sector, uint64_t data, uint32_t len)
{
	struct virtio_blk_outhdr *h = rig_at(&rig, HDR + i * 16, 16);
	bool is_in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;

	*h = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*(uint8_t *)rig_at(&rig, STATUS + i, 1) = NO_STATUS;
	drv_desc(&q, 4 * i, HDR + i * 16, 16, NEXT, len ? 4 * i + 1 : 4 * i + 2);
	drv_desc(&q, 4 * i + 1, data, len, NEXT | (is_in ? WRITE : 0), 4 * i + 2);
	drv_desc(&q, 4 * i + 2, STATUS + i, 1, WRITE, 0);
}

static void offer(unsigned i)
{
	drv_offer(&q, (uint16_t)(4 * i));
}

static uint8_t status_of(unsigned i)
{
	return *(uint8_t *)rig_at(&rig, STATUS + i, 1);
}

/* The status of request 0, which is offered. */
static uint8_t answer(void)
{
	drv_kick(&q);
	rig_until(&rig, drv_waiting(&q) || rig.m.end);
	assert_string_equal(rig_violation(&rig), "");
	assert_int_equal(drv_take(&q).id, 0);
	return status_of(0);
}

static uint8_t request(uint32_t type, uint64_t sector, uint64_t data, uint32_t len)
{
	prepare(0, type, sector, data, len);
	offer(0);
	return answer();
}

static void assert_pattern(uint64_t gpa, uint64_t at, uint32_t len)
{
	const uint8_t *p = rig_at(&rig, gpa, len);
	uint32_t i;

	for (i = 0; i < len; i++) {
		if (p[i] != pattern(at + i))
			fail_msg("byte %u is %u, wanted %u", i, p[i], pattern(at + i));
	}
}

static void assert_bytes(uint64_t gpa, uint8_t v, uint32_t len)
{
	const uint8_t *p = rig_at(&rig, gpa, len);

	while (len--)
		assert_int_equal(p[len], v);
}

static void assert_file(uint64_t at, uint8_t v, uint32_t len)
{
	uint8_t b;

	for (; len; len--, at++) {
		assert_int_equal(pread(file, &b, 1, (off_t)at), 1);
		assert_int_equal(b, v);
	}
}

static void assert_file_untouched(void)
{
	struct stat st;
	uint8_t b;
	uint64_t at;

	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_size, DISK);
	for (at = 0; at < DISK; at += 509) {
		assert_int_equal(pread(file, &b, 1, (off_t)at), 1);
		assert_int_equal(b, pattern(at));
	}
}

static void tells_what_it_is(void **state)
{
	(void)state;
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_DEVICE_ID, 4), 2);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG, 8), DISK / 512);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG + 12, 4), 126); /* seg_max */
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG + 20, 4), 512);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG + 60, 8), 0); /* its end */
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, DATA, 20), VIRTIO_BLK_S_OK);
	assert_memory_equal(rig_at(&rig, DATA, 20), "disk-1\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
}

static void reads_and_writes(void **state)
{
	(void)state;
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, DATA, 4096), VIRTIO_BLK_S_OK);
	assert_pattern(DATA, 0, 4096);
	assert_int_equal(q.used->ring[0].len, 4097);
	assert_int_equal(request(VIRTIO_BLK_T_IN, DISK / 512 - 1, DATA, 512), VIRTIO_BLK_S_OK);
	assert_pattern(DATA, DISK - 512, 512);
	memset(rig_at(&rig, DATA, 8192), 0x5a, 8192);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 8, DATA, 8192), VIRTIO_BLK_S_OK);
	assert_int_equal(q.used->ring[2].len, 1);
	assert_file(4096, 0x5a, 8192);
	assert_file(4095, pattern(4095), 1);
	assert_file(12288, pattern(12288), 1);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(stats().reads, 2);
	assert_int_equal(stats().writes, 1);
	assert_int_equal(stats().flushes, 1);
	assert_int_equal(stats().read_bytes, 4608);
	assert_int_equal(stats().written_bytes, 8192);
	assert_int_equal(stats().errors, 0);
}

/* Any layout of the buffers is fine (2.7.4): also a status behind the data in one descriptor. */
static void buffers_of_any_shape(void **state)
{
	struct virtio_blk_outhdr h = { .type = VIRTIO_BLK_T_IN, .sector = 2 };
	unsigned i;

	(void)state;
	memcpy(rig_at(&rig, HDR, 16), &h, 16);
	for (i = 0; i < 16; i++) /* the header, byte for byte */
		drv_desc(&q, i, HDR + i, 1, NEXT, i + 1);
	drv_desc(&q, 16, DATA, 1, NEXT | WRITE, 17);
	drv_desc(&q, 17, DATA + 1, 700, NEXT | WRITE, 18);
	drv_desc(&q, 18, DATA + 701, 1024 - 701 + 1, WRITE, 0);
	drv_offer(&q, 0);
	*(uint8_t *)rig_at(&rig, DATA + 1024, 1) = NO_STATUS;
	(void)answer();
	assert_int_equal(*(uint8_t *)rig_at(&rig, DATA + 1024, 1), VIRTIO_BLK_S_OK);
	assert_pattern(DATA, 1024, 1024);

	h.type = VIRTIO_BLK_T_OUT; /* header and data in one */
	memset(rig_at(&rig, HDR, 1024), 0x77, 1024);
	memcpy(rig_at(&rig, HDR, 16), &h, 16);
	drv_desc(&q, 0, HDR, 300, NEXT, 1);
	drv_desc(&q, 1, HDR + 300, 528 - 300, NEXT, 2);
	drv_desc(&q, 2, STATUS, 1, WRITE, 0);
	drv_offer(&q, 0);
	assert_int_equal(answer(), VIRTIO_BLK_S_OK);
	assert_file(1024, 0x77, 512);
	assert_file(1536, pattern(1536), 1);
}

/* One request of all descriptors but two, and many in flight. */
static void long_chains_and_deep_queues(void **state)
{
	unsigned i, n = 0;

	(void)state;
	prepare(0, VIRTIO_BLK_T_IN, 0, DATA, 512);
	for (i = 1; i < SIZE - 1; i++)
		drv_desc(&q, i, DATA + (i - 1) * 512, 512, NEXT | WRITE, i + 1);
	drv_desc(&q, SIZE - 1, STATUS, 1, WRITE, 0);
	offer(0);
	assert_int_equal(answer(), VIRTIO_BLK_S_OK);
	assert_pattern(DATA, 0, (SIZE - 2) * 512);
	for (i = 0; i < SIZE / 4; i++) {
		prepare(i, VIRTIO_BLK_T_IN, i * 8, DATA + i * 4096, 4096);
		offer(i);
	}
	drv_kick(&q);
	rig_until(&rig, drv_waiting(&q) == SIZE / 4);
	for (; drv_waiting(&q); n++)
		assert_int_equal(status_of(drv_take(&q).id / 4), VIRTIO_BLK_S_OK);
	assert_int_equal(n, SIZE / 4);
	assert_pattern(DATA, 0, SIZE / 4 * 4096);
}

/* 256 heads share one chain of 126 buffers: more than the pool of iovecs holds. */
static void chains_that_share_descriptors_wait_for_room(void **state)
{
	unsigned i;

	(void)state;
	prepare(0, VIRTIO_BLK_T_IN, 0, DATA, 512);
	for (i = 1; i < 127; i++)
		drv_desc(&q, i, DATA + (i - 1) * 512, 512, NEXT | WRITE, i + 1);
	drv_desc(&q, 127, STATUS, 1, WRITE, 0);
	for (i = 0; i < SIZE; i++)
		offer(0);
	drv_kick(&q);
	rig_until(&rig, drv_waiting(&q) == SIZE);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_OK);
	assert_int_equal(stats().reads, SIZE);
	assert_pattern(DATA, 0, 126 * 512);
}

static void parts_are_padded_with_zeros(void **state)
{
	static const uint64_t sizes[] = { 4096, 5000, 1, 8191 }; /* at 0, 4096, 12288, 16384 */

	(void)state;
	stop();
	start_parts(sizes, 4, true, ALL);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG, 8), 24576 / 512);
	memset(rig_at(&rig, DATA, 24576), 0xee, 24576);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, DATA, 24576), VIRTIO_BLK_S_OK);
	assert_pattern(DATA, 0, 9096);
	assert_bytes(DATA + 9096, 0, 12288 - 9096);
	assert_pattern(DATA + 12288, 12288, 1);
	assert_bytes(DATA + 12289, 0, 4095);
	assert_pattern(DATA + 16384, 16384, 8191);
	assert_bytes(DATA + 24575, 0, 1);
	memset(rig_at(&rig, DATA, 24576), 0xee, 24576);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 23, DATA, 1024),
			 VIRTIO_BLK_S_OK); /* all padding, and not */
	assert_bytes(DATA, 0, 512);
	assert_pattern(DATA + 512, 12288, 1);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 47, DATA, 1024), VIRTIO_BLK_S_IOERR);
	/* buffers that end elsewhere than the parts */
	prepare(0, VIRTIO_BLK_T_IN, 8, DATA, 3);
	drv_desc(&q, 1, DATA, 3, NEXT | WRITE, 100);
	drv_desc(&q, 100, DATA + 3, 5000, NEXT | WRITE, 101);
	drv_desc(&q, 101, DATA + 5003, 12288 - 5003, NEXT | WRITE, 2);
	offer(0);
	assert_int_equal(answer(), VIRTIO_BLK_S_OK);
	assert_pattern(DATA, 4096, 5000);
	assert_bytes(DATA + 5000, 0, 3192);
	assert_pattern(DATA + 8192, 12288, 1);
}

static void discards_and_zeroes(void **state)
{
	struct virtio_blk_discard_write_zeroes *r = rig_at(&rig, DATA, sizeof(*r));
	struct stat st;

	(void)state;
	assert_true(rig.m.devs[slot]->features & BIT(VIRTIO_BLK_F_DISCARD));
	*r = (struct virtio_blk_discard_write_zeroes){ .sector = 8, .num_sectors = 16 };
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, DATA, sizeof(*r)), VIRTIO_BLK_S_OK);
	assert_file(4096, 0, 8192);
	assert_file(4095, pattern(4095), 1);
	assert_file(12288, pattern(12288), 1);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_blocks, DISK / 512 - 16);
	*r = (struct virtio_blk_discard_write_zeroes){ .sector = 100, .num_sectors = 3 };
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, DATA, sizeof(*r)), VIRTIO_BLK_S_OK);
	assert_file(51200, 0, 1536);
	assert_file(51199, pattern(51199), 1);
	assert_file(52736, pattern(52736), 1);
	*r = (struct virtio_blk_discard_write_zeroes){
		.sector = 200, .num_sectors = 8, .flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP
	};
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, DATA, sizeof(*r)), VIRTIO_BLK_S_OK);
	assert_file(102400, 0, 4096);
	assert_int_equal(stats().others, 3);
}

static void bad_ranges_are_refused(void **state)
{
	static const struct {
		uint32_t type;
		struct virtio_blk_discard_write_zeroes r;
		uint32_t len;
		uint8_t status;
	} cases[] = {
		{ VIRTIO_BLK_T_DISCARD, { DISK / 512, 1, 0 }, 16, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_DISCARD, { DISK / 512 - 1, 2, 0 }, 16, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_DISCARD, { ~0ull, 2, 0 }, 16, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_DISCARD, { 1ull << 55, 1, 0 }, 16, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_DISCARD, { 0, ~0u, 0 }, 16, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_DISCARD, { 0, 1, 1 }, 16, VIRTIO_BLK_S_UNSUPP },
		{ VIRTIO_BLK_T_WRITE_ZEROES, { 0, 1, 2 }, 16, VIRTIO_BLK_S_UNSUPP },
		{ VIRTIO_BLK_T_WRITE_ZEROES, { 0, 0x80000000, 0 }, 16, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_WRITE_ZEROES, { 0, 1, 0 }, 15, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_WRITE_ZEROES, { 0, 1, 0 }, 32, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_WRITE_ZEROES, { 0, 1, 0 }, 0, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_WRITE_ZEROES, { 0, 0, 0 }, 16, VIRTIO_BLK_S_OK },
	};
	size_t k;

	(void)state;
	for (k = 0; k < nitems(cases); k++) {
		memcpy(rig_at(&rig, DATA, 16), &cases[k].r, 16);
		assert_int_equal(request(cases[k].type, 0, DATA, cases[k].len), cases[k].status);
	}
	assert_file_untouched();
}

static void v18_requests_beyond_the_end_are_errors(void **state)
{
	static const struct {
		uint64_t sector;
		uint32_t len;
	} cases[] = {
		{ DISK / 512, 512 }, { DISK / 512 - 1, 1024 },
		{ ~0ull, 512 },	     { (1ull << 55) - 1, 1024 },
		{ 1ull << 55, 512 }, { 1ull << 63, 4096 },
		{ ~0ull - 1, 2048 }, { 0, 1 },
		{ 0, 511 },	     { 0, 513 },
		{ 0, DISK + 512 },
	};
	size_t k;

	(void)state;
	for (k = 0; k < nitems(cases); k++) {
		assert_int_equal(request(VIRTIO_BLK_T_IN, cases[k].sector, DATA, cases[k].len),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(request(VIRTIO_BLK_T_OUT, cases[k].sector, DATA, cases[k].len),
				 VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(stats().errors, 2 * nitems(cases));
	assert_file_untouched();
}

static void v18_unknown_types_are_unsupported(void **state)
{
	static const uint32_t types[] = { 2, 3, 5, 7, 9, 10, 12, 14, 15, 255, 0x80000000, ~0u };
	size_t k;

	(void)state;
	for (k = 0; k < nitems(types); k++)
		assert_int_equal(request(types[k], 0, 0, 0), VIRTIO_BLK_S_UNSUPP);
	assert_file_untouched();
}

static void v18_malformed_requests_get_an_error(void **state)
{
	struct vring_used_elem u;

	(void)state;
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, DATA, 19), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 0, 0), VIRTIO_BLK_S_IOERR);
	prepare(0, VIRTIO_BLK_T_IN, 0, DATA, 512); /* a short header */
	q.desc[0].len = 15;
	offer(0);
	assert_int_equal(answer(), VIRTIO_BLK_S_IOERR);
	prepare(0, VIRTIO_BLK_T_IN, 0, DATA, 512); /* one that is too long */
	q.desc[0].len = 17;
	offer(0);
	assert_int_equal(answer(), VIRTIO_BLK_S_IOERR);
	drv_desc(&q, 0, STATUS, 1, WRITE, 0); /* no header */
	offer(0);
	assert_int_equal(answer(), VIRTIO_BLK_S_IOERR);
	prepare(0, VIRTIO_BLK_T_OUT, 0, DATA, 512); /* data to be read, and room to write */
	q.desc[1].flags |= WRITE;
	offer(0);
	assert_int_equal(answer(), VIRTIO_BLK_S_IOERR);
	prepare(0, VIRTIO_BLK_T_OUT, 0, DATA, 512); /* V10: status before data */
	drv_desc(&q, 0, HDR, 16, NEXT, 2);
	drv_desc(&q, 2, STATUS, 1, WRITE | NEXT, 1);
	q.desc[1].flags = 0;
	offer(0);
	assert_int_equal(answer(), VIRTIO_BLK_S_IOERR);
	prepare(0, VIRTIO_BLK_T_OUT, 0, DATA, 512); /* no status */
	q.desc[1].flags = 0;
	offer(0);
	drv_kick(&q);
	u = drv_take(&q);
	assert_int_equal(u.id + u.len, 0);
	drv_desc(&q, 0, 0, 0, 0, 0); /* nothing at all */
	offer(0);
	drv_kick(&q);
	assert_int_equal(drv_take(&q).len, 0);
	assert_string_equal(rig_violation(&rig), "");
	assert_file_untouched();
}

static void v18_flush_flood_is_served(void **state)
{
	unsigned i, k;

	(void)state;
	for (k = 0; k < 20; k++) {
		for (i = 0; i < SIZE / 4; i++) {
			prepare(i, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
			offer(i);
		}
		drv_kick(&q);
		rig_until(&rig, drv_waiting(&q) == SIZE / 4);
		q.seen = q.used->idx;
	}
	assert_int_equal(stats().flushes, 20 * SIZE / 4);
}

static void v19_a_read_only_disk_is_not_written(void **state)
{
	(void)state;
	stop();
	start(true, ALL);
	assert_true(rig.m.devs[slot]->features & BIT(VIRTIO_BLK_F_RO));
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, DATA, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, DATA, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, DATA, 16), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, DATA, 16), VIRTIO_BLK_S_IOERR);
	assert_file_untouched();
}

static void v19_a_file_open_otherwise_is_refused(void **state)
{
	struct spec_disk d = { .serial = "x", .is_readonly = true, .parts = parts, .nr_parts = 1 };
	struct io_engine *g = io_engine_new(&rig.m.loop, BLK_MAX_IN_FLIGHT);
	int pipes[2];
	struct err e;

	(void)state;
	assert_null(blk_new(g, &rig.m.loop, &d, &e));
	assert_string_equal(e.msg, "cannot use disk 'x': cannot use its file: not open for "
				   "reading only");
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	d.parts = &(struct spec_file){ .fd = pipes[0] };
	assert_null(blk_new(g, &rig.m.loop, &d, &e));
	assert_non_null(strstr(e.msg, "not a regular one or a block device"));
	close(pipes[0]);
	close(pipes[1]);
	io_engine_free(g);
}

/* Without VIRTIO_BLK_F_FLUSH a write is on stable storage when it is done. */
static void write_through_without_flush(void **state)
{
	(void)state;
	drv_start(&q, &rig, slot, ALL & ~FLUSH, SIZE);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_UNSUPP);
	memset(rig_at(&rig, DATA, 512), 1, 512);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, DATA, 512), VIRTIO_BLK_S_OK);
	assert_file(0, 1, 512);
	drv_start(&q, &rig, slot, 0, SIZE); /* nor what was not taken */
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, DATA, 16), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, DATA, 16), VIRTIO_BLK_S_UNSUPP);
}

/* The host cuts the file: errors, and the size stays what it is. */
static void a_file_that_shrank_gives_errors(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(ftruncate(file, 1024), 0);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, DATA, 4096), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 100, DATA, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, DATA, 1024), VIRTIO_BLK_S_OK);
	assert_pattern(DATA, 0, 1024);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_size, 1024);
}

/* V16: nothing is in flight after a reset, whenever it comes, and the ring is left alone. */
static void reset_waits_for_what_is_in_flight(void **state)
{
	unsigned i, k;

	(void)state;
	for (k = 0; k < 200; k++) {
		uint64_t one = 1;
		uint16_t used;

		for (i = 0; i < SIZE / 4; i++) {
			prepare(i, k & 1 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, i * 8,
				DATA + i * 4096, 4096);
			offer(i);
		}
		/* taken and started, with no turn of the loop in which it may end */
		assert_int_equal(write(rig.m.devs[slot]->vq[0].kick.fd, &one, 8), 8);
		rig.m.devs[slot]->ops->notify(rig.m.devs[slot], 0);
		rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
		assert_int_equal(rig.m.engine->nr_in_flight, 0);
		used = q.used->idx;
		rig_turn(&rig);
		assert_int_equal(q.used->idx, used);
		drv_start(&q, &rig, slot, ALL, SIZE);
	}
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, DATA, 512), VIRTIO_BLK_S_OK);
}

static void freed_with_requests_in_flight(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < SIZE / 4; i++) {
		prepare(i, i & 1 ? VIRTIO_BLK_T_FLUSH : VIRTIO_BLK_T_IN, 0, DATA + i * 4096,
			i & 1 ? 0 : 4096);
		offer(i);
	}
	rig.m.devs[slot]->ops->notify(rig.m.devs[slot], 0);
}

static void broken_rings_end_the_machine(void **state)
{
	(void)state;
	prepare(0, VIRTIO_BLK_T_IN, 0, DATA, 512);
	q.desc[1].next = 1;
	offer(0);
	drv_kick(&q);
	assert_string_equal(rig_violation(&rig),
			    "V01 blk: a descriptor chain longer than its queue, or a loop");
	assert_int_equal(status_of(0), NO_STATUS);
}

/* V11: what the driver changes while a request is on its way changes nothing. */
static void v11_the_request_is_copied_once(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < SIZE / 4; i++) {
		prepare(i, VIRTIO_BLK_T_IN, i * 8, DATA + i * 4096, 4096);
		offer(i);
	}
	rig.m.devs[slot]->ops->notify(rig.m.devs[slot], 0);
	for (i = 0; i < SIZE / 4; i++) {
		struct virtio_blk_outhdr *h = rig_at(&rig, HDR + i * 16, 16);

		h->type = ~0u;
		h->sector = ~0ull;
		drv_desc(&q, 4 * i, ~0ull, ~0u, 0xffff, 0xffff);
		drv_desc(&q, 4 * i + 1, ~0ull, ~0u, 0xffff, 0xffff);
	}
	rig_until(&rig, drv_waiting(&q) == SIZE / 4);
	assert_string_equal(rig_violation(&rig), "");
	assert_pattern(DATA, 0, SIZE / 4 * 4096);
}

static void limits_hold_the_queue_back(void **state)
{
	unsigned i;

	(void)state;
	stop();
	limit = (struct spec_limit){ .ops = 100, .ops_burst = 5 };
	start(false, ALL);
	for (i = 0; i < 8; i++) {
		prepare(i, VIRTIO_BLK_T_IN, 0, DATA, 512);
		offer(i);
	}
	drv_kick(&q);
	rig_until(&rig, drv_waiting(&q) >= 5);
	assert_int_equal(stats().throttled, 1);
	rig_until(&rig, drv_waiting(&q) == 8); /* the timer, 10 ms each */
	blk_set_limit(rig.m.devs[slot], &(struct spec_limit){ 0 });
	q.seen = q.used->idx;
	for (i = 0; i < SIZE / 4; i++)
		offer(0);
	drv_kick(&q);
	rig_until(&rig, drv_waiting(&q) == SIZE / 4);
	assert_int_equal(rig_violation(&rig)[0], 0);
}

/* The engine's ring, as a thread of the monitor that was taken over would see it. */
struct stolen {
	int fd;
	struct io_uring_params p; /* of a ring of the same size: the same offsets */
	uint8_t *ring;
	struct io_uring_sqe *sqes;
};

static bool steal(struct stolen *s)
{
	char path[64], name[64];
	int own;

	memset(s, 0, sizeof(*s));
	for (s->fd = 3; s->fd < 100; s->fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
		n = readlink(path, name, sizeof(name) - 1);
		name[n > 0 ? n : 0] = '\0';
		if (strstr(name, "[io_uring]"))
			break;
	}
	if (s->fd == 100)
		return false;
	own = (int)syscall(SYS_io_uring_setup, BLK_MAX_IN_FLIGHT, &s->p);
	assert_true(own >= 0);
	close(own);
	s->ring = mmap(NULL, s->p.cq_off.cqes + s->p.cq_entries * sizeof(struct io_uring_cqe),
		       PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, IORING_OFF_SQ_RING);
	s->sqes = mmap(NULL, s->p.sq_entries * sizeof(*s->sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
		       s->fd, IORING_OFF_SQES);
	assert_true(s->ring != MAP_FAILED && s->sqes != MAP_FAILED);
	return true;
}

static uint32_t *word(const struct stolen *s, uint32_t offset)
{
	return (uint32_t *)(void *)(s->ring + offset);
}

static int raw_operation(struct stolen *s, const struct io_uring_sqe *sqe)
{
	uint32_t tail = *word(s, s->p.sq_off.tail), head;
	const struct io_uring_cqe *cqes = (const void *)(s->ring + s->p.cq_off.cqes);
	int result;

	s->sqes[tail & (s->p.sq_entries - 1)] = *sqe;
	__atomic_store_n(word(s, s->p.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	assert_int_equal(syscall(SYS_io_uring_enter, s->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0),
			 1);
	head = *word(s, s->p.cq_off.head);
	result = cqes[head & (s->p.cq_entries - 1)].res;
	__atomic_store_n(word(s, s->p.cq_off.head), head + 1, __ATOMIC_RELEASE);
	return result;
}

/* The ring is not a way around seccomp: nothing but four operations, and on the disks' files. */
static void engine_can_do_nothing_else(void **state)
{
	uint8_t buf[4096];
	struct iovec v = { buf, sizeof(buf) };
	struct io_uring_sqe sqe = { .opcode = IORING_OP_READV,
				    .flags = IOSQE_FIXED_FILE,
				    .addr = (uintptr_t)&v,
				    .len = 1 };
	int files[1] = { file }, i;
	struct stolen s;

	(void)state;
	if (!steal(&s))
		skip();
	assert_int_equal(raw_operation(&s, &sqe), sizeof(buf)); /* it is the right ring */
	sqe.fd = 1;
	assert_int_equal(raw_operation(&s, &sqe), -EBADF);
	sqe.flags = 0;
	sqe.fd = file;
	assert_int_equal(raw_operation(&s, &sqe), -EACCES);
	for (i = 0; i < IORING_OP_LAST; i++) {
		if (i == IORING_OP_READV || i == IORING_OP_WRITEV || i == IORING_OP_FSYNC ||
		    i == IORING_OP_FALLOCATE)
			continue;
		sqe = (struct io_uring_sqe){ .opcode = (uint8_t)i, .flags = IOSQE_FIXED_FILE };
		assert_int_equal(raw_operation(&s, &sqe), -EACCES);
	}
	assert_int_equal(syscall(SYS_io_uring_register, s.fd, IORING_REGISTER_PROBE, buf, 0), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(syscall(SYS_io_uring_register, s.fd, IORING_REGISTER_FILES, files, 1), -1);
	assert_int_equal(errno, EACCES);
	munmap(s.sqes, s.p.sq_entries * sizeof(*s.sqes));
	munmap(s.ring, s.p.cq_off.cqes);
}

int main(void)
{
#define T(f)                                                    \
	{ "uring_" #f, f, setup_uring, teardown, NULL },        \
	{                                                       \
		"threads_" #f, f, setup_threads, teardown, NULL \
	}
	const struct CMUnitTest tests[] = {
		T(tells_what_it_is),
		T(reads_and_writes),
		T(buffers_of_any_shape),
		T(long_chains_and_deep_queues),
		T(chains_that_share_descriptors_wait_for_room),
		T(parts_are_padded_with_zeros),
		T(discards_and_zeroes),
		T(bad_ranges_are_refused),
		T(v18_requests_beyond_the_end_are_errors),
		T(v18_unknown_types_are_unsupported),
		T(v18_malformed_requests_get_an_error),
		T(v18_flush_flood_is_served),
		T(v19_a_read_only_disk_is_not_written),
		T(v19_a_file_open_otherwise_is_refused),
		T(write_through_without_flush),
		T(a_file_that_shrank_gives_errors),
		T(reset_waits_for_what_is_in_flight),
		T(freed_with_requests_in_flight),
		T(broken_rings_end_the_machine),
		T(v11_the_request_is_copied_once),
		T(limits_hold_the_queue_back),
		cmocka_unit_test_setup_teardown(engine_can_do_nothing_else, setup_uring, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
