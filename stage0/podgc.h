/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing pods: mark (rename to garbage) and sweep (delete), as rkt's.  All of it is safe to
 * repeat and to run beside anything else; a locked pod is never touched.
 */
#ifndef VPOD_STAGE0_PODGC_H
#define VPOD_STAGE0_PODGC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "stage0/pod.h"

struct config;

struct gc_options {
	uint64_t grace_ns;  /* exited pods younger than this stay */
	uint64_t expire_ns; /* prepared pods older than this go */
	bool mark_only;
};

struct gc_result {
	unsigned nr_marked, nr_deleted, nr_failed;
};

int pod_gc(const struct config *cfg, const struct gc_options *o, struct gc_result *res,
	   struct err *e);

/* Deletes @p, whatever its phase but run; takes the lock first. */
int pod_remove(const struct config *cfg, struct pod *p, struct err *e);

/* For error paths: the pod goes, and if that fails gc will do it. Closes @p. */
void pod_discard(const struct config *cfg, struct pod *p);

#endif
