/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring without a library (io_uring(7)).  It has an entry for all that may ever be in flight, so
 * that submitting never fails and the queue of completions never overflows.  The ring's own file
 * tells the loop of completions: it is readable while there are some.
 *
 * A ring is a way around seccomp: so this one is made disabled, is restricted to four operations on
 * the disks' files, which it has by index, and is only then enabled.  Needs Linux 5.11.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "vmm/virtio/blk_engine.h"

#define MAX_TRIES 1000u
#define NEEDED_FEATURES (IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE)
#define MAX_WORKERS 4u /* of the kernel's, for what would block */

struct uring {
	struct io_engine *engine;
	struct source src; /* the ring */
	int fd;
	void *map;
	size_t map_len;
	struct io_uring_sqe *sqes;
	size_t sqes_len;
	uint32_t *sq_head, *sq_tail, *cq_head, *cq_tail;
	uint32_t sq_mask, cq_mask;
	struct io_uring_cqe *cqes;
	uint32_t tail; /* where the next entry goes */
};

static int enter(const struct uring *u, unsigned to_submit, unsigned least)
{
	return (int)syscall(SYS_io_uring_enter, u->fd, to_submit, least,
			    least ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
}

static int ring_register(const struct uring *u, unsigned what, const void *arg, unsigned nr)
{
	return (int)syscall(SYS_io_uring_register, u->fd, what, arg, nr);
}

static uint32_t unsubmitted(const struct uring *u)
{
	return u->tail - __atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE);
}

static bool reap(struct io_engine *g, struct uring *u)
{
	uint32_t head = *u->cq_head;
	bool any = false;

	while (head != __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE)) {
		struct io_uring_cqe cqe = u->cqes[head & u->cq_mask];

		__atomic_store_n(u->cq_head, ++head, __ATOMIC_RELEASE);
		io_complete(g, (struct io *)(uintptr_t)cqe.user_data, cqe.res);
		any = true;
	}
	return any;
}

/* The kernel takes no more: what it has not taken fails. */
static void take_back(struct io_engine *g, struct uring *u, int err)
{
	uint32_t i = __atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE), end = u->tail;
	struct io *first = NULL, **last = &first;

	for (; i != end; i++) {
		*last = (struct io *)(uintptr_t)u->sqes[i & u->sq_mask].user_data;
		last = &(*last)->next;
	}
	*last = NULL;
	u->tail = __atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE);
	__atomic_store_n(u->sq_tail, u->tail, __ATOMIC_RELEASE);
	while (first) {
		struct io *io = first;

		first = io->next;
		io_complete(g, io, -err);
	}
}

static void push_all(struct io_engine *g, struct uring *u)
{
	unsigned tries;

	__atomic_store_n(u->sq_tail, u->tail, __ATOMIC_RELEASE);
	for (tries = 0; unsubmitted(u); tries++) {
		if (enter(u, unsubmitted(u), 0) >= 0 || errno == EINTR)
			continue;
		if ((errno != EAGAIN && errno != EBUSY) || tries == MAX_TRIES) {
			take_back(g, u, errno);
			return;
		}
		/* short of memory, or completions are due first */
		if (!reap(g, u) && g->nr_in_flight > unsubmitted(u))
			(void)enter(u, 0, 1);
	}
}

static void uring_submit(struct io_engine *g, struct io *io)
{
	struct uring *u = g->state;
	struct io_uring_sqe *s;

	s = &u->sqes[u->tail++ & u->sq_mask];
	*s = (struct io_uring_sqe){
		.flags = IOSQE_FIXED_FILE,
		.fd = io->file,
		.off = io->offset,
		.user_data = (uint64_t)(uintptr_t)io,
	};
	switch (io->op) {
	case IO_READ:
	case IO_WRITE:
		s->opcode = io->op == IO_READ ? IORING_OP_READV : IORING_OP_WRITEV;
		s->addr = (uint64_t)(uintptr_t)io->iov;
		s->len = io->nr_iov;
		break;
	case IO_SYNC:
		s->opcode = IORING_OP_FSYNC;
		s->fsync_flags = IORING_FSYNC_DATASYNC;
		s->off = 0;
		break;
	default:
		s->opcode = IORING_OP_FALLOCATE;
		s->addr = io->len;
		s->len = io_fallocate_mode(io->op);
	}
}

