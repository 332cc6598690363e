/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/podgc.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "stage0/status.h"

/* Since the pod came into its phase: rename(2) sets the directory's ctime. */
static int64_t age_ns(const struct pod *p)
{
	struct stat st;
	int64_t then;

	if (fstat(p->dirfd, &st) < 0)
		return 0;
	then = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
	return unix_ns() > then ? unix_ns() - then : 0;
}

/* The supervisor died before it could: the status stays what it was, which says as much. */
static int finish_run(const struct config *cfg, struct pod *p, struct err *e)
{
	return p->phase == POD_RUN ? pod_to(cfg, p, POD_EXITED, e) : 0;
}

int pod_remove(const struct config *cfg, struct pod *p, struct err *e)
{
	if (pod_lock(p, e) < 0 || finish_run(cfg, p, e) < 0)
		return -1;
	if (p->phase != POD_GARBAGE && pod_to(cfg, p, POD_GARBAGE, e) < 0)
		return -1;
	return pod_delete(cfg, p, e);
}

void pod_discard(const struct config *cfg, struct pod *p)
{
	struct err e = { 0 };

	if (p->dirfd >= 0 && pod_remove(cfg, p, &e) < 0)
		log_warn("%s; 'vpod gc' will remove it", e.msg);
	pod_close(p);
}

struct gc {
	const struct config *cfg;
	const struct gc_options *o;
	struct gc_result *res;
};

/*
 * A pod that cannot be removed must not keep the others: it is told and counted.  One that is gone
 * was another collector's: it had moved it on, and unlocked it, before we took the lock.
 */
static int failed(struct gc *g, const struct pod *p, const struct err *e)
{
	if (e->num == ENOENT)
		return 0;
	log_warn("gc: pod %s: %s", p->uuid, e->msg);
	g->res->nr_failed++;
	return 0;
}

static bool is_due(const struct gc *g, const struct pod *p)
{
	switch (p->phase) {
	case POD_PREPARED:
		return (uint64_t)age_ns(p) >= g->o->expire_ns;
	case POD_RUN: /* becomes exited now; its grace begins */
	case POD_EMBRYO:
	case POD_PREPARE:
		return true;
	default:
		return (uint64_t)age_ns(p) >= g->o->grace_ns;
	}
}

static int mark(struct pod *p, void *ctx, struct err *e)
{
	struct gc *g = ctx;
	struct err local = { 0 };

	(void)e;
	if (p->is_locked || !is_due(g, p))
		return 0;
	if (p->lockfd >= 0 && pod_lock(p, &local) < 0)
		return 0;  /* somebody was faster: it is theirs */
	p->is_ours = true; /* killed before it had a lock file: nobody else can have it */
	if (p->phase == POD_RUN) {
		if (pod_to(g->cfg, p, POD_EXITED, &local) < 0)
			return failed(g, p, &local);
		return 0;
	}
	if (pod_to(g->cfg, p, POD_GARBAGE, &local) < 0)
		return failed(g, p, &local);
	g->res->nr_marked++;
	return 0;
}

static int sweep(struct pod *p, void *ctx, struct err *e)
{
	struct gc *g = ctx;
	struct err local = { 0 };

	(void)e;
	if (p->is_locked || (p->lockfd >= 0 && pod_lock(p, &local) < 0))
		return 0;
	if (pod_delete(g->cfg, p, &local) < 0)
		return failed(g, p, &local);
	g->res->nr_deleted++;
	return 0;
}

int pod_gc(const struct config *cfg, const struct gc_options *o, struct gc_result *res,
	   struct err *e)
{
	/* run first: what it leaves in exited may be due at once */
	static const enum pod_phase marked[] = { POD_EMBRYO, POD_PREPARE, POD_PREPARED, POD_RUN,
						 POD_EXITED };
	struct gc g = { cfg, o, res };
	size_t i;

	*res = (struct gc_result){ 0 };
	for (i = 0; i < sizeof(marked) / sizeof(marked[0]); i++) {
		if (pod_each(cfg, marked[i], mark, &g, e) < 0)
			return -1;
	}
	if (o->mark_only)
		return 0;
	return pod_each(cfg, POD_GARBAGE, sweep, &g, e);
}
