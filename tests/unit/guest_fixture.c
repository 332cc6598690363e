/* SPDX-License-Identifier: Apache-2.0 */
#include "guest_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void on_hello(void *ctx, uint64_t boot_ns)
{
	sb_addf(&((struct guest_rig *)ctx)->log, "hello %u;", (unsigned)boot_ns);
}

static void on_ready(void *ctx)
{
	sb_adds(&((struct guest_rig *)ctx)->log, "ready;");
}

static void on_started(void *ctx, unsigned app, uint32_t pid)
{
	sb_addf(&((struct guest_rig *)ctx)->log, "started %u %u;", app, pid);
}

static void on_exited(void *ctx, unsigned app, int code, int signo, bool oom)
{
	sb_addf(&((struct guest_rig *)ctx)->log, "exited %u %d %d %d;", app, code, signo, oom);
}

static void on_failed(void *ctx, unsigned app, int code, int num, const char *msg)
{
	sb_addf(&((struct guest_rig *)ctx)->log, "failed %u %d %d %s;", app, code, num, msg);
}

static void on_output(void *ctx, unsigned app, enum proto_stream s, const void *p, size_t n)
{
	struct guest_rig *r = ctx;

	(void)p;
	r->output_bytes += n;
	sb_addf(&r->log, "out %u/%d %zu;", app, s, n);
	if (r->consumes)
		guest_consumed(r->g, app, s, n);
}

static void on_output_eof(void *ctx, unsigned app, enum proto_stream s)
{
	sb_addf(&((struct guest_rig *)ctx)->log, "eof %u/%d;", app, s);
}

static void on_stdin_room(void *ctx, unsigned app)
{
	sb_addf(&((struct guest_rig *)ctx)->log, "room %u;", app);
}

static void on_stdin_closed(void *ctx, unsigned app)
{
	sb_addf(&((struct guest_rig *)ctx)->log, "closed %u;", app);
}

static void on_conn_open(void *ctx, unsigned conn)
{
	sb_addf(&((struct guest_rig *)ctx)->log, "open %u;", conn);
}

static void on_conn_data(void *ctx, unsigned conn, const void *p, size_t n)
{
	(void)p;
	sb_addf(&((struct guest_rig *)ctx)->log, "data %u %zu;", conn, n);
}

static void on_conn_eof(void *ctx, unsigned conn)
{
	sb_addf(&((struct guest_rig *)ctx)->log, "conn eof %u;", conn);
}

static void on_conn_room(void *ctx, unsigned conn)
{
	sb_addf(&((struct guest_rig *)ctx)->log, "conn room %u;", conn);
}

static void on_conn_gone(void *ctx, unsigned conn)
{
	sb_addf(&((struct guest_rig *)ctx)->log, "gone %u;", conn);
}

static void on_done(void *ctx)
{
	struct guest_rig *r = ctx;

	sb_adds(&r->log, "done;");
	if (!r->frees_on_done)
		return;
	guest_free(r->g);
	r->g = NULL;
}

static void on_broken(void *ctx, const char *why)
{
	sb_addf(&((struct guest_rig *)ctx)->log, "broken %s;", why ? why : "(end)");
}

