/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The request engine of the disks
 *
 * One for all disks of the machine, with two backends: io_uring, and worker threads where io_uring
 * is not allowed.  Files are added first; io_engine_start() then takes what rights the backend
 * needs, before the sandbox closes.  The ring may do only four operations and only on those files.
 *
 * Everything below runs in the loop.  A struct io is embedded in its owner's request, which leaves
 * it and what it points to alone between io_submit() and done().  done() may submit it again.  It
 * is called by io_commit(), by io_wait() or from the loop, never by io_submit().  After a batch of
 * them each client that set has_news is told with settled().
 */
#ifndef VPOD_VMM_VIRTIO_BLK_ENGINE_H
#define VPOD_VMM_VIRTIO_BLK_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/loop.h"
#include "vmm/spec.h"

enum io_op {
	IO_READ,
	IO_WRITE,
	IO_SYNC,  /* what was written before is on stable storage */
	IO_PUNCH, /* the range becomes a hole, the size stays */
	IO_ZERO,  /* the range becomes zeros */
};

struct io {
	enum io_op op;
	int file;	   /* of io_engine_add() */
	struct iovec *iov; /* of reads and writes */
	unsigned nr_iov;
	uint64_t offset, len; /* len: of IO_PUNCH and IO_ZERO */
	int64_t result;	      /* bytes, or a negative errno */
	void (*done)(struct io *io);
	struct io *next; /* the backend's */
};

struct io_client {
	bool has_news;
	void (*settled)(struct io_client *c);
	struct io_client *next;
};

struct io_engine {
	const struct io_backend *backend;
	struct loop *loop;
	int *files; /* not owned */
	unsigned nr_files;
	unsigned depth; /* most in flight */
	unsigned nr_in_flight;
	struct io_client *clients;
	void *state; /* the backend's */
};

/* The backends' side, blk_uring.c and blk_threads.c. */
struct io_backend {
	const char *name;
	int (*start)(struct io_engine *g, struct err *e); /* fails cleanly */
	void (*submit)(struct io_engine *g, struct io *io);
	bool (*commit)(struct io_engine *g); /* true: done() submitted more */
	void (*wait)(struct io_engine *g);   /* until at least one is done() */
	void (*stop)(struct io_engine *g);   /* nothing is in flight */
};

extern const struct io_backend io_uring_backend, io_threads_backend;

void io_complete(struct io_engine *g, struct io *io, int64_t result);
void io_settle(struct io_engine *g);
unsigned io_fallocate_mode(enum io_op op);

/* The devices' side. @depth: as many as may ever be in flight. */
struct io_engine *io_engine_new(struct loop *l, unsigned depth);
int io_engine_add(struct io_engine *g, int fd, struct io_client *c);
void io_engine_remove(struct io_engine *g, struct io_client *c); /* with nothing in flight */
int io_engine_start(struct io_engine *g, enum spec_io which, struct err *e);
void io_engine_free(struct io_engine *g); /* has no clients any more; NULL is fine */

void io_submit(struct io_engine *g, struct io *io);
void io_commit(struct io_engine *g); /* what was submitted starts: a system call per batch */
void io_wait(struct io_engine *g);   /* until at least one of those in flight is done */

#endif
