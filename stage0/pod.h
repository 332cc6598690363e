/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: Pods on disk
 *
 * A pod is a directory $dir/pods/<phase>/<uuid>/; which directory it is in is its phase, and every
 * transition is one rename.  Whether it lives is whether the file "lock" in it is locked: the
 * supervisor and the hypervisor share the open file description that holds the lock, so the kernel
 * drops it when the last of them has died, however that happened.
 *
 *	phase		locked			unlocked
 *	embryo		embryo			embryo (gc removes it)
 *	prepare		preparing		aborted prepare
 *	prepared	prepared		prepared
 *	run		running			exited (its supervisor was killed: no status)
 *	exited		exited			exited
 *	garbage		deleting		garbage
 *
 * The lock is an OFD record lock (fcntl(2)), not flock(2): it can be asked about without taking it,
 * so a reader never disturbs a writer.  And it is on a file, not on the directory: an inherited
 * directory fd would be a door out of the hypervisor's jail.
 *
 * Files: manifest.json (appc PodManifest), pod.json (what vpod itself needs), status.json,
 *console.log, log/<app>, initrd, scratch.img, control.sock.
 *
 * Lock order: pod before image; several images in digest order.
 */
#ifndef VPOD_STAGE0_POD_H
#define VPOD_STAGE0_POD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"

struct config;

enum pod_phase {
	POD_EMBRYO,
	POD_PREPARE,
	POD_PREPARED,
	POD_RUN,
	POD_EXITED,
	POD_GARBAGE,
	NR_POD_PHASES,
};

struct pod {
	char uuid[UUID_LEN + 1];
	enum pod_phase phase;
	int dirfd;	/* -1 when closed */
	int lockfd;	/* open on "lock"; holds the lock if is_ours */
	bool is_ours;	/* we hold the lock */
	bool is_locked; /* somebody else held it when we looked */
};

#define cleanup_pod __attribute__((__cleanup__(pod_close)))
#define POD_INIT                          \
	{                                 \
		.dirfd = -1, .lockfd = -1 \
	}

/* A new pod: embryo, locked by us. */
int pod_create(const struct config *cfg, struct pod *p, struct err *e);

/* Moves to @phase if the table allows it; both parent directories are synced. */
int pod_to(const struct config *cfg, struct pod *p, enum pod_phase phase, struct err *e);

/* Finds the pod by a unique prefix of its UUID. Embryos and garbage are not found. */
int pod_open(const struct config *cfg, const char *prefix, struct pod *p, struct err *e);

/* Takes the lock; fails at once, with ERR_DENIED, when somebody has it. */
int pod_lock(struct pod *p, struct err *e);

/* Looks again at who holds the lock. */
void pod_refresh(struct pod *p);

/* Closes; a lock of ours goes with it unless a child shares it. */
void pod_close(struct pod *p);

/* rkt's word for phase and lock. */
const char *pod_state(const struct pod *p);

/* Calls @fn for every pod of @phase; it may take the pod's fds. Stops at the first -1. */
int pod_each(const struct config *cfg, enum pod_phase phase,
	     int (*fn)(struct pod *p, void *ctx, struct err *e), void *ctx, struct err *e);

/* Removes the directory of a garbage pod that we hold locked. */
int pod_delete(const struct config *cfg, struct pod *p, struct err *e);

/* "<dir>/pods/<phase>/<uuid>"; caller owns. */
char *pod_path(const struct config *cfg, const struct pod *p);

#endif