static bool uring_commit(struct io_engine *g)
{
	struct uring *u = g->state;

	if (unsubmitted(u))
		push_all(g, u);
	reap(g, u); /* what was in the page cache is done already */
	return unsubmitted(u) > 0;
}

static void uring_wait(struct io_engine *g)
{
	struct uring *u = g->state;

	while (uring_commit(g))
		;
	while (g->nr_in_flight && !reap(g, u))
		(void)enter(u, 0, 1); /* interrupted, it is called again */
}

static void completed(struct source *s, uint32_t events)
{
	struct uring *u = container_of(s, struct uring, src);

	(void)events;
	io_commit(u->engine);
}

/* As much as the disks need and nothing else. */
static int confine(const struct uring *u, const struct io_engine *g)
{
	static const uint8_t ops[] = { IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC,
				       IORING_OP_FALLOCATE };
	struct io_uring_restriction r[nitems(ops) + 1];
	uint32_t workers[2] = { MAX_WORKERS, 1 };
	size_t i;

	memset(r, 0, sizeof(r));
	for (i = 0; i < nitems(ops); i++) {
		r[i].opcode = IORING_RESTRICTION_SQE_OP;
		r[i].sqe_op = ops[i];
	}
	r[i].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	r[i].sqe_flags = IOSQE_FIXED_FILE;
	(void)ring_register(u, IORING_REGISTER_IOWQ_MAX_WORKERS, workers, 2); /* a wish */
	if (ring_register(u, IORING_REGISTER_FILES, g->files, g->nr_files) < 0 ||
	    ring_register(u, IORING_REGISTER_RESTRICTIONS, r, nitems(r)) < 0)
		return -1;
	return ring_register(u, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static int map_rings(struct uring *u, const struct io_uring_params *p)
{
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(uint32_t),
	       cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	uint32_t *array, i;
	uint8_t *at;

	u->map_len = sq > cq ? sq : cq;
	u->map = mmap(NULL, u->map_len, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
		      IORING_OFF_SQ_RING);
	u->sqes_len = p->sq_entries * sizeof(struct io_uring_sqe);
	u->sqes =
		mmap(NULL, u->sqes_len, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd, IORING_OFF_SQES);
	if (u->map == MAP_FAILED || u->sqes == MAP_FAILED)
		return -1;
	at = u->map;
	u->sq_head = (uint32_t *)(at + p->sq_off.head);
	u->sq_tail = (uint32_t *)(at + p->sq_off.tail);
	u->sq_mask = p->sq_entries - 1;
	u->cq_head = (uint32_t *)(at + p->cq_off.head);
	u->cq_tail = (uint32_t *)(at + p->cq_off.tail);
	u->cq_mask = p->cq_entries - 1;
	u->cqes = (struct io_uring_cqe *)(at + p->cq_off.cqes);
	array = (uint32_t *)(at + p->sq_off.array);
	for (i = 0; i < p->sq_entries; i++)
		array[i] = i;
	return 0;
}

static void uring_stop(struct io_engine *g)
{
	struct uring *u = g->state;

	loop_remove(&u->src);
	if (u->map != MAP_FAILED)
		(void)munmap(u->map, u->map_len);
	if (u->sqes != MAP_FAILED)
		(void)munmap(u->sqes, u->sqes_len);
	close_p(&u->fd);
	free(u);
	g->state = NULL;
}

static int uring_start(struct io_engine *g, struct err *e)
{
	struct io_uring_params p = { .flags = IORING_SETUP_R_DISABLED };
	struct uring *u = xcalloc(1, sizeof(*u));

	u->engine = g;
	u->map = u->sqes = MAP_FAILED;
	g->state = u;
	u->fd = (int)syscall(SYS_io_uring_setup, g->depth, &p); /* close-on-exec of itself */
	if (u->fd >= 0 && (p.features & NEEDED_FEATURES) == NEEDED_FEATURES &&
	    map_rings(u, &p) == 0 && confine(u, g) == 0 &&
	    loop_add(g->loop, &u->src, u->fd, EPOLLIN, completed, e) == 0)
		return 0;
	err_set(e, errno, "cannot use io_uring");
	uring_stop(g);
	return -1;
}

const struct io_backend io_uring_backend = {
	.name = "io_uring",
	.start = uring_start,
	.submit = uring_submit,
	.commit = uring_commit,
	.wait = uring_wait,
	.stop = uring_stop,
};
