/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file system device and a vhost-user backend that lies or goes: its answers lie in the socket
 * before they are asked for.  Of the guest: V12, V13, V16 (reference/threats.md); what its rings
 * hold is the backend's to judge.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/virtio/fs.h"
#include "vmm_fixture.h"

enum {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	GET_PROTOCOL = 15,
	SET_PROTOCOL = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
};

#define GOOD_FEATURES (1ull << 30 | 1ull << 32 | 1ull << 29)
#define F_MQ 1u
#define F_REPLY_ACK 8u
#define SIZE 16

struct message {
	uint32_t request, flags, size;
	uint64_t payload[16];
	int fds[4];
	unsigned nr_fds;
};

static struct vmm_rig rig;
static unsigned slot;
static int ours, backend;
static struct spec_fs spec;
static struct drvq urgent, requests;
static struct message seen[64]; /* what the backend was asked */
static unsigned nr_seen;

static void answer_raw(uint32_t request, uint32_t flags, uint32_t size, uint64_t value)
{
	uint8_t m[20];

	memcpy(m, (uint32_t[]){ request, flags, size }, 12);
	memcpy(m + 12, &value, 8);
	assert_int_equal(write(backend, m, sizeof(m)), sizeof(m));
}

static void answer(uint32_t request, uint64_t value)
{
	answer_raw(request, 5, 8, value);
}

static void forget(void)
{
	unsigned i, j;

	for (i = 0; i < nr_seen; i++) {
		for (j = 0; j < seen[i].nr_fds; j++)
			close(seen[i].fds[j]);
	}
	nr_seen = 0;
}

/* Reads all requests that there are. */
static void look(void)
{
	forget();
	for (;;) {
		struct message *m = &seen[nr_seen];
		char control[CMSG_SPACE(sizeof(m->fds))];
		struct iovec iov = { m, 12 };
		struct msghdr h = { .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control) };
		struct cmsghdr *c;

		if (recvmsg(backend, &h, MSG_DONTWAIT) != 12)
			return;
		c = CMSG_FIRSTHDR(&h);
		m->nr_fds = c ? (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
		if (c)
			memcpy(m->fds, CMSG_DATA(c), m->nr_fds * sizeof(int));
		assert_true(m->size <= sizeof(m->payload));
		if (m->size)
			assert_int_equal(read(backend, m->payload, m->size), m->size);
		nr_seen++;
		assert_true(nr_seen < nitems(seen));
	}
}

/* The request at @i must be this one. */
static const struct message *asked(unsigned i, uint32_t request, uint32_t size, unsigned nr_fds)
{
	assert_true(i < nr_seen);
	assert_int_equal(seen[i].request, request);
	assert_int_equal(seen[i].flags & 7, 1);
	assert_int_equal(seen[i].size, size);
	assert_int_equal(seen[i].nr_fds, nr_fds);
	return &seen[i];
}

static int setup(void **state)
{
	struct err e;
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	ours = sv[0];
	backend = sv[1];
	nr_seen = 0;
	spec = (struct spec_fs){ .tag = "home", .nr_queues = 1, .file = { .fd = ours } };
	rig_init(&rig, RIG_MEMORY);
	mem_free(&rig.m.mem);
	assert_int_equal(mem_init(&rig.m.mem, RIG_MEMORY, true, &e), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	forget();
	rig_free(&rig);
	close_p(&ours);
	close_p(&backend);
	return 0;
}

static void make(void)
{
	struct virtio_dev *d;
	struct err e;

	answer(GET_FEATURES, GOOD_FEATURES);
	answer(GET_PROTOCOL, 0);
	d = fs_new(&spec, &e);
	assert_non_null(d);
	slot = rig_add(&rig, d);
	look();
}

static void start(void)
{
	drv_negotiate(&rig, slot, 1ull << VIRTIO_RING_F_EVENT_IDX);
	drv_queue(&urgent, &rig, slot, 0, SIZE);
	drv_queue(&requests, &rig, slot, 1, SIZE);
	drv_ok(&rig, slot);
}

static void failed_with(const char *why)
{
	assert_int_equal(rig.m.end, END_FAILED);
	if (!strstr(rig.m.end_text, why))
		fail_msg("ended with: %s", rig.m.end_text);
}

static void a_backend_is_learnt_to_know(void **state)
{
	char tag[36];
	unsigned i;

	(void)state;
	make();
	assert_int_equal(nr_seen, 4);
	asked(0, GET_FEATURES, 0, 0);
	asked(1, GET_PROTOCOL, 0, 0);
	assert_int_equal(asked(2, SET_PROTOCOL, 8, 0)->payload[0], 0);
	asked(3, SET_OWNER, 0, 0);
	for (i = 0; i < sizeof(tag); i++)
		tag[i] = (char)rig_read(&rig, slot, VIRTIO_MMIO_CONFIG + i, 1);
	assert_string_equal(tag, "home");
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG + 36, 4), 1);
}

