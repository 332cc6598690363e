/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of the guest protocol against a scripted guest at the other end of a socketpair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "stage0/guest.h"

#define NR_APPS 2

struct rig {
	struct loop loop;
	struct source waker;
	int wake_fd;
	int peer; /* the scripted guest */
	struct guest *g;
	struct strbuf log; /* what the callbacks told */
	bool consumes;	   /* output at once */
	size_t output_bytes;
	bool frees_on_done;
};

static void on_hello(void *ctx, uint64_t boot_ns)
{
	sb_addf(&((struct rig *)ctx)->log, "hello %u;", (unsigned)boot_ns);
}

static void on_ready(void *ctx)
{
	sb_adds(&((struct rig *)ctx)->log, "ready;");
}

static void on_started(void *ctx, unsigned app, uint32_t pid)
{
	sb_addf(&((struct rig *)ctx)->log, "started %u %u;", app, pid);
}

static void on_exited(void *ctx, unsigned app, int code, int signo, bool oom)
{
	sb_addf(&((struct rig *)ctx)->log, "exited %u %d %d %d;", app, code, signo, oom);
}

static void on_failed(void *ctx, unsigned app, int code, int num, const char *msg)
{
	sb_addf(&((struct rig *)ctx)->log, "failed %u %d %d %s;", app, code, num, msg);
}

static void on_output(void *ctx, unsigned app, enum proto_stream s, const void *p, size_t n)
{
	struct rig *r = ctx;

	(void)p;
	r->output_bytes += n;
	sb_addf(&r->log, "out %u/%d %zu;", app, s, n);
	if (r->consumes)
		guest_consumed(r->g, app, s, n);
}

static void on_output_eof(void *ctx, unsigned app, enum proto_stream s)
{
	sb_addf(&((struct rig *)ctx)->log, "eof %u/%d;", app, s);
}

static void on_stdin_room(void *ctx, unsigned app)
{
	sb_addf(&((struct rig *)ctx)->log, "room %u;", app);
}

static void on_stdin_closed(void *ctx, unsigned app)
{
	sb_addf(&((struct rig *)ctx)->log, "closed %u;", app);
}

static void on_done(void *ctx)
{
	struct rig *r = ctx;

	sb_adds(&r->log, "done;");
	if (!r->frees_on_done)
		return;
	guest_free(r->g);
	r->g = NULL;
}

static void on_broken(void *ctx, const char *why)
{
	sb_addf(&((struct rig *)ctx)->log, "broken %s;", why ? why : "(end)");
}

static const struct guest_events events = {
	.hello = on_hello,
	.ready = on_ready,
	.app_started = on_started,
	.app_exited = on_exited,
	.failed = on_failed,
	.output = on_output,
	.output_eof = on_output_eof,
	.stdin_room = on_stdin_room,
	.stdin_closed = on_stdin_closed,
	.done = on_done,
	.broken = on_broken,
};

static void woken(struct source *s, uint32_t ev)
{
	uint64_t n;

	(void)ev;
	assert_int_equal(read(s->fd, &n, sizeof(n)), sizeof(n));
	loop_stop(s->loop);
}

static int set_up(void **state)
{
	static struct rig rig;
	struct rig *r = &rig;
	struct err e;
	int sv[2];

	memset(r, 0, sizeof(*r));
	sb_init(&r->log);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
	r->wake_fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(loop_init(&r->loop, &e), 0);
	assert_int_equal(loop_add(&r->loop, &r->waker, r->wake_fd, EPOLLIN, woken, &e), 0);
	r->peer = sv[1];
	r->g = guest_new(&r->loop, sv[0], NR_APPS, &events, r, &e);
	assert_non_null(r->g);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	guest_free(r->g);
	close_p(&r->peer);
	loop_remove(&r->waker);
	close(r->wake_fd);
	loop_close(&r->loop);
	sb_free(&r->log);
	return 0;
}