const struct guest_events guest_rig_events = {
	.hello = on_hello,
	.ready = on_ready,
	.app_started = on_started,
	.app_exited = on_exited,
	.failed = on_failed,
	.output = on_output,
	.output_eof = on_output_eof,
	.stdin_room = on_stdin_room,
	.stdin_closed = on_stdin_closed,
	.conn_open = on_conn_open,
	.conn_data = on_conn_data,
	.conn_eof = on_conn_eof,
	.conn_room = on_conn_room,
	.conn_gone = on_conn_gone,
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

int guest_rig_set_up(void **state)
{
	static struct guest_rig rig;
	struct guest_rig *r = &rig;
	struct err e;
	int sv[2];

	memset(r, 0, sizeof(*r));
	sb_init(&r->log);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
	r->wake_fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(loop_init(&r->loop, &e), 0);
	assert_int_equal(loop_add(&r->loop, &r->waker, r->wake_fd, EPOLLIN, woken, &e), 0);
	r->peer = sv[1];
	r->g = guest_new(&r->loop, sv[0], NR_APPS, &guest_rig_events, r, &e);
	assert_non_null(r->g);
	*state = r;
	return 0;
}

int guest_rig_tear_down(void **state)
{
	struct guest_rig *r = *state;

	guest_free(r->g);
	close_p(&r->peer);
	loop_remove(&r->waker);
	close(r->wake_fd);
	loop_close(&r->loop);
	sb_free(&r->log);
	return 0;
}

/* One turn of the loop with all that is ready. */
void guest_rig_turn(struct guest_rig *r)
{
	uint64_t one = 1;
	struct err e;

	r->loop.stop = false;
	assert_int_equal(write(r->wake_fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(loop_run(&r->loop, &e), 0);
}

void guest_rig_put_raw(struct guest_rig *r, const void *p, size_t n)
{
	assert_int_equal(write(r->peer, p, n), n);
}

void guest_rig_put(struct guest_rig *r, unsigned type, unsigned session, unsigned stream,
		   const void *p, size_t n)
{
	struct proto_hdr h = { .type = (uint8_t)type,
			       .stream = (uint8_t)stream,
			       .session = (uint16_t)session,
			       .len = (uint32_t)n };

	guest_rig_put_raw(r, &h, sizeof(h));
	if (n)
		guest_rig_put_raw(r, p, n);
}

void guest_rig_put_hello(struct guest_rig *r, uint32_t version, uint32_t nr_apps)
{
	struct proto_hello m = { .version = version, .nr_apps = nr_apps, .boot_ns = 5 };

	guest_rig_put(r, PROTO_HELLO, PROTO_POD, 0, &m, sizeof(m));
}

void guest_rig_put_ready(struct guest_rig *r)
{
	guest_rig_put_hello(r, PROTO_VERSION, NR_APPS);
	guest_rig_put(r, PROTO_READY, PROTO_POD, 0, NULL, 0);
}

void guest_rig_put_started(struct guest_rig *r, unsigned app)
{
	struct proto_started m = { .pid = 7 + app };

	guest_rig_put(r, PROTO_APP_STARTED, app, 0, &m, sizeof(m));
}

void guest_rig_put_exited(struct guest_rig *r, unsigned app, uint32_t code, uint32_t signo,
			  uint32_t flags)
{
	struct proto_exited m = { .code = code, .signal = signo, .flags = flags };

	guest_rig_put(r, PROTO_APP_EXITED, app, 0, &m, sizeof(m));
}

void guest_rig_put_eofs(struct guest_rig *r, unsigned app)
{
	guest_rig_put(r, PROTO_EOF, app, PROTO_STDOUT, NULL, 0);
	guest_rig_put(r, PROTO_EOF, app, PROTO_STDERR, NULL, 0);
}

/* Both apps run; the log is empty again. */
void guest_rig_run_all(struct guest_rig *r)
{
	guest_rig_put_ready(r);
	guest_rig_put_started(r, 0);
	guest_rig_put_started(r, 1);
	guest_rig_turn(r);
	assert_string_equal(r->log.buf, "hello 5;ready;started 0 7;started 1 8;");
	sb_reset(&r->log);
}

/* Sends @n bytes of output without taking more than the socket holds at once. */
void guest_rig_put_output(struct guest_rig *r, unsigned app, unsigned stream, size_t n)
{
	static const char bytes[PROTO_MAX_PAYLOAD];

	while (n) {
		size_t len = n < sizeof(bytes) ? n : sizeof(bytes);

		guest_rig_put(r, PROTO_DATA, app, stream, bytes, len);
		guest_rig_turn(r);
		n -= len;
	}
}

/* Reads the next frame that the host wrote; false when there is none. */
bool guest_rig_take(struct guest_rig *r, struct proto_hdr *h, uint8_t payload[PROTO_MAX_PAYLOAD])
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

void guest_rig_expect_frame(struct guest_rig *r, unsigned type, unsigned session, unsigned stream,
			    uint32_t first_word)
{
	uint8_t payload[PROTO_MAX_PAYLOAD] = { 0 };
	struct proto_hdr h;
	uint32_t word;

	assert_true(guest_rig_take(r, &h, payload));
	assert_int_equal(h.type, type);
	assert_int_equal(h.session, session);
	assert_int_equal(h.stream, stream);
	memcpy(&word, payload, sizeof(word));
	assert_int_equal(word, first_word);
}

void guest_rig_expect_silence(struct guest_rig *r)
{
	uint8_t payload[PROTO_MAX_PAYLOAD];
	struct proto_hdr h;

	assert_false(guest_rig_take(r, &h, payload));
}

/* The connection broke, once, and for @why; what follows is not parsed. */
void guest_rig_expect_broken(struct guest_rig *r, const char *why)
{
	const char *told;

	guest_rig_turn(r);
	told = strstr(r->log.buf, "broken ");
	assert_non_null(told);
	if (!strstr(told, why))
		fail_msg("%s: '%s' does not say '%s'", r->name, told, why);
	sb_reset(&r->log);
	if (r->peer >= 0)
		guest_rig_put_hello(r, PROTO_VERSION, NR_APPS);
	guest_rig_turn(r);
	assert_int_equal(r->log.len, 0);
	assert_int_equal(guest_stdin_room(r->g, 0), 0);
	guest_stop(r->g, 1);
}