static void only_known_protocol_features_are_taken(void **state)
{
	struct virtio_dev *d;
	struct err e;

	(void)state;
	answer(GET_FEATURES, UINT64_MAX);
	answer(GET_PROTOCOL, UINT64_MAX);
	answer(GET_QUEUE_NUM, 2);
	answer(SET_OWNER, 0);
	d = fs_new(&spec, &e);
	assert_non_null(d);
	look();
	assert_int_equal(asked(2, SET_PROTOCOL, 8, 0)->payload[0], F_MQ | F_REPLY_ACK);
	assert_int_equal(asked(4, SET_OWNER, 0, 0)->flags, 9);
	assert_int_equal(d->features, 0); /* none but the transport's */
	d->ops->destroy(d);
}

static void refused(const char *why)
{
	struct err e;

	assert_null(fs_new(&spec, &e));
	if (!strstr(e.msg, why))
		fail_msg("refused with: %s", e.msg);
	teardown(NULL);
	setup(NULL);
}

/* Each in turn: what a backend may not be. */
static void backends_that_cannot_be_used_are_refused(void **state)
{
	(void)state;
	answer(GET_FEATURES, GOOD_FEATURES & ~(1ull << 30));
	refused("it lacks");
	answer(GET_FEATURES, GOOD_FEATURES & ~(1ull << 29));
	refused("it lacks");
	answer(GET_FEATURES, 0);
	refused("it lacks");
	answer(GET_PROTOCOL, GOOD_FEATURES);
	refused("it answers something else");
	answer_raw(GET_FEATURES, 1, 8, GOOD_FEATURES); /* not a reply */
	refused("it answers something else");
	answer_raw(GET_FEATURES, 6, 8, GOOD_FEATURES); /* version 2 */
	refused("it answers something else");
	answer_raw(GET_FEATURES, 5, 0x7fffffff, GOOD_FEATURES);
	refused("it answers something else");
	answer_raw(GET_FEATURES, 5, 0, GOOD_FEATURES);
	refused("it answers something else");
	answer(GET_FEATURES, GOOD_FEATURES);
	answer(GET_PROTOCOL, F_MQ);
	answer(GET_QUEUE_NUM, 1);
	refused("it has fewer queues");
	answer(GET_FEATURES, GOOD_FEATURES);
	answer(GET_PROTOCOL, F_REPLY_ACK);
	answer(SET_OWNER, 1);
	refused("it refuses a request");
	assert_int_equal(write(backend, "\1\0\0\0\5\0", 6), 6);
	shutdown(backend, SHUT_WR);
	refused("it went away");
	close_p(&backend);
	refused("it takes no request");
	close_p(&ours);
	spec.file.fd = memfd_create("none", MFD_CLOEXEC);
	ours = spec.file.fd;
	refused("no socket");
}

/* Fds that come with an answer are closed by the kernel, not kept. */
static void fds_from_a_backend_are_not_taken(void **state)
{
	union {
		struct cmsghdr c;
		char buf[CMSG_SPACE(sizeof(int))];
	} u = { .buf = { 0 } };
	uint32_t m[5] = { GET_FEATURES, 5, 8, 0, 0 };
	struct iovec iov = { m, sizeof(m) };
	struct msghdr h = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof(u)
	};
	int pair[2], before, after;
	struct err e;
	char c;

	(void)state;
	assert_int_equal(pipe(pair), 0);
	u.c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&u.c), &pair[1], sizeof(int));
	assert_int_equal(sendmsg(backend, &h, 0), sizeof(m));
	close(pair[1]);
	before = dup(0);
	close(before);
	assert_null(fs_new(&spec, &e));
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
	assert_int_equal(read(pair[0], &c, 1), 0); /* no writer is left */
	close(pair[0]);
}

static void the_backend_gets_memory_and_queues(void **state)
{
	const struct message *m;
	uint64_t one = 1, n;
	uint8_t *p;
	unsigned q;

	(void)state;
	make();
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_INTERRUPT_STATUS, 4), 0);
	start();
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_INTERRUPT_STATUS, 4), VIRTIO_INT_QUEUE);
	rig_write(&rig, slot, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_INT_QUEUE, 4);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_INTERRUPT_STATUS, 4), VIRTIO_INT_QUEUE);
	look();
	assert_int_equal(nr_seen, 2 + 2 * 6);
	assert_int_equal(asked(0, SET_FEATURES, 8, 0)->payload[0], GOOD_FEATURES);
	m = asked(1, SET_MEM_TABLE, 40, 1);
	assert_int_equal(m->payload[0], 1);
	assert_int_equal(m->payload[1], 0);
	assert_int_equal(m->payload[2], RIG_MEMORY);
	assert_int_equal(m->payload[3], (uintptr_t)rig_at(&rig, 0, 1));
	p = mmap(NULL, RIG_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, m->fds[0], 0);
	assert_true(p != MAP_FAILED);
	p[RIG_DATA] = 99;
	assert_int_equal(*(uint8_t *)rig_at(&rig, RIG_DATA, 1), 99);
	munmap(p, RIG_MEMORY);
	assert_true(ftruncate(m->fds[0], 0) < 0 && errno == EPERM); /* ours stays mapped */
	for (q = 0; q < 2; q++) {
		unsigned at = 2 + 6 * q;

		assert_int_equal(asked(at, SET_VRING_NUM, 8, 0)->payload[0],
				 q | (uint64_t)SIZE << 32);
		assert_int_equal(asked(at + 1, SET_VRING_BASE, 8, 0)->payload[0], q);
		m = asked(at + 2, SET_VRING_ADDR, 40, 0);
		assert_int_equal(m->payload[0], q);
		assert_int_equal(m->payload[1], (uintptr_t)(q ? requests : urgent).desc);
		assert_int_equal(m->payload[2], (uintptr_t)(q ? requests : urgent).used);
		assert_int_equal(m->payload[3], (uintptr_t)(q ? requests : urgent).avail);
		m = asked(at + 3, SET_VRING_CALL, 8, 1);
		assert_int_equal(write(m->fds[0], &one, 8), 8);
		assert_int_equal(read(rig.m.devs[slot]->irq_fd, &n, 8), 8);
		m = asked(at + 4, SET_VRING_KICK, 8, 1);
		assert_int_equal(read(m->fds[0], &n, 8), 8); /* at activation */
		drv_kick(q ? &requests : &urgent);
		assert_int_equal(read(m->fds[0], &n, 8), 8); /* not taken by the loop */
		assert_int_equal(asked(at + 5, SET_VRING_ENABLE, 8, 0)->payload[0], q | 1ull << 32);
	}
}