/* One turn of the loop with all that is ready. */
static void turn(struct rig *r)
{
	uint64_t one = 1;
	struct err e;

	r->loop.stop = false;
	assert_int_equal(write(r->wake_fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(loop_run(&r->loop, &e), 0);
}

static void put_raw(struct rig *r, const void *p, size_t n)
{
	assert_int_equal(write(r->peer, p, n), n);
}

static void put(struct rig *r, unsigned type, unsigned session, unsigned stream, const void *p,
		size_t n)
{
	struct proto_hdr h = { .type = (uint8_t)type,
			       .stream = (uint8_t)stream,
			       .session = (uint16_t)session,
			       .len = (uint32_t)n };

	put_raw(r, &h, sizeof(h));
	if (n)
		put_raw(r, p, n);
}

static void put_hello(struct rig *r, uint32_t version, uint32_t nr_apps)
{
	struct proto_hello m = { .version = version, .nr_apps = nr_apps, .boot_ns = 5 };

	put(r, PROTO_HELLO, PROTO_POD, 0, &m, sizeof(m));
}

static void put_ready(struct rig *r)
{
	put_hello(r, PROTO_VERSION, NR_APPS);
	put(r, PROTO_READY, PROTO_POD, 0, NULL, 0);
}

static void put_started(struct rig *r, unsigned app)
{
	struct proto_started m = { .pid = 7 + app };

	put(r, PROTO_APP_STARTED, app, 0, &m, sizeof(m));
}

static void put_exited(struct rig *r, unsigned app, uint32_t code, uint32_t signo, uint32_t flags)
{
	struct proto_exited m = { .code = code, .signal = signo, .flags = flags };

	put(r, PROTO_APP_EXITED, app, 0, &m, sizeof(m));
}

static void put_eofs(struct rig *r, unsigned app)
{
	put(r, PROTO_EOF, app, PROTO_STDOUT, NULL, 0);
	put(r, PROTO_EOF, app, PROTO_STDERR, NULL, 0);
}

/* Both apps run; the log is empty again. */
static void run_all(struct rig *r)
{
	put_ready(r);
	put_started(r, 0);
	put_started(r, 1);
	turn(r);
	assert_string_equal(r->log.buf, "hello 5;ready;started 0 7;started 1 8;");
	sb_reset(&r->log);
}

/* Sends @n bytes of output without taking more than the socket holds at once. */
static void put_output(struct rig *r, unsigned app, unsigned stream, size_t n)
{
	static const char bytes[PROTO_MAX_PAYLOAD];

	while (n) {
		size_t len = n < sizeof(bytes) ? n : sizeof(bytes);

		put(r, PROTO_DATA, app, stream, bytes, len);
		turn(r);
		n -= len;
	}
}

/* Reads the next frame that the host wrote; false when there is none. */
static bool take(struct rig *r, struct proto_hdr *h, uint8_t payload[PROTO_MAX_PAYLOAD])
{
	ssize_t n = recv(r->peer, h, sizeof(*h), MSG_DONTWAIT);

	if (n < 0)
		return false;
	assert_int_equal(n, sizeof(*h));
	assert_true(h->len <= PROTO_MAX_PAYLOAD);
	if (h->len)
		assert_int_equal(recv(r->peer, payload, h->len, MSG_DONTWAIT | MSG_WAITALL),
				 h->len);
	return true;
}

static void expect_frame(struct rig *r, unsigned type, unsigned session, unsigned stream,
			 uint32_t first_word)
{
	uint8_t payload[PROTO_MAX_PAYLOAD] = { 0 };
	struct proto_hdr h;
	uint32_t word;

	assert_true(take(r, &h, payload));
	assert_int_equal(h.type, type);
	assert_int_equal(h.session, session);
	assert_int_equal(h.stream, stream);
	memcpy(&word, payload, sizeof(word));
	assert_int_equal(word, first_word);
}

static void expect_silence(struct rig *r)
{
	uint8_t payload[PROTO_MAX_PAYLOAD];
	struct proto_hdr h;

	assert_false(take(r, &h, payload));
}

/* The connection broke, once, and for @why; what follows is not parsed. */
static void expect_broken(struct rig *r, const char *why)
{
	const char *told;

	turn(r);
	told = strstr(r->log.buf, "broken ");
	assert_non_null(told);
	if (!strstr(told, why))
		fail_msg("'%s' does not say '%s'", told, why);
	sb_reset(&r->log);
	if (r->peer >= 0)
		put_hello(r, PROTO_VERSION, NR_APPS);
	turn(r);
	assert_int_equal(r->log.len, 0);
	assert_int_equal(guest_stdin_room(r->g, 0), 0);
	guest_stop(r->g, 1);
}

static void guest_tells_the_life_of_a_pod(void **state)
{
	struct rig *r = *state;
	struct proto_failed f = { .code = 127, .num = 2, .msg = "cannot" };

	put_ready(r);
	put_started(r, 0);
	put(r, PROTO_DATA, 0, PROTO_STDOUT, "abc", 3);
	put(r, PROTO_FAILED, 1, 0, &f, sizeof(f));
	put_eofs(r, 0);
	put_exited(r, 0, 0, 9, PROTO_EXIT_OOM);
	put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
	turn(r);
	assert_string_equal(r->log.buf, "hello 5;ready;started 0 7;out 0/1 3;failed 1 127 2 cannot;"
					"eof 0/1;eof 0/2;exited 0 0 9 1;done;");
	sb_reset(&r->log);
	close_p(&r->peer);
	turn(r);
	assert_string_equal(r->log.buf, "broken (end);");
}

static void guest_parses_any_cut_of_the_stream(void **state)
{
	struct rig *r = *state;
	uint8_t all[512];
	struct proto_hello hello = { .version = 1, .nr_apps = NR_APPS, .boot_ns = 5 };
	struct proto_hdr h = { .type = PROTO_HELLO, .session = PROTO_POD, .len = sizeof(hello) };
	struct proto_hdr ready = { .type = PROTO_READY, .session = PROTO_POD };

	memcpy(all, &h, sizeof(h));
	memcpy(all + 8, &hello, sizeof(hello));
	memcpy(all + 24, &ready, sizeof(ready));
	for (size_t i = 0; i < 32; i++) {
		put_raw(r, all + i, 1);
		turn(r);
	}
	assert_string_equal(r->log.buf, "hello 5;ready;");
}

static void guest_joins_output_of_one_stream(void **state)
{
	struct rig *r = *state;

	run_all(r);
	put(r, PROTO_DATA, 0, PROTO_STDOUT, "abc", 3);
	put(r, PROTO_DATA, 0, PROTO_STDOUT, "de", 2);
	put(r, PROTO_DATA, 0, PROTO_STDERR, "f", 1);
	put(r, PROTO_DATA, 1, PROTO_STDERR, "g", 1);
	turn(r);
	assert_string_equal(r->log.buf, "out 0/1 5;out 0/2 1;out 1/2 1;");
}

static void guest_returns_credit_for_what_was_consumed(void **state)
{
	struct rig *r = *state;

	run_all(r);
	put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	expect_silence(r);
	guest_consumed(r->g, 0, PROTO_STDOUT, 1000);
	expect_silence(r);
	guest_consumed(r->g, 0, PROTO_STDOUT, PROTO_WINDOW - 1000);
	expect_frame(r, PROTO_CREDIT, 0, PROTO_STDOUT, PROTO_WINDOW);
	put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	assert_int_equal(r->output_bytes, 2 * PROTO_WINDOW);
	/* more than was held is not believed */
	guest_consumed(r->g, 0, PROTO_STDOUT, 10 * PROTO_WINDOW);
	expect_frame(r, PROTO_CREDIT, 0, PROTO_STDOUT, PROTO_WINDOW);
}

static void guest_credit_is_per_stream(void **state)
{
	struct rig *r = *state;

	run_all(r);
	put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	put_output(r, 0, PROTO_STDERR, PROTO_WINDOW);
	put_output(r, 1, PROTO_STDOUT, PROTO_WINDOW);
	assert_int_equal(r->output_bytes, 3 * PROTO_WINDOW);
}

static void guest_drops_output_that_nobody_wants(void **state)
{
	struct rig *r = *state;

	run_all(r);
	guest_close_output(r->g, 0, PROTO_STDOUT);
	guest_close_output(r->g, 0, PROTO_STDOUT);
	expect_frame(r, PROTO_CLOSE, 0, PROTO_STDOUT, 0);
	put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	put_eofs(r, 0);
	turn(r);
	expect_silence(r);
	assert_string_equal(r->log.buf, "eof 0/1;eof 0/2;");
}

static void guest_close_waits_until_the_app_runs(void **state)
{
	struct rig *r = *state;

	put_ready(r);
	turn(r);
	guest_close_output(r->g, 0, PROTO_STDERR);
	expect_silence(r);
	put_started(r, 0);
	turn(r);
	expect_frame(r, PROTO_CLOSE, 0, PROTO_STDERR, 0);
}

static void guest_stdin_keeps_to_the_window(void **state)
{
	static const uint8_t bytes[PROTO_WINDOW];
	struct proto_credit c = { .bytes = 5000 };
	struct rig *r = *state;
	uint8_t payload[PROTO_MAX_PAYLOAD];
	struct proto_hdr h;
	size_t sum = 0;

	run_all(r);
	assert_int_equal(guest_stdin_room(r->g, 0), PROTO_WINDOW);
	guest_stdin(r->g, 0, bytes, PROTO_WINDOW - 1);
	assert_int_equal(guest_stdin_room(r->g, 0), 1);
	guest_stdin(r->g, 0, bytes, 100);
	assert_int_equal(guest_stdin_room(r->g, 0), 0);
	guest_stdin_eof(r->g, 0);
	while (turn(r), take(r, &h, payload)) {
		assert_int_equal(h.session, 0);
		sum += h.len;
		if (h.type == PROTO_EOF)
			break;
		assert_int_equal(h.type, PROTO_DATA);
	}
	assert_int_equal(sum, PROTO_WINDOW);
	assert_int_equal(h.type, PROTO_EOF);
	put(r, PROTO_CREDIT, 0, PROTO_STDIN, &c, sizeof(c));
	turn(r);
	assert_string_equal(r->log.buf, ""); /* its end was sent: there is no room */
	expect_silence(r);
}

static void guest_stdin_tells_of_room(void **state)
{
	static const uint8_t bytes[PROTO_WINDOW];
	struct proto_credit c = { .bytes = 5000 };
	struct rig *r = *state;
	uint8_t payload[PROTO_MAX_PAYLOAD];
	struct proto_hdr h;

	run_all(r);
	guest_stdin(r->g, 1, bytes, PROTO_WINDOW);
	while (turn(r), take(r, &h, payload))
		;
	put(r, PROTO_CREDIT, 1, PROTO_STDIN, &c, sizeof(c));
	put(r, PROTO_CREDIT, 1, PROTO_STDIN, &c, sizeof(c));
	turn(r);
	assert_string_equal(r->log.buf, "room 1;");
	assert_int_equal(guest_stdin_room(r->g, 1), 10000);
	sb_reset(&r->log);
	put(r, PROTO_CLOSE, 1, PROTO_STDIN, NULL, 0);
	turn(r);
	assert_string_equal(r->log.buf, "closed 1;");
	assert_int_equal(guest_stdin_room(r->g, 1), 0);
}

static void guest_control_goes_before_data(void **state)
{
	static const uint8_t bytes[PROTO_WINDOW];
	struct rig *r = *state;
	uint8_t payload[PROTO_MAX_PAYLOAD];
	struct proto_hdr h;
	size_t before = 0;

	run_all(r);
	/* what the socket did not take waits with us */
	for (unsigned i = 0; i < NR_APPS; i++)
		guest_stdin(r->g, i, bytes, PROTO_WINDOW);
	guest_stop(r->g, 250);
	guest_signal(r->g, PROTO_POD, 15);
	guest_signal(r->g, 1, 2);
	guest_signal(r->g, 1, 2);
	guest_signal(r->g, 1, 65);
	guest_winsize(r->g, 1, 50, 100);
	while (turn(r), take(r, &h, payload) && h.type == PROTO_DATA)
		before += h.len;
	assert_int_equal(h.type, PROTO_STOP);
	assert_true(before < NR_APPS * PROTO_WINDOW);
	expect_frame(r, PROTO_SIGNAL, PROTO_POD, 0, 15);
	expect_frame(r, PROTO_SIGNAL, 1, 0, 2);
	expect_frame(r, PROTO_WINSIZE, 1, 0, 50 | 100 << 16);
}

static void guest_hears_nothing_before_its_hello(void **state)
{
	struct rig *r = *state;

	guest_stop(r->g, 7);
	guest_stdin(r->g, 0, "x", 1);
	turn(r);
	expect_silence(r);
	put_hello(r, PROTO_VERSION, NR_APPS);
	turn(r);
	expect_frame(r, PROTO_STOP, PROTO_POD, 0, 7);
	expect_frame(r, PROTO_DATA, 0, PROTO_STDIN, 'x');
}

static void guest_may_be_freed_in_a_callback(void **state)
{
	struct rig *r = *state;

	r->frees_on_done = true;
	put_hello(r, PROTO_VERSION, NR_APPS);
	put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
	put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
	turn(r);
	assert_string_equal(r->log.buf, "hello 5;done;");
}

static void guest_without_a_spec_may_say_why(void **state)
{
	struct rig *r = *state;
	struct proto_failed f = { .code = 125, .msg = "cannot read" };

	put_hello(r, PROTO_VERSION, 0);
	put(r, PROTO_FAILED, PROTO_POD, 0, &f, sizeof(f));
	put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
	turn(r);
	assert_string_equal(r->log.buf, "hello 5;failed 65535 125 0 cannot read;done;");
}

static void guest_counts_apps_in_the_range(void **state)
{
	struct rig *r = *state;
	struct err e;

	assert_null(guest_new(&r->loop, dup(r->peer), 0, &events, r, &e));
	assert_null(guest_new(&r->loop, dup(r->peer), PROTO_MAX_APPS + 1, &events, r, &e));
}

/* ---- violations ----------------------------------------------------------------------------- */

struct lie {
	const char *name;
	void (*tell)(struct rig *r);
	const char *why;
};

static void lie_type_0(struct rig *r)
{
	put(r, 0, PROTO_POD, 0, NULL, 0);
}

static void lie_type_255(struct rig *r)
{
	put(r, 255, 0, 0, NULL, 0);
}

static void lie_host_type(struct rig *r)
{
	run_all(r);
	put(r, PROTO_STOP, PROTO_POD, 0, "abcd", 4);
}

static void lie_oversized(struct rig *r)
{
	struct proto_hdr h = { .type = PROTO_DATA, .stream = 1, .len = PROTO_MAX_PAYLOAD + 1 };

	run_all(r);
	put_raw(r, &h, sizeof(h));
}

static void lie_huge(struct rig *r)
{
	struct proto_hdr h = { .type = PROTO_HELLO, .session = PROTO_POD, .len = UINT32_MAX };

	put_raw(r, &h, sizeof(h));
}

static void lie_ready_first(struct rig *r)
{
	put(r, PROTO_READY, PROTO_POD, 0, NULL, 0);
}

static void lie_two_hellos(struct rig *r)
{
	put_hello(r, PROTO_VERSION, NR_APPS);
	put_hello(r, PROTO_VERSION, NR_APPS);
}

static void lie_version(struct rig *r)
{
	put_hello(r, PROTO_VERSION + 1, NR_APPS);
}

static void lie_nr_apps(struct rig *r)
{
	put_hello(r, PROTO_VERSION, NR_APPS + 1);
}

static void lie_ready_without_spec(struct rig *r)
{
	put_hello(r, PROTO_VERSION, 0);
	put(r, PROTO_READY, PROTO_POD, 0, NULL, 0);
}

static void lie_two_readys(struct rig *r)
{
	put_ready(r);
	put(r, PROTO_READY, PROTO_POD, 0, NULL, 0);
}

static void lie_ready_with_payload(struct rig *r)
{
	put_hello(r, PROTO_VERSION, NR_APPS);
	put(r, PROTO_READY, PROTO_POD, 0, "x", 1);
}

static void lie_ready_of_app(struct rig *r)
{
	put_hello(r, PROTO_VERSION, NR_APPS);
	put(r, PROTO_READY, 0, 0, NULL, 0);
}

static void lie_ready_on_stream(struct rig *r)
{
	put_hello(r, PROTO_VERSION, NR_APPS);
	put(r, PROTO_READY, PROTO_POD, 1, NULL, 0);
}

static void lie_short_hello(struct rig *r)
{
	put(r, PROTO_HELLO, PROTO_POD, 0, "abcdefgh", 8);
}

static void lie_started_early(struct rig *r)
{
	put_hello(r, PROTO_VERSION, NR_APPS);
	put_started(r, 0);
}

static void lie_started_twice(struct rig *r)
{
	run_all(r);
	put_started(r, 0);
}

static void lie_unknown_session(struct rig *r)
{
	put_ready(r);
	put_started(r, NR_APPS);
}

static void lie_started_pod(struct rig *r)
{
	put_ready(r);
	put_started(r, PROTO_POD);
}

static void lie_pid(struct rig *r)
{
	struct proto_started m = { .pid = 1 };

	put_ready(r);
	put(r, PROTO_APP_STARTED, 0, 0, &m, sizeof(m));
}

static void lie_data_early(struct rig *r)
{
	put_ready(r);
	put(r, PROTO_DATA, 0, PROTO_STDOUT, "x", 1);
}

static void lie_data_on_stdin(struct rig *r)
{
	run_all(r);
	put(r, PROTO_DATA, 0, PROTO_STDIN, "x", 1);
}

static void lie_data_on_stream_7(struct rig *r)
{
	run_all(r);
	put(r, PROTO_DATA, 0, 7, "x", 1);
}

static void lie_data_on_stream_255(struct rig *r)
{
	run_all(r);
	put(r, PROTO_DATA, 0, 255, "x", 1);
}

static void lie_empty_data(struct rig *r)
{
	run_all(r);
	put(r, PROTO_DATA, 0, PROTO_STDOUT, NULL, 0);
}

static void lie_credit_overrun(struct rig *r)
{
	run_all(r);
	put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	put(r, PROTO_DATA, 0, PROTO_STDOUT, "x", 1);
}

static void lie_overrun_after_partial_credit(struct rig *r)
{
	run_all(r);
	put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	guest_consumed(r->g, 0, PROTO_STDOUT, PROTO_WINDOW / 2);
	put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW / 2);
	put(r, PROTO_DATA, 0, PROTO_STDOUT, "x", 1);
}

static void lie_overrun_of_closed_stream(struct rig *r)
{
	run_all(r);
	guest_close_output(r->g, 0, PROTO_STDOUT);
	put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	put(r, PROTO_DATA, 0, PROTO_STDOUT, "x", 1);
}

static void lie_data_after_eof(struct rig *r)
{
	run_all(r);
	put(r, PROTO_EOF, 0, PROTO_STDOUT, NULL, 0);
	put(r, PROTO_DATA, 0, PROTO_STDOUT, "x", 1);
}

static void lie_two_eofs(struct rig *r)
{
	run_all(r);
	put(r, PROTO_EOF, 0, PROTO_STDERR, NULL, 0);
	put(r, PROTO_EOF, 0, PROTO_STDERR, NULL, 0);
}

static void lie_exit_before_eof(struct rig *r)
{
	run_all(r);
	put(r, PROTO_EOF, 0, PROTO_STDOUT, NULL, 0);
	put_exited(r, 0, 0, 0, 0);
}

static void lie_two_exits(struct rig *r)
{
	run_all(r);
	put_eofs(r, 0);
	put_exited(r, 0, 0, 0, 0);
	put_exited(r, 0, 0, 0, 0);
}

static void lie_data_after_exit(struct rig *r)
{
	run_all(r);
	put_eofs(r, 0);
	put_exited(r, 0, 0, 0, 0);
	put(r, PROTO_DATA, 0, PROTO_STDOUT, "x", 1);
}

static void lie_exit_code(struct rig *r)
{
	run_all(r);
	put_eofs(r, 0);
	put_exited(r, 0, 256, 0, 0);
}

static void lie_exit_signal(struct rig *r)
{
	run_all(r);
	put_eofs(r, 0);
	put_exited(r, 0, 0, 65, 0);
}

static void lie_exit_both(struct rig *r)
{
	run_all(r);
	put_eofs(r, 0);
	put_exited(r, 0, 1, 9, 0);
}

static void lie_exit_flags(struct rig *r)
{
	run_all(r);
	put_eofs(r, 0);
	put_exited(r, 0, 0, 0, 2);
}

static void lie_failed_while_running(struct rig *r)
{
	struct proto_failed f = { .code = 125 };

	run_all(r);
	put(r, PROTO_FAILED, 0, 0, &f, sizeof(f));
}

static void lie_failed_code(struct rig *r)
{
	struct proto_failed f = { .code = 0 };

	put_ready(r);
	put(r, PROTO_FAILED, 0, 0, &f, sizeof(f));
}

static void lie_failed_endless(struct rig *r)
{
	struct proto_failed f = { .code = 125 };

	memset(f.msg, 'x', sizeof(f.msg));
	put_ready(r);
	put(r, PROTO_FAILED, PROTO_POD, 0, &f, sizeof(f));
}

static void lie_started_after_pod_failed(struct rig *r)
{
	struct proto_failed f = { .code = 125 };

	put_ready(r);
	put(r, PROTO_FAILED, PROTO_POD, 0, &f, sizeof(f));
	put_started(r, 0);
}

static void lie_credit_0(struct rig *r)
{
	struct proto_credit c = { .bytes = 0 };

	run_all(r);
	put(r, PROTO_CREDIT, 0, PROTO_STDIN, &c, sizeof(c));
}

static void lie_credit_beyond_window(struct rig *r)
{
	struct proto_credit c = { .bytes = 1 };

	run_all(r);
	put(r, PROTO_CREDIT, 0, PROTO_STDIN, &c, sizeof(c));
}

static void lie_credit_on_stdout(struct rig *r)
{
	struct proto_credit c = { .bytes = 1 };

	run_all(r);
	put(r, PROTO_CREDIT, 0, PROTO_STDOUT, &c, sizeof(c));
}

static void lie_two_closes(struct rig *r)
{
	run_all(r);
	put(r, PROTO_CLOSE, 0, PROTO_STDIN, NULL, 0);
	put(r, PROTO_CLOSE, 0, PROTO_STDIN, NULL, 0);
}

static void lie_done_while_running(struct rig *r)
{
	run_all(r);
	put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
}

static void lie_frame_after_done(struct rig *r)
{
	put_ready(r);
	put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
	put_started(r, 0);
}

static void lie_done_first(struct rig *r)
{
	put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
}

static const struct lie lies[] = {
	{ "type 0", lie_type_0, "unknown type" },
	{ "type 255", lie_type_255, "unknown type" },
	{ "a host's type", lie_host_type, "unknown type" },
	{ "length above the maximum", lie_oversized, "of 4097 bytes" },
	{ "huge length", lie_huge, "of 4294967295 bytes" },
	{ "READY first", lie_ready_first, "not now" },
	{ "HELLO twice", lie_two_hellos, "not now" },
	{ "another version", lie_version, "another version" },
	{ "another number of apps", lie_nr_apps, "another number of apps" },
	{ "READY without a spec", lie_ready_without_spec, "not now" },
	{ "READY twice", lie_two_readys, "not now" },
	{ "READY with payload", lie_ready_with_payload, "wrong length" },
	{ "READY of an app", lie_ready_of_app, "unknown type" },
	{ "READY on a stream", lie_ready_on_stream, "not on this stream" },
	{ "short HELLO", lie_short_hello, "wrong length" },
	{ "APP_STARTED before READY", lie_started_early, "not now" },
	{ "APP_STARTED twice", lie_started_twice, "not in this state" },
	{ "unknown session", lie_unknown_session, "no such app" },
	{ "APP_STARTED of the pod", lie_started_pod, "unknown type" },
	{ "pid 1", lie_pid, "no such process" },
	{ "DATA before APP_STARTED", lie_data_early, "not in this state" },
	{ "DATA on stdin", lie_data_on_stdin, "not on this stream" },
	{ "DATA on stream 7", lie_data_on_stream_7, "not on this stream" },
	{ "DATA on stream 255", lie_data_on_stream_255, "not on this stream" },
	{ "empty DATA", lie_empty_data, "wrong length" },
	{ "DATA without credit", lie_credit_overrun, "no credit" },
	{ "DATA beyond credit", lie_overrun_after_partial_credit, "no credit" },
	{ "DATA beyond credit when closed", lie_overrun_of_closed_stream, "no credit" },
	{ "DATA after EOF", lie_data_after_eof, "has ended" },
	{ "EOF twice", lie_two_eofs, "has ended" },
	{ "APP_EXITED before EOF", lie_exit_before_eof, "has not ended" },
	{ "APP_EXITED twice", lie_two_exits, "not in this state" },
	{ "DATA after APP_EXITED", lie_data_after_exit, "not in this state" },
	{ "code 256", lie_exit_code, "no such exit status" },
	{ "signal 65", lie_exit_signal, "no such exit status" },
	{ "code and signal", lie_exit_both, "no such exit status" },
	{ "unknown flag", lie_exit_flags, "no such exit status" },
	{ "FAILED while running", lie_failed_while_running, "not in this state" },
	{ "FAILED with code 0", lie_failed_code, "no such failure" },
	{ "FAILED with endless text", lie_failed_endless, "has no end" },
	{ "APP_STARTED in a failed pod", lie_started_after_pod_failed, "not now" },
	{ "CREDIT of 0", lie_credit_0, "credit for more" },
	{ "CREDIT beyond the window", lie_credit_beyond_window, "credit for more" },
	{ "CREDIT on stdout", lie_credit_on_stdout, "not on this stream" },
	{ "CLOSE twice", lie_two_closes, "closed" },
	{ "DONE while an app runs", lie_done_while_running, "still runs" },
	{ "a frame after DONE", lie_frame_after_done, "not now" },
	{ "DONE first", lie_done_first, "not now" },
};

static void guest_that_lies_is_cut_off(void **state)
{
	struct rig *r = *state;

	for (size_t i = 0; i < nitems(lies); i++) {
		print_message("  lie: %s\n", lies[i].name);
		lies[i].tell(r);
		expect_broken(r, lies[i].why);
		tear_down(state);
		set_up(state);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
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
		TEST(guest_that_lies_is_cut_off),
	};

	return cmocka_run_group_tests_name("guest", tests, NULL, NULL);
}
