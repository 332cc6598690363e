/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/ratelimit.h"

#include "base/cleanup.h"

#define SECOND 1000000000ull
#define SHORTEST_WAIT 1000000ull    /* a timer per operation would cost more than it limits */
#define MOST (1ll << 60)	    /* of a level and of a debt */
#define DEFAULT_BURST_PER_SECOND 10 /* a burst that is not told: 100 ms' worth */

static void bucket_set(struct bucket *b, uint64_t rate, uint64_t burst)
{
	bool was_limited = b->rate > 0;

	if (!burst)
		burst = rate / DEFAULT_BURST_PER_SECOND;
	if (!burst)
		burst = 1;
	if (was_limited && b->level < 0) { /* the debt is paid when it would have been */
		__int128 level = (__int128)b->level * (__int128)rate / (__int128)b->rate;

		b->level = level < -MOST ? -MOST : (int64_t)level;
	}
	b->rate = rate;
	b->burst = burst;
	b->rest = 0;
	if (!was_limited || b->level > (int64_t)burst)
		b->level = (int64_t)burst;
}

static void bucket_refill(struct bucket *b, uint64_t ns)
{
	unsigned __int128 n = (unsigned __int128)ns * b->rate + b->rest;
	uint64_t room = (uint64_t)((int64_t)b->burst - b->level);

	if (n / SECOND >= room) {
		b->level = (int64_t)b->burst;
		b->rest = 0;
		return;
	}
	b->level += (int64_t)(n / SECOND);
	b->rest = (uint64_t)(n % SECOND);
}

/* How long until something may pass. */
static uint64_t bucket_wait(const struct bucket *b)
{
	unsigned __int128 need = 0, least = SHORTEST_WAIT;

	if (!b->rate || b->level > 0)
		return 0;
	need = ((unsigned __int128)(1 - b->level) * SECOND - b->rest + b->rate - 1) / b->rate;
	/* but not so long that a small burst overflows, for then the rate would not be reached */
	if (least > (unsigned __int128)b->burst * SECOND / b->rate / 2)
		least = (unsigned __int128)b->burst * SECOND / b->rate / 2;
	if (need < least)
		need = least;
	return need > (unsigned __int128)MOST ? (uint64_t)MOST : (uint64_t)need;
}

static void bucket_charge(struct bucket *b, uint64_t n)
{
	if (!b->rate)
		return;
	b->level = n > (uint64_t)(b->level + MOST) ? -MOST : b->level - (int64_t)n;
}

static void refill(struct limit *l)
{
	uint64_t now = l->clock(), ns = now - l->refilled;

	l->refilled = now;
	bucket_refill(&l->bytes, ns);
	bucket_refill(&l->ops, ns);
}

static void expired(struct timer *t)
{
	struct limit *l = container_of(t, struct limit, timer);

	l->is_waiting = false;
	l->opened(l);
}

int limit_init(struct limit *l, struct loop *loop, const struct spec_limit *s,
	       void (*opened)(struct limit *l), struct err *e)
{
	*l = (struct limit){ .clock = now_ns, .opened = opened };
	bucket_set(&l->bytes, s->bytes, s->bytes_burst);
	bucket_set(&l->ops, s->ops, s->ops_burst);
	return timer_init(loop, &l->timer, expired, e);
}

void limit_close(struct limit *l)
{
	timer_close(&l->timer);
}

void limit_set(struct limit *l, const struct spec_limit *s)
{
	refill(l);
	bucket_set(&l->bytes, s->bytes, s->bytes_burst);
	bucket_set(&l->ops, s->ops, s->ops_burst);
	if (l->is_waiting) { /* by the old rates: let it ask again at once */
		timer_arm(&l->timer, 0);
		l->is_waiting = false;
		l->opened(l);
	}
}

bool limit_open(struct limit *l)
{
	uint64_t ops;

	if (!l->bytes.rate && !l->ops.rate)
		return true;
	if (l->is_waiting)
		return false;
	refill(l);
	l->wait = bucket_wait(&l->bytes);
	ops = bucket_wait(&l->ops);
	if (l->wait < ops)
		l->wait = ops;
	if (!l->wait)
		return true;
	l->is_waiting = true;
	l->closed++;
	timer_arm(&l->timer, l->wait);
	return false;
}

void limit_charge(struct limit *l, uint64_t bytes, uint64_t ops)
{
	bucket_charge(&l->bytes, bytes);
	bucket_charge(&l->ops, ops);
}
