/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: A worker
 *
 * A forked child that reads what strangers wrote: layers, packages, compressed kernels.  Its life
 * has three parts:
 *
 *  1. prepare  with all rights, but no stranger's byte read: load, map, allocate.
 *  2. jail     close every fd but the job's; root: namespaces of its own and uid 65534; no
 *              capabilities, no new privileges, limits; a seccomp list of system calls that can
 *              neither open, connect, execute nor signal anything.
 *  3. run      and report through a pipe: one message of bounded size, then exit.
 *
 * An ordinary user has no namespaces here: seccomp alone keeps the worker to its fds.
 */
#ifndef VPOD_BASE_WORKER_H
#define VPOD_BASE_WORKER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define WORKER_MAX_FDS 4
#define WORKER_MAX_RESULT 256

struct worker_job {
	const char *what; /* "read layer sha256:…": for "cannot …: its worker was killed" */
	int fds[WORKER_MAX_FDS]; /* what the worker keeps, at the same numbers */
	unsigned nr_fds;
	uint64_t max_memory; /* RLIMIT_AS: bytes beyond what the caller has mapped itself */
	uint64_t max_file;   /* RLIMIT_FSIZE */
	int (*prepare)(void *ctx, struct err *e);
	int (*run)(void *ctx, struct err *e);
	void *ctx;
	const void *result; /* plain bytes within *ctx, reported when run() succeeds */
	size_t result_len;  /* <= WORKER_MAX_RESULT */
};

struct worker {
	pid_t pid;
	int report_fd;
};

int worker_start(const struct worker_job *job, struct worker *w, struct err *e);

/* Waits for the end. @result: as many bytes as the job said, to be checked by the caller. */
int worker_wait(struct worker *w, const char *what, void *result, size_t len, struct err *e);

/* Kills and forgets. */
void worker_cancel(struct worker *w);

#endif
