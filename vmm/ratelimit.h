/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rate limits: two token buckets, bytes and operations.  What passes may put a bucket into debt,
 *and nothing more passes until the debt is paid: so the average is exact whatever the size of one
 * operation, and an operation larger than the burst still gets through.
 *
 * In the loop only:
 *
 *	while (limit_open(&d->limit) && (c = next request))
 *		limit_charge(&d->limit, bytes of c, 1);
 *	...
 *	static void limit_opened(struct limit *l) { go on with the queue }
 */
#ifndef VPOD_VMM_RATELIMIT_H
#define VPOD_VMM_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "vmm/spec.h"

struct bucket {
	uint64_t rate;	/* per second; 0: no limit */
	uint64_t burst; /* most that can be saved up */
	int64_t level;	/* negative: debt */
	uint64_t rest;	/* of the last refill, in 1e-9 */
};

struct limit {
	struct bucket bytes, ops;
	uint64_t refilled; /* when, of clock() */
	uint64_t wait;	   /* ns, of the last limit_open() that said no */
	uint64_t closed;   /* how often it said no anew: for metrics */
	bool is_waiting;
	uint64_t (*clock)(void); /* now_ns(), or a test's */
	struct timer timer;
	void (*opened)(struct limit *l); /* limit_open() is worth another try */
};

/* Makes its timer at once, limited or not, so that limit_set() needs no right later. */
int limit_init(struct limit *l, struct loop *loop, const struct spec_limit *s,
	       void (*opened)(struct limit *l), struct err *e);
void limit_close(struct limit *l); /* fine after a failed limit_init(), and on zeros */

/* New rates; what was saved up stays, at most the new burst, and so does a debt's duration. */
void limit_set(struct limit *l, const struct spec_limit *s);

/* May one more operation start?  If not, opened() is called when it may. */
bool limit_open(struct limit *l);

/* It did. */
void limit_charge(struct limit *l, uint64_t bytes, uint64_t ops);

#endif
