/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm_disk_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fcntl.h>
#include <linux/io_uring.h>

#include <cmocka.h>

#include "base/cleanup.h"

static enum spec_io backend;
struct vmm_rig disk_rig;
struct drvq disk_q;
unsigned disk_slot;
int disk_file;
struct spec_file disk_parts[4];
struct spec_limit disk_limit;

uint8_t disk_pattern(uint64_t at)
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
			buf[j] = disk_pattern(start + i + j);
		assert_int_equal(pwrite(fd, buf, j, (off_t)i), (ssize_t)j);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, (is_readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	assert_true(again >= 0);
	if (disk_file >= 0)
		close(disk_file);
	disk_file = fd;
	return again;
}

void disk_start_parts(const uint64_t *sizes, unsigned nr, bool is_readonly, uint64_t features)
{
	struct spec_disk d = { .serial = "disk-1",
			       .is_readonly = is_readonly,
			       .limit = disk_limit,
			       .parts = disk_parts,
			       .nr_parts = nr };
	uint64_t start = 0;
	unsigned i;

	rig_init(&disk_rig, RIG_MEMORY);
	for (i = 0; i < nr; i++) {
		disk_parts[i].fd = make_file(sizes[i], is_readonly, start);
		start += (sizes[i] + 4095) & ~4095ull;
	}
	disk_slot = rig_add_disk(&disk_rig, &d, backend);
	drv_start(&disk_q, &disk_rig, disk_slot, features, SIZE);
}

void disk_start(bool is_readonly, uint64_t features)
{
	uint64_t size = DISK;

	disk_start_parts(&size, 1, is_readonly, features);
}

void disk_stop(void)
{
	unsigned i;

	rig_free(&disk_rig);
	for (i = 0; i < nitems(disk_parts); i++)
		close_p(&disk_parts[i].fd);
}

static int setup(enum spec_io which)
{
	unsigned i;

	backend = which;
	for (i = 0; i < nitems(disk_parts); i++)
		disk_parts[i].fd = -1;
	disk_file = -1;
	disk_limit = (struct spec_limit){ 0 };
	disk_start(false, ALL);
	return 0;
}

/* Where io_uring is not allowed, both are the same. */
int disk_setup_uring(void **state)
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

int disk_setup_threads(void **state)
{
	(void)state;
	return setup(SPEC_IO_THREADS);
}

int disk_teardown(void **state)
{
	(void)state;
	disk_stop();
	close_p(&disk_file);
	return 0;
}

struct blk_stats disk_stats(void)
{
	struct blk_stats s;

	blk_stats(disk_rig.m.devs[disk_slot], &s);
	return s;
}

/* Request @i, descriptors from 4 * i on: header, data of @len in one buffer if any, status. */
void disk_prepare(unsigned i, uint32_t type, uint64_t sector, uint64_t data, uint32_t len)
{
	struct virtio_blk_outhdr *h = rig_at(&disk_rig, HDR + i * 16, 16);
	bool is_in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;

	*h = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*(uint8_t *)rig_at(&disk_rig, STATUS + i, 1) = NO_STATUS;
	drv_desc(&disk_q, 4 * i, HDR + i * 16, 16, NEXT, len ? 4 * i + 1 : 4 * i + 2);
	drv_desc(&disk_q, 4 * i + 1, data, len, NEXT | (is_in ? WRITE : 0), 4 * i + 2);
	drv_desc(&disk_q, 4 * i + 2, STATUS + i, 1, WRITE, 0);
}

void disk_offer(unsigned i)
{
	drv_offer(&disk_q, (uint16_t)(4 * i));
}

uint8_t disk_status(unsigned i)
{
	return *(uint8_t *)rig_at(&disk_rig, STATUS + i, 1);
}

/* The status of request 0, which is offered. */
uint8_t disk_answer(void)
{
	drv_kick(&disk_q);
	rig_until(&disk_rig, drv_waiting(&disk_q) || disk_rig.m.end);
	assert_string_equal(rig_violation(&disk_rig), "");
	assert_int_equal(drv_take(&disk_q).id, 0);
	return disk_status(0);
}

uint8_t disk_request(uint32_t type, uint64_t sector, uint64_t data, uint32_t len)
{
	disk_prepare(0, type, sector, data, len);
	disk_offer(0);
	return disk_answer();
}

void disk_assert_pattern(uint64_t gpa, uint64_t at, uint32_t len)
{
	const uint8_t *p = rig_at(&disk_rig, gpa, len);
	uint32_t i;

	for (i = 0; i < len; i++) {
		if (p[i] != disk_pattern(at + i))
			fail_msg("byte %u is %u, wanted %u", i, p[i], disk_pattern(at + i));
	}
}

void disk_assert_bytes(uint64_t gpa, uint8_t v, uint32_t len)
{
	const uint8_t *p = rig_at(&disk_rig, gpa, len);

	while (len--)
		assert_int_equal(p[len], v);
}

void disk_assert_file(uint64_t at, uint8_t v, uint32_t len)
{
	uint8_t b;

	for (; len; len--, at++) {
		assert_int_equal(pread(disk_file, &b, 1, (off_t)at), 1);
		assert_int_equal(b, v);
	}
}

void disk_assert_untouched(void)
{
	struct stat st;
	uint8_t b;
	uint64_t at;

	assert_int_equal(fstat(disk_file, &st), 0);
	assert_int_equal(st.st_size, DISK);
	for (at = 0; at < DISK; at += 509) {
		assert_int_equal(pread(disk_file, &b, 1, (off_t)at), 1);
		assert_int_equal(b, disk_pattern(at));
	}
}
