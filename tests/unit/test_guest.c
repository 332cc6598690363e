/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of the guest protocol against a guest that keeps to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "guest_fixture.h"

static void guest_tells_the_life_of_a_pod(void **state)
{
	struct guest_rig *r = *state;
	struct proto_failed f = { .code = 127, .num = 2, .msg = "cannot" };

	guest_rig_put_ready(r);
	guest_rig_put_started(r, 0);
	guest_rig_put(r, PROTO_DATA, 0, PROTO_STDOUT, "abc", 3);
	guest_rig_put(r, PROTO_FAILED, 1, 0, &f, sizeof(f));
	guest_rig_put_eofs(r, 0);
	guest_rig_put_exited(r, 0, 0, 9, PROTO_EXIT_OOM);
	guest_rig_put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
	guest_rig_turn(r);
	assert_string_equal(r->log.buf, "hello 5;ready;started 0 7;out 0/1 3;failed 1 127 2 cannot;"
					"eof 0/1;eof 0/2;exited 0 0 9 1;done;");
	sb_reset(&r->log);
	close_p(&r->peer);
	guest_rig_turn(r);
	assert_string_equal(r->log.buf, "broken (end);");
}

static void guest_parses_any_cut_of_the_stream(void **state)
{
	struct guest_rig *r = *state;
	uint8_t all[512];
	struct proto_hello hello = { .version = 1, .nr_apps = NR_APPS, .boot_ns = 5 };
	struct proto_hdr h = { .type = PROTO_HELLO, .session = PROTO_POD, .len = sizeof(hello) };
	struct proto_hdr ready = { .type = PROTO_READY, .session = PROTO_POD };

	memcpy(all, &h, sizeof(h));
	memcpy(all + 8, &hello, sizeof(hello));
	memcpy(all + 24, &ready, sizeof(ready));
	for (size_t i = 0; i < 32; i++) {
		guest_rig_put_raw(r, all + i, 1);
		guest_rig_turn(r);
	}
	assert_string_equal(r->log.buf, "hello 5;ready;");
}

static void guest_joins_output_of_one_stream(void **state)
{
	struct guest_rig *r = *state;

	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_DATA, 0, PROTO_STDOUT, "abc", 3);
	guest_rig_put(r, PROTO_DATA, 0, PROTO_STDOUT, "de", 2);
	guest_rig_put(r, PROTO_DATA, 0, PROTO_STDERR, "f", 1);
	guest_rig_put(r, PROTO_DATA, 1, PROTO_STDERR, "g", 1);
	guest_rig_turn(r);
	assert_string_equal(r->log.buf, "out 0/1 5;out 0/2 1;out 1/2 1;");
}

static void guest_returns_credit_for_what_was_consumed(void **state)
{
	struct guest_rig *r = *state;

	guest_rig_run_all(r);
	guest_rig_put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	guest_rig_expect_silence(r);
	guest_consumed(r->g, 0, PROTO_STDOUT, 1000);
	guest_rig_expect_silence(r);
	guest_consumed(r->g, 0, PROTO_STDOUT, PROTO_WINDOW - 1000);
	guest_rig_expect_frame(r, PROTO_CREDIT, 0, PROTO_STDOUT, PROTO_WINDOW);
	guest_rig_put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	assert_int_equal(r->output_bytes, 2 * PROTO_WINDOW);
	/* more than was held is not believed */
	guest_consumed(r->g, 0, PROTO_STDOUT, 10 * PROTO_WINDOW);
	guest_rig_expect_frame(r, PROTO_CREDIT, 0, PROTO_STDOUT, PROTO_WINDOW);
}

static void guest_credit_is_per_stream(void **state)
{
	struct guest_rig *r = *state;

	guest_rig_run_all(r);
	guest_rig_put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	guest_rig_put_output(r, 0, PROTO_STDERR, PROTO_WINDOW);
	guest_rig_put_output(r, 1, PROTO_STDOUT, PROTO_WINDOW);
	assert_int_equal(r->output_bytes, 3 * PROTO_WINDOW);
}

