/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets over a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/ratelimit.h"

#define SECOND 1000000000ull

static uint64_t time_now;
static unsigned nr_opened;

static uint64_t test_clock(void)
{
	return time_now;
}

static void opened(struct limit *l)
{
	(void)l;
	nr_opened++;
}

struct rig {
	struct loop loop;
	struct limit limit;
};

static int setup(void **state)
{
	static struct rig r;
	struct err e;

	assert_int_equal(loop_init(&r.loop, &e), 0);
	*state = &r;
	time_now = 12345;
	nr_opened = 0;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	limit_close(&r->limit);
	loop_close(&r->loop);
	return 0;
}

static struct limit *limited(void **state, struct spec_limit s)
{
	struct rig *r = *state;
	struct err e;

	assert_int_equal(limit_init(&r->limit, &r->loop, &s, opened, &e), 0);
	r->limit.clock = test_clock;
	return &r->limit;
}

/* Uses all that is to be had until @end in operations of @size, as a device does: returns how many.
 */
static uint64_t serve(struct limit *l, uint64_t size, uint64_t end)
{
	uint64_t n = 0;

	while (time_now < end) {
		while (limit_open(l)) {
			limit_charge(l, size, 1);
			n++;
		}
		time_now += l->wait + 20000; /* a timer is late */
		l->is_waiting = false;
	}
	return n;
}

static void assert_near(uint64_t got, uint64_t wanted)
{
	assert_in_range(got, wanted - wanted / 50, wanted + wanted / 50); /* 2 % */
}

static void bytes_hold_over_every_size(void **state)
{
	static const uint64_t rates[] = { 1 << 20, 50 << 20, 4ull << 30 };
	static const uint64_t sizes[] = { 1, 512, 4096, 65536, 1 << 20 };
	size_t i, j;

	for (i = 0; i < nitems(rates); i++) {
		for (j = 0; j < nitems(sizes); j++) {
			uint64_t secs = rates[i] / sizes[j] > 4000000 ? 0 : 20, start, n;
			struct limit *l;

			if (!secs)
				continue;
			l = limited(state, (struct spec_limit){ .bytes = rates[i] });
			serve(l, sizes[j], time_now + SECOND); /* the burst is gone */
			start = time_now;
			n = serve(l, sizes[j], start + secs * SECOND);
			assert_near(n * sizes[j], rates[i] * secs);
			limit_close(l);
		}
	}
}

static void operations_hold(void **state)
{
	struct limit *l = limited(state, (struct spec_limit){ .ops = 1000 });

	serve(l, 4096, time_now + SECOND);
	assert_near(serve(l, 4096, time_now + 20 * SECOND), 20000);
	limit_close(l);
	l = limited(state, (struct spec_limit){ .ops = 3 });
	serve(l, 4096, time_now + SECOND);
	assert_near(serve(l, 4096, time_now + 100 * SECOND), 300);
}

static void the_narrower_of_two_holds(void **state)
{
	struct limit *l = limited(state, (struct spec_limit){ .ops = 1000, .bytes = 1 << 20 });

	serve(l, 65536, time_now + SECOND);
	assert_near(serve(l, 65536, time_now + 20 * SECOND), 16 * 20);
	serve(l, 16, time_now + SECOND);
	assert_near(serve(l, 16, time_now + 20 * SECOND), 20000);
}

static void a_burst_passes_at_once_and_no_more(void **state)
{
	struct limit *l =
		limited(state, (struct spec_limit){ .bytes = 1 << 20, .bytes_burst = 8 << 20 });
	unsigned n = 0;

	for (; limit_open(l); n++)
		limit_charge(l, 65536, 1);
	assert_int_equal(n, 128);
	l->is_waiting = false;
	time_now += 3600 * SECOND; /* an hour saves up no more than the burst */
	for (n = 0; limit_open(l); n++)
		limit_charge(l, 65536, 1);
	assert_int_equal(n, 128);
}

static void an_operation_larger_than_the_burst_passes_and_is_paid_for(void **state)
{
	struct limit *l = limited(state, (struct spec_limit){ .bytes = 1000, .bytes_burst = 10 });

	assert_true(limit_open(l));
	limit_charge(l, 4000, 1);
	assert_false(limit_open(l));
	assert_in_range(l->wait, 3990000000ull, 4000000000ull);
	assert_false(limit_open(l));
	assert_int_equal(l->closed, 1);
	l->is_waiting = false;
	time_now += l->wait - 1000000;
	assert_false(limit_open(l));
	l->is_waiting = false;
	time_now += 2000000;
	assert_true(limit_open(l));
}

static void limits_change_while_running(void **state)
{
	struct limit *l = limited(state, (struct spec_limit){ 0 });
	int i;

	for (i = 0; i < 1000; i++) { /* no limit at first */
		assert_true(limit_open(l));
		limit_charge(l, 1ull << 40, 1);
	}
	limit_set(l, &(struct spec_limit){ .bytes = 1 << 20 });
	serve(l, 4096, time_now + SECOND);
	assert_near(serve(l, 4096, time_now + 20 * SECOND), 20 * 256);
	while (limit_open(l))
		limit_charge(l, 4096, 1);
	assert_int_equal(nr_opened, 0);
	limit_set(l, &(struct spec_limit){ .bytes = 10 << 20 }); /* who waits is told */
	assert_int_equal(nr_opened, 1);
	serve(l, 4096, time_now + SECOND);
	assert_near(serve(l, 4096, time_now + 20 * SECOND), 200 * 256);
	limit_set(l, &(struct spec_limit){ 0 });
	assert_true(limit_open(l));
}

static void extremes_do_not_overflow(void **state)
{
	struct limit *l = limited(state, (struct spec_limit){ .bytes = 1ull << 50, .ops = 1 });

	limit_charge(l, UINT64_MAX, UINT64_MAX);
	limit_charge(l, UINT64_MAX, UINT64_MAX);
	assert_false(limit_open(l));
	limit_set(l, &(struct spec_limit){ .bytes = 1, .ops = 1ull << 50 });
	l->is_waiting = false;
	time_now += 1000 * SECOND;
	assert_false(limit_open(l));
	l->is_waiting = false;
	time_now = UINT64_MAX / 2;
	assert_true(limit_open(l));
}

static void stop_on_open(struct limit *l)
{
	nr_opened++;
	loop_stop(l->timer.src.loop);
}

static void the_timer_tells(void **state)
{
	struct rig *r = *state;
	struct limit *l = limited(state, (struct spec_limit){ .ops = 100, .ops_burst = 1 });
	struct err e;

	l->clock = now_ns;
	l->opened = stop_on_open;
	assert_true(limit_open(l));
	limit_charge(l, 1, 1);
	assert_false(limit_open(l));
	assert_int_equal(loop_run(&r->loop, &e), 0);
	assert_int_equal(nr_opened, 1);
	assert_true(limit_open(l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bytes_hold_over_every_size, setup, teardown),
		cmocka_unit_test_setup_teardown(operations_hold, setup, teardown),
		cmocka_unit_test_setup_teardown(the_narrower_of_two_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(a_burst_passes_at_once_and_no_more, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			an_operation_larger_than_the_burst_passes_and_is_paid_for, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_change_while_running, setup, teardown),
		cmocka_unit_test_setup_teardown(extremes_do_not_overflow, setup, teardown),
		cmocka_unit_test_setup_teardown(the_timer_tells, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
