/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to the metadata service, on the host's end of the guest protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guest_fixture.h"

#define CONN(n) (PROTO_CONN + (n))

static void begin(struct guest_rig *r)
{
	guest_take_conns(r->g);
	guest_rig_run_all(r);
}

static void told(struct guest_rig *r, const char *log)
{
	guest_rig_turn(r);
	assert_string_equal(r->log.buf, log);
	sb_reset(&r->log);
}

static void conn_carries_both_ways_and_ends(void **state)
{
	struct guest_rig *r = *state;

	begin(r);
	guest_rig_put(r, PROTO_OPEN, CONN(3), 0, NULL, 0);
	guest_rig_put(r, PROTO_DATA, CONN(3), PROTO_STDOUT, "GET", 3);
	told(r, "open 3;data 3 3;");
	assert_int_equal(guest_conn_room(r->g, 3), PROTO_WINDOW);
	guest_conn_send(r->g, 3, "answ", 4);
	guest_rig_expect_frame(r, PROTO_DATA, CONN(3), PROTO_STDIN, 0x77736e61);
	guest_conn_end(r->g, 3);
	guest_rig_expect_frame(r, PROTO_END, CONN(3), 0, 0);
	assert_int_equal(guest_conn_room(r->g, 3), 0);
	/* what was on its way is nobody's */
	guest_rig_put(r, PROTO_DATA, CONN(3), PROTO_STDOUT, "more", 4);
	guest_rig_put(r, PROTO_EOF, CONN(3), PROTO_STDOUT, NULL, 0);
	guest_rig_put(r, PROTO_END, CONN(3), 0, NULL, 0);
	guest_rig_put(r, PROTO_OPEN, CONN(3), 0, NULL, 0);
	told(r, "open 3;");
	guest_rig_expect_silence(r);
}

static void conn_that_the_client_leaves(void **state)
{
	static uint8_t bytes[PROTO_WINDOW];
	struct guest_rig *r = *state;

	begin(r);
	guest_rig_put(r, PROTO_OPEN, CONN(0), 0, NULL, 0);
	guest_rig_put(r, PROTO_EOF, CONN(0), PROTO_STDOUT, NULL, 0);
	told(r, "open 0;conn eof 0;");
	guest_rig_put(r, PROTO_END, CONN(0), 0, NULL, 0);
	told(r, "gone 0;");
	guest_rig_expect_frame(r, PROTO_END, CONN(0), 0, 0);
	guest_conn_send(r->g, 0, bytes, sizeof(bytes));
	guest_conn_end(r->g, 0);
	guest_rig_expect_silence(r);
}

static void conn_keeps_to_the_credit(void **state)
{
	static uint8_t bytes[PROTO_WINDOW + 1];
	struct proto_credit c = { .bytes = 100 };
	uint8_t payload[PROTO_MAX_PAYLOAD];
	struct guest_rig *r = *state;
	struct proto_hdr h;
	size_t got = 0;

	begin(r);
	guest_rig_put(r, PROTO_OPEN, CONN(7), 0, NULL, 0);
	told(r, "open 7;");
	guest_conn_send(r->g, 7, bytes, sizeof(bytes));
	assert_int_equal(guest_conn_room(r->g, 7), 0);
	guest_conn_send(r->g, 7, bytes, 1);
	for (int i = 0; i < 100; i++) {
		while (guest_rig_take(r, &h, payload))
			got += h.len;
		guest_rig_turn(r);
	}
	assert_int_equal(got, PROTO_WINDOW);
	guest_rig_put(r, PROTO_CREDIT, CONN(7), PROTO_STDIN, &c, sizeof(c));
	told(r, "conn room 7;");
	assert_int_equal(guest_conn_room(r->g, 7), 100);
}

static void conn_credit_comes_back(void **state)
{
	struct guest_rig *r = *state;

	begin(r);
	guest_rig_put(r, PROTO_OPEN, CONN(1), 0, NULL, 0);
	guest_rig_put_output(r, CONN(1), PROTO_STDOUT, PROTO_WINDOW / 4);
	guest_rig_expect_frame(r, PROTO_CREDIT, CONN(1), PROTO_STDOUT, PROTO_WINDOW / 4);
	guest_rig_expect_silence(r);
}

static void lie(struct guest_rig **r, void **state, const char *why)
{
	guest_rig_expect_broken(*r, why);
	guest_rig_tear_down(state);
	guest_rig_set_up(state);
	*r = *state;
	begin(*r);
}

static void conn_lies_break_the_connection(void **state)
{
	struct guest_rig *r = *state;
	struct proto_credit c = { .bytes = 1 };

	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_OPEN, CONN(0), 0, NULL, 0);
	lie(&r, state, "no metadata service");
	guest_rig_put(r, PROTO_OPEN, CONN(8), 0, NULL, 0);
	lie(&r, state, "unknown type");
	guest_rig_put(r, PROTO_OPEN, 0, 0, NULL, 0);
	lie(&r, state, "unknown type");
	guest_rig_put(r, PROTO_DATA, CONN(0), PROTO_STDOUT, "x", 1);
	lie(&r, state, "not in this state of the connection");
	guest_rig_put(r, PROTO_END, CONN(0), 0, NULL, 0);
	lie(&r, state, "not in this state of the connection");
	guest_rig_put(r, PROTO_OPEN, CONN(0), 0, NULL, 0);
	guest_rig_put(r, PROTO_OPEN, CONN(0), 0, NULL, 0);
	lie(&r, state, "not in this state of the connection");
	guest_rig_put(r, PROTO_OPEN, CONN(0), 0, NULL, 0);
	guest_rig_put(r, PROTO_DATA, CONN(0), PROTO_STDERR, "x", 1);
	lie(&r, state, "not on this stream");
	guest_rig_put(r, PROTO_OPEN, CONN(0), 0, NULL, 0);
	guest_rig_put(r, PROTO_EOF, CONN(0), PROTO_STDOUT, NULL, 0);
	guest_rig_put(r, PROTO_DATA, CONN(0), PROTO_STDOUT, "x", 1);
	lie(&r, state, "the stream has ended");
	guest_rig_put(r, PROTO_OPEN, CONN(0), 0, NULL, 0);
	guest_rig_put(r, PROTO_CREDIT, CONN(0), PROTO_STDIN, &c, sizeof(c));
	lie(&r, state, "more than the window");
	guest_rig_put(r, PROTO_OPEN, CONN(0), 0, "x", 1);
	lie(&r, state, "wrong length");
	/* after our END it has no new credit */
	guest_rig_put(r, PROTO_OPEN, CONN(0), 0, NULL, 0);
	guest_rig_turn(r);
	guest_conn_end(r->g, 0);
	sb_reset(&r->log);
	guest_rig_put_output(r, CONN(0), PROTO_STDOUT, PROTO_WINDOW);
	guest_rig_put(r, PROTO_DATA, CONN(0), PROTO_STDOUT, "x", 1);
	lie(&r, state, "no credit for so much");
}

int main(void)
{
#define RIG(f) cmocka_unit_test_setup_teardown(f, guest_rig_set_up, guest_rig_tear_down)
	const struct CMUnitTest tests[] = {
		RIG(conn_carries_both_ways_and_ends), RIG(conn_that_the_client_leaves),
		RIG(conn_keeps_to_the_credit),	      RIG(conn_credit_comes_back),
		RIG(conn_lies_break_the_connection),
	};

	return cmocka_run_group_tests_name("guest_conn", tests, NULL, NULL);
}