static void guest_drops_output_that_nobody_wants(void **state)
{
	struct guest_rig *r = *state;

	guest_rig_run_all(r);
	guest_close_output(r->g, 0, PROTO_STDOUT);
	guest_close_output(r->g, 0, PROTO_STDOUT);
	guest_rig_expect_frame(r, PROTO_CLOSE, 0, PROTO_STDOUT, 0);
	guest_rig_put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	guest_rig_put_eofs(r, 0);
	guest_rig_turn(r);
	guest_rig_expect_silence(r);
	assert_string_equal(r->log.buf, "eof 0/1;eof 0/2;");
}

static void guest_close_waits_until_the_app_runs(void **state)
{
	struct guest_rig *r = *state;

	guest_rig_put_ready(r);
	guest_rig_turn(r);
	guest_close_output(r->g, 0, PROTO_STDERR);
	guest_rig_expect_silence(r);
	guest_rig_put_started(r, 0);
	guest_rig_turn(r);
	guest_rig_expect_frame(r, PROTO_CLOSE, 0, PROTO_STDERR, 0);
}

static void guest_stdin_keeps_to_the_window(void **state)
{
	static const uint8_t bytes[PROTO_WINDOW];
	struct proto_credit c = { .bytes = 5000 };
	struct guest_rig *r = *state;
	uint8_t payload[PROTO_MAX_PAYLOAD];
	struct proto_hdr h;
	size_t sum = 0;

	guest_rig_run_all(r);
	assert_int_equal(guest_stdin_room(r->g, 0), PROTO_WINDOW);
	guest_stdin(r->g, 0, bytes, PROTO_WINDOW - 1);
	assert_int_equal(guest_stdin_room(r->g, 0), 1);
	guest_stdin(r->g, 0, bytes, 100);
	assert_int_equal(guest_stdin_room(r->g, 0), 0);
	guest_stdin_eof(r->g, 0);
	while (guest_rig_turn(r), guest_rig_take(r, &h, payload)) {
		assert_int_equal(h.session, 0);
		sum += h.len;
		if (h.type == PROTO_EOF)
			break;
		assert_int_equal(h.type, PROTO_DATA);
	}
	assert_int_equal(sum, PROTO_WINDOW);
	assert_int_equal(h.type, PROTO_EOF);
	guest_rig_put(r, PROTO_CREDIT, 0, PROTO_STDIN, &c, sizeof(c));
	guest_rig_turn(r);
	assert_string_equal(r->log.buf, ""); /* its end was sent: there is no room */
	guest_rig_expect_silence(r);
}

static void guest_stdin_tells_of_room(void **state)
{
	static const uint8_t bytes[PROTO_WINDOW];
	struct proto_credit c = { .bytes = 5000 };
	struct guest_rig *r = *state;
	uint8_t payload[PROTO_MAX_PAYLOAD];
	struct proto_hdr h;

	guest_rig_run_all(r);
	guest_stdin(r->g, 1, bytes, PROTO_WINDOW);
	while (guest_rig_turn(r), guest_rig_take(r, &h, payload))
		;
	guest_rig_put(r, PROTO_CREDIT, 1, PROTO_STDIN, &c, sizeof(c));
	guest_rig_put(r, PROTO_CREDIT, 1, PROTO_STDIN, &c, sizeof(c));
	guest_rig_turn(r);
	assert_string_equal(r->log.buf, "room 1;");
	assert_int_equal(guest_stdin_room(r->g, 1), 10000);
	sb_reset(&r->log);
	guest_rig_put(r, PROTO_CLOSE, 1, PROTO_STDIN, NULL, 0);
	guest_rig_turn(r);
	assert_string_equal(r->log.buf, "closed 1;");
	assert_int_equal(guest_stdin_room(r->g, 1), 0);
}