/* V16: the queues come back before the driver may reuse their memory; and go again. */
static void reset_stops_the_backend(void **state)
{
	(void)state;
	make();
	start();
	answer(GET_VRING_BASE, 0 | 5ull << 32);
	answer(GET_VRING_BASE, 1 | 5ull << 32);
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
	look();
	asked(14, GET_VRING_BASE, 8, 0);
	asked(15, GET_VRING_BASE, 8, 0);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_INTERRUPT_STATUS, 4), 0);
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4); /* nothing runs: nothing is asked */
	start();
	look();
	assert_int_equal(nr_seen, 14);
	rig_turn(&rig);
	assert_int_equal(rig.m.end, END_NONE);
}

static void a_queue_that_was_not_made_is_not_given(void **state)
{
	(void)state;
	make();
	drv_negotiate(&rig, slot, 0);
	drv_queue(&requests, &rig, slot, 1, SIZE);
	drv_ok(&rig, slot);
	look();
	assert_int_equal(nr_seen, 2 + 6);
	answer(GET_VRING_BASE, 1);
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
	assert_int_equal(rig.m.end, END_NONE);
}

/* V12, V13: rings outside of memory end the machine before the backend hears of them. */
static void bad_rings_do_not_reach_the_backend(void **state)
{
	(void)state;
	make();
	drv_negotiate(&rig, slot, 0);
	drv_queue(&requests, &rig, slot, 1, SIZE);
	rig_write(&rig, slot, VIRTIO_MMIO_QUEUE_DESC_LOW, RIG_MEMORY - 16, 4);
	drv_ok(&rig, slot);
	assert_memory_equal(rig_violation(&rig), "V13 fs", 6);
	look();
	assert_int_equal(nr_seen, 0);
}

static void a_wrong_answer_to_the_stop_ends_the_machine(void **state)
{
	(void)state;
	make();
	start();
	answer(GET_VRING_BASE, 1);
	answer(GET_VRING_BASE, 1);
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
	failed_with("it stopped another queue");
}

static void a_refusal_at_the_start_ends_the_machine(void **state)
{
	struct virtio_dev *d;
	struct err e;

	(void)state;
	answer(GET_FEATURES, GOOD_FEATURES);
	answer(GET_PROTOCOL, F_REPLY_ACK);
	answer(SET_OWNER, 0);
	d = fs_new(&spec, &e);
	assert_non_null(d);
	slot = rig_add(&rig, d);
	answer(SET_FEATURES, 0);
	answer(SET_MEM_TABLE, 0);
	answer(SET_VRING_NUM, 0);
	answer(SET_VRING_BASE, 22);
	start();
	failed_with("it refuses a request");
}

static void a_backend_that_goes_ends_the_machine(void **state)
{
	(void)state;
	make();
	start();
	close_p(&backend);
	rig_turn(&rig);
	failed_with("'home': its server went away");
}

static void a_backend_that_speaks_unasked_ends_the_machine(void **state)
{
	(void)state;
	make();
	start();
	answer(GET_FEATURES, 0);
	rig_turn(&rig);
	failed_with("broke the protocol");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_backend_is_learnt_to_know),
		T(only_known_protocol_features_are_taken),
		T(backends_that_cannot_be_used_are_refused),
		T(fds_from_a_backend_are_not_taken),
		T(the_backend_gets_memory_and_queues),
		T(reset_stops_the_backend),
		T(a_queue_that_was_not_made_is_not_given),
		T(bad_rings_do_not_reach_the_backend),
		T(a_wrong_answer_to_the_stop_ends_the_machine),
		T(a_refusal_at_the_start_ends_the_machine),
		T(a_backend_that_goes_ends_the_machine),
		T(a_backend_that_speaks_unasked_ends_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
