/* SPDX-License-Identifier: Apache-2.0 */
/* Disks and drivers that break the rules, or reset in between; and what the engine may do at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fcntl.h>
#include <linux/io_uring.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm_disk_fixture.h"

/* 256 heads share one chain of 126 buffers: more than the pool of iovecs holds. */
static void chains_that_share_descriptors_wait_for_room(void **state)
{
	unsigned i;

	(void)state;
	disk_prepare(0, VIRTIO_BLK_T_IN, 0, DATA, 512);
	for (i = 1; i < 127; i++)
		drv_desc(&disk_q, i, DATA + (i - 1) * 512, 512, NEXT | WRITE, i + 1);
	drv_desc(&disk_q, 127, STATUS, 1, WRITE, 0);
	for (i = 0; i < SIZE; i++)
		disk_offer(0);
	drv_kick(&disk_q);
	rig_until(&disk_rig, drv_waiting(&disk_q) == SIZE);
	assert_int_equal(disk_status(0), VIRTIO_BLK_S_OK);
	assert_int_equal(disk_stats().reads, SIZE);
	disk_assert_pattern(DATA, 0, 126 * 512);
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
		memcpy(rig_at(&disk_rig, DATA, 16), &cases[k].r, 16);
		assert_int_equal(disk_request(cases[k].type, 0, DATA, cases[k].len),
				 cases[k].status);
	}
	disk_assert_untouched();
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
		assert_int_equal(disk_request(VIRTIO_BLK_T_IN, cases[k].sector, DATA, cases[k].len),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(
			disk_request(VIRTIO_BLK_T_OUT, cases[k].sector, DATA, cases[k].len),
			VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(disk_stats().errors, 2 * nitems(cases));
	disk_assert_untouched();
}

static void v18_unknown_types_are_unsupported(void **state)
{
	static const uint32_t types[] = { 2, 3, 5, 7, 9, 10, 12, 14, 15, 255, 0x80000000, ~0u };
	size_t k;

	(void)state;
	for (k = 0; k < nitems(types); k++)
		assert_int_equal(disk_request(types[k], 0, 0, 0), VIRTIO_BLK_S_UNSUPP);
	disk_assert_untouched();
}

static void v18_malformed_requests_get_an_error(void **state)
{
	struct vring_used_elem u;

	(void)state;
	assert_int_equal(disk_request(VIRTIO_BLK_T_GET_ID, 0, DATA, 19), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk_request(VIRTIO_BLK_T_GET_ID, 0, 0, 0), VIRTIO_BLK_S_IOERR);
	disk_prepare(0, VIRTIO_BLK_T_IN, 0, DATA, 512); /* a short header */
	disk_q.desc[0].len = 15;
	disk_offer(0);
	assert_int_equal(disk_answer(), VIRTIO_BLK_S_IOERR);
	disk_prepare(0, VIRTIO_BLK_T_IN, 0, DATA, 512); /* one that is too long */
	disk_q.desc[0].len = 17;
	disk_offer(0);
	assert_int_equal(disk_answer(), VIRTIO_BLK_S_IOERR);
	drv_desc(&disk_q, 0, STATUS, 1, WRITE, 0); /* no header */
	disk_offer(0);
	assert_int_equal(disk_answer(), VIRTIO_BLK_S_IOERR);
	disk_prepare(0, VIRTIO_BLK_T_OUT, 0, DATA, 512); /* data to be read, and room to write */
	disk_q.desc[1].flags |= WRITE;
	disk_offer(0);
	assert_int_equal(disk_answer(), VIRTIO_BLK_S_IOERR);
	disk_prepare(0, VIRTIO_BLK_T_OUT, 0, DATA, 512); /* V10: status before data */
	drv_desc(&disk_q, 0, HDR, 16, NEXT, 2);
	drv_desc(&disk_q, 2, STATUS, 1, WRITE | NEXT, 1);
	disk_q.desc[1].flags = 0;
	disk_offer(0);
	assert_int_equal(disk_answer(), VIRTIO_BLK_S_IOERR);
	disk_prepare(0, VIRTIO_BLK_T_OUT, 0, DATA, 512); /* no status */
	disk_q.desc[1].flags = 0;
	disk_offer(0);
	drv_kick(&disk_q);
	u = drv_take(&disk_q);
	assert_int_equal(u.id + u.len, 0);
	drv_desc(&disk_q, 0, 0, 0, 0, 0); /* nothing at all */
	disk_offer(0);
	drv_kick(&disk_q);
	assert_int_equal(drv_take(&disk_q).len, 0);
	assert_string_equal(rig_violation(&disk_rig), "");
	disk_assert_untouched();
}

static void v18_flush_flood_is_served(void **state)
{
	unsigned i, k;

	(void)state;
	for (k = 0; k < 20; k++) {
		for (i = 0; i < SIZE / 4; i++) {
			disk_prepare(i, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
			disk_offer(i);
		}
		drv_kick(&disk_q);
		rig_until(&disk_rig, drv_waiting(&disk_q) == SIZE / 4);
		disk_q.seen = disk_q.used->idx;
	}
	assert_int_equal(disk_stats().flushes, 20 * SIZE / 4);
}

static void v19_a_read_only_disk_is_not_written(void **state)
{
	(void)state;
	disk_stop();
	disk_start(true, ALL);
	assert_true(disk_rig.m.devs[disk_slot]->features & BIT(VIRTIO_BLK_F_RO));
	assert_int_equal(disk_request(VIRTIO_BLK_T_IN, 0, DATA, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(disk_request(VIRTIO_BLK_T_OUT, 0, DATA, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk_request(VIRTIO_BLK_T_DISCARD, 0, DATA, 16), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk_request(VIRTIO_BLK_T_WRITE_ZEROES, 0, DATA, 16), VIRTIO_BLK_S_IOERR);
	disk_assert_untouched();
}

static void v19_a_file_open_otherwise_is_refused(void **state)
{
	struct spec_disk d = {
		.serial = "x", .is_readonly = true, .parts = disk_parts, .nr_parts = 1
	};
	struct io_engine *g = io_engine_new(&disk_rig.m.loop, BLK_MAX_IN_FLIGHT);
	int pipes[2];
	struct err e;

	(void)state;
	assert_null(blk_new(g, &disk_rig.m.loop, &d, &e));
	assert_string_equal(e.msg, "cannot use disk 'x': cannot use its file: not open for "
				   "reading only");
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	d.parts = &(struct spec_file){ .fd = pipes[0] };
	assert_null(blk_new(g, &disk_rig.m.loop, &d, &e));
	assert_non_null(strstr(e.msg, "not a regular one or a block device"));
	close(pipes[0]);
	close(pipes[1]);
	io_engine_free(g);
}

/* The host cuts the file: errors, and the size stays what it is. */
static void a_file_that_shrank_gives_errors(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(ftruncate(disk_file, 1024), 0);
	assert_int_equal(disk_request(VIRTIO_BLK_T_IN, 0, DATA, 4096), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk_request(VIRTIO_BLK_T_IN, 100, DATA, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk_request(VIRTIO_BLK_T_IN, 0, DATA, 1024), VIRTIO_BLK_S_OK);
	disk_assert_pattern(DATA, 0, 1024);
	assert_int_equal(fstat(disk_file, &st), 0);
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
			disk_prepare(i, k & 1 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, i * 8,
				     DATA + i * 4096, 4096);
			disk_offer(i);
		}
		/* taken and started, with no turn of the loop in which it may end */
		assert_int_equal(write(disk_rig.m.devs[disk_slot]->vq[0].kick.fd, &one, 8), 8);
		disk_rig.m.devs[disk_slot]->ops->notify(disk_rig.m.devs[disk_slot], 0);
		rig_write(&disk_rig, disk_slot, VIRTIO_MMIO_STATUS, 0, 4);
		assert_int_equal(disk_rig.m.engine->nr_in_flight, 0);
		used = disk_q.used->idx;
		rig_turn(&disk_rig);
		assert_int_equal(disk_q.used->idx, used);
		drv_start(&disk_q, &disk_rig, disk_slot, ALL, SIZE);
	}
	assert_int_equal(disk_request(VIRTIO_BLK_T_IN, 0, DATA, 512), VIRTIO_BLK_S_OK);
}

static void freed_with_requests_in_flight(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < SIZE / 4; i++) {
		disk_prepare(i, i & 1 ? VIRTIO_BLK_T_FLUSH : VIRTIO_BLK_T_IN, 0, DATA + i * 4096,
			     i & 1 ? 0 : 4096);
		disk_offer(i);
	}
	disk_rig.m.devs[disk_slot]->ops->notify(disk_rig.m.devs[disk_slot], 0);
}

static void broken_rings_end_the_machine(void **state)
{
	(void)state;
	disk_prepare(0, VIRTIO_BLK_T_IN, 0, DATA, 512);
	disk_q.desc[1].next = 1;
	disk_offer(0);
	drv_kick(&disk_q);
	assert_string_equal(rig_violation(&disk_rig),
			    "V01 blk: a descriptor chain longer than its queue, or a loop");
	assert_int_equal(disk_status(0), NO_STATUS);
}

/* V11: what the driver changes while a request is on its way changes nothing. */
static void v11_the_request_is_copied_once(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < SIZE / 4; i++) {
		disk_prepare(i, VIRTIO_BLK_T_IN, i * 8, DATA + i * 4096, 4096);
		disk_offer(i);
	}
	disk_rig.m.devs[disk_slot]->ops->notify(disk_rig.m.devs[disk_slot], 0);
	for (i = 0; i < SIZE / 4; i++) {
		struct virtio_blk_outhdr *h = rig_at(&disk_rig, HDR + i * 16, 16);

		h->type = ~0u;
		h->sector = ~0ull;
		drv_desc(&disk_q, 4 * i, ~0ull, ~0u, 0xffff, 0xffff);
		drv_desc(&disk_q, 4 * i + 1, ~0ull, ~0u, 0xffff, 0xffff);
	}
	rig_until(&disk_rig, drv_waiting(&disk_q) == SIZE / 4);
	assert_string_equal(rig_violation(&disk_rig), "");
	disk_assert_pattern(DATA, 0, SIZE / 4 * 4096);
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
	int files[1] = { disk_file }, i;
	struct stolen s;

	(void)state;
	if (!steal(&s))
		skip();
	assert_int_equal(raw_operation(&s, &sqe), sizeof(buf)); /* it is the right ring */
	sqe.fd = 1;
	assert_int_equal(raw_operation(&s, &sqe), -EBADF);
	sqe.flags = 0;
	sqe.fd = disk_file;
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
#define T(f)                                                              \
	{ "uring_" #f, f, disk_setup_uring, disk_teardown, NULL },        \
	{                                                                 \
		"threads_" #f, f, disk_setup_threads, disk_teardown, NULL \
	}
	const struct CMUnitTest tests[] = {
		T(chains_that_share_descriptors_wait_for_room),
		T(bad_ranges_are_refused),
		T(v18_requests_beyond_the_end_are_errors),
		T(v18_unknown_types_are_unsupported),
		T(v18_malformed_requests_get_an_error),
		T(v18_flush_flood_is_served),
		T(v19_a_read_only_disk_is_not_written),
		T(v19_a_file_open_otherwise_is_refused),
		T(a_file_that_shrank_gives_errors),
		T(reset_waits_for_what_is_in_flight),
		T(freed_with_requests_in_flight),
		T(broken_rings_end_the_machine),
		T(v11_the_request_is_copied_once),
		cmocka_unit_test_setup_teardown(engine_can_do_nothing_else, disk_setup_uring,
						disk_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