static void guest_control_goes_before_data(void **state)
{
	static const uint8_t bytes[PROTO_WINDOW];
	struct guest_rig *r = *state;
	uint8_t payload[PROTO_MAX_PAYLOAD];
	struct proto_hdr h;
	size_t before = 0;

	guest_rig_run_all(r);
	/* what the socket did not take waits with us */
	for (unsigned i = 0; i < NR_APPS; i++)
		guest_stdin(r->g, i, bytes, PROTO_WINDOW);
	guest_stop(r->g, 250);
	guest_signal(r->g, PROTO_POD, 15);
	guest_signal(r->g, 1, 2);
	guest_signal(r->g, 1, 2);
	guest_signal(r->g, 1, 65);
	guest_winsize(r->g, 1, 50, 100);
	while (guest_rig_turn(r), guest_rig_take(r, &h, payload) && h.type == PROTO_DATA)
		before += h.len;
	assert_int_equal(h.type, PROTO_STOP);
	assert_true(before < NR_APPS * PROTO_WINDOW);
	guest_rig_expect_frame(r, PROTO_SIGNAL, PROTO_POD, 0, 15);
	guest_rig_expect_frame(r, PROTO_SIGNAL, 1, 0, 2);
	guest_rig_expect_frame(r, PROTO_WINSIZE, 1, 0, 50 | 100 << 16);
}

static void guest_hears_nothing_before_its_hello(void **state)
{
	struct guest_rig *r = *state;

	guest_stop(r->g, 7);
	guest_stdin(r->g, 0, "x", 1);
	guest_rig_turn(r);
	guest_rig_expect_silence(r);
	guest_rig_put_hello(r, PROTO_VERSION, NR_APPS);
	guest_rig_turn(r);
	guest_rig_expect_frame(r, PROTO_STOP, PROTO_POD, 0, 7);
	guest_rig_expect_frame(r, PROTO_DATA, 0, PROTO_STDIN, 'x');
}

static void guest_may_be_freed_in_a_callback(void **state)
{
	struct guest_rig *r = *state;

	r->frees_on_done = true;
	guest_rig_put_hello(r, PROTO_VERSION, NR_APPS);
	guest_rig_put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
	guest_rig_put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
	guest_rig_turn(r);
	assert_string_equal(r->log.buf, "hello 5;done;");
}

static void guest_without_a_spec_may_say_why(void **state)
{
	struct guest_rig *r = *state;
	struct proto_failed f = { .code = 125, .msg = "cannot read" };

	guest_rig_put_hello(r, PROTO_VERSION, 0);
	guest_rig_put(r, PROTO_FAILED, PROTO_POD, 0, &f, sizeof(f));
	guest_rig_put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
	guest_rig_turn(r);
	assert_string_equal(r->log.buf, "hello 5;failed 65535 125 0 cannot read;done;");
}

static void guest_counts_apps_in_the_range(void **state)
{
	struct guest_rig *r = *state;
	struct err e;

	assert_null(guest_new(&r->loop, dup(r->peer), 0, &guest_rig_events, r, &e));
	assert_null(
		guest_new(&r->loop, dup(r->peer), PROTO_MAX_APPS + 1, &guest_rig_events, r, &e));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, guest_rig_set_up, guest_rig_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(guest_tells_the_life_of_a_pod),
		TEST(guest_parses_any_cut_of_the_stream),
		TEST(guest_joins_output_of_one_stream),
		TEST(guest_returns_credit_for_what_was_consumed),
		TEST(guest_credit_is_per_stream),
		TEST(guest_drops_output_that_nobody_wants),
		TEST(guest_close_waits_until_the_app_runs),
		TEST(guest_stdin_keeps_to_the_window),
		TEST(guest_stdin_tells_of_room),
		TEST(guest_control_goes_before_data),
		TEST(guest_hears_nothing_before_its_hello),
		TEST(guest_may_be_freed_in_a_callback),
		TEST(guest_without_a_spec_may_say_why),
		TEST(guest_counts_apps_in_the_range),
	};

	return cmocka_run_group_tests_name("guest", tests, NULL, NULL);
}
