/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's end of the guest protocol between a guest that says anything and a supervisor that
 * does anything.  The input is a list of steps (see step()); what must hold is checked in the
 * callbacks and, for what the host sends, in check_sent().
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "stage0/guest.h"

#define NR_APPS 3

struct model {
	uint32_t held[2];		  /* output that the supervisor has */
	uint64_t received[2], granted[2]; /* of output: bytes taken, credit given by the host */
	uint64_t sent, credited;	  /* of standard input */
	bool has_ended[2], is_running, is_over, sent_eof;
};

/* Connections, as we were told of them. */
static struct {
	bool is_open, has_eof, we_ended;
} conns[PROTO_MAX_CONNS];

struct input {
	const uint8_t *p;
	size_t n;
};

static struct loop loop;
static struct source waker;
static int peer;
static struct guest *guest;
static struct model apps[NR_APPS];
static bool is_broken, is_done;

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void alive(void)
{
	check(!is_broken && !is_done);
}

static void on_hello(void *ctx, uint64_t boot_ns)
{
	(void)ctx;
	(void)boot_ns;
	alive();
}

static void on_ready(void *ctx)
{
	(void)ctx;
	alive();
}

static void on_started(void *ctx, unsigned app, uint32_t pid)
{
	(void)ctx;
	alive();
	check(app < NR_APPS && pid > 1 && !apps[app].is_running && !apps[app].is_over);
	apps[app].is_running = true;
}

static void on_exited(void *ctx, unsigned app, int code, int signo, bool oom)
{
	(void)ctx;
	(void)oom;
	alive();
	check(app < NR_APPS && apps[app].is_running && code >= 0 && code <= 255 && signo >= 0 &&
	      signo <= 64);
	check(apps[app].has_ended[0] && apps[app].has_ended[1]);
	apps[app].is_running = false;
	apps[app].is_over = true;
}

static void on_failed(void *ctx, unsigned app, int code, int num, const char *msg)
{
	(void)ctx;
	alive();
	check((app < NR_APPS || app == PROTO_POD) && code >= 125 && code <= 127 && num >= 0);
	check(strlen(msg) < 504);
	if (app < NR_APPS)
		apps[app].is_over = true;
}

static void on_output(void *ctx, unsigned app, enum proto_stream s, const void *p, size_t n)
{
	struct model *m = &apps[app];
	volatile uint8_t sum = 0;

	(void)ctx;
	alive();
	check(app < NR_APPS && (s == PROTO_STDOUT || s == PROTO_STDERR) && n > 0 && m->is_running);
	check(!m->has_ended[s - 1]);
	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)p)[i]);
	m->held[s - 1] += (uint32_t)n;
	m->received[s - 1] += n;
	check(m->held[s - 1] <= PROTO_WINDOW);
}

static void on_output_eof(void *ctx, unsigned app, enum proto_stream s)
{
	(void)ctx;
	alive();
	check(app < NR_APPS && !apps[app].has_ended[s - 1]);
	apps[app].has_ended[s - 1] = true;
}

static void on_stdin_room(void *ctx, unsigned app)
{
	(void)ctx;
	alive();
	check(guest_stdin_room(guest, app) > 0);
}

static void on_stdin_closed(void *ctx, unsigned app)
{
	(void)ctx;
	alive();
	check(guest_stdin_room(guest, app) == 0);
}

static void on_conn_open(void *ctx, unsigned c)
{
	(void)ctx;
	alive();
	check(c < PROTO_MAX_CONNS && (!conns[c].is_open || conns[c].we_ended));
	memset(&conns[c], 0, sizeof(conns[c]));
	conns[c].is_open = true;
	check(guest_conn_room(guest, c) == PROTO_WINDOW);
}

static void on_conn_data(void *ctx, unsigned c, const void *p, size_t n)
{
	(void)ctx;
	(void)p;
	alive();
	check(conns[c].is_open && !conns[c].has_eof && !conns[c].we_ended && n > 0);
}

static void on_conn_eof(void *ctx, unsigned c)
{
	(void)ctx;
	alive();
	check(conns[c].is_open && !conns[c].has_eof && !conns[c].we_ended);
	conns[c].has_eof = true;
}

static void on_conn_room(void *ctx, unsigned c)
{
	(void)ctx;
	alive();
	check(conns[c].is_open && !conns[c].we_ended && guest_conn_room(guest, c) > 0);
}

static void on_conn_gone(void *ctx, unsigned c)
{
	(void)ctx;
	alive();
	check(conns[c].is_open && !conns[c].we_ended && guest_conn_room(guest, c) == 0);
	conns[c].is_open = false;
}

static void on_done(void *ctx)
{
	(void)ctx;
	alive();
	is_done = true;
}

static void on_broken(void *ctx, const char *why)
{
	(void)ctx;
	check(!is_broken && (!why || why[0]));
	is_broken = true;
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
	check(read(s->fd, &n, sizeof(n)) == sizeof(n));
	loop_stop(s->loop);
}

static void turn(void)
{
	uint64_t one = 1;
	struct err e;

	loop.stop = false;
	check(write(waker.fd, &one, sizeof(one)) == sizeof(one));
	check(loop_run(&loop, &e) == 0);
}

static uint8_t byte(struct input *in)
{
	if (!in->n)
		return 0;
	in->n--;
	return *in->p++;
}

static void feed(const void *p, size_t n)
{
	/* a full socket loses the rest: that is one more thing a guest may do */
	(void)!send(peer, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void feed_input(struct input *in, size_t n)
{
	if (n > in->n)
		n = in->n;
	feed(in->p, n);
	in->p += n;
	in->n -= n;
}

static void feed_frame(struct input *in)
{
	uint8_t type = byte(in), session = byte(in);
	struct proto_hdr h = { .type = type, .stream = session >> 6 };
	size_t len = byte(in);

	h.session = (session & 63) == 63 ? PROTO_POD : session & 63;
	h.len = (uint32_t)(len == 255 ? PROTO_MAX_PAYLOAD : len > in->n ? in->n : len);
	feed(&h, sizeof(h));
	if (len == 255) {
		static const uint8_t zeros[PROTO_MAX_PAYLOAD];

		feed(zeros, sizeof(zeros));
	} else {
		feed_input(in, h.len);
	}
}

static void feed_start(void)
{
	struct proto_hello hello = { .version = PROTO_VERSION, .nr_apps = NR_APPS };
	struct proto_started started = { .pid = 9 };
	struct proto_hdr h = { .type = PROTO_HELLO, .session = PROTO_POD, .len = sizeof(hello) };

	feed(&h, sizeof(h));
	feed(&hello, sizeof(hello));
	h.type = PROTO_READY;
	h.len = 0;
	feed(&h, sizeof(h));
	for (uint16_t i = 0; i < NR_APPS; i++) {
		h = (struct proto_hdr){ .type = PROTO_APP_STARTED,
					.session = i,
					.len = sizeof(started) };
		feed(&h, sizeof(h));
		feed(&started, sizeof(started));
	}
}

/* Consumed bytes that were held, and now and then more than that. */
static void consume(struct input *in, unsigned app)
{
	unsigned k = byte(in) & 1;
	uint32_t n = (uint32_t)byte(in) << 10;

	guest_consumed(guest, app, PROTO_STDOUT + k, n);
	apps[app].held[k] -= n < apps[app].held[k] ? n : apps[app].held[k];
}

static void act_conn(unsigned c, bool ends)
{
	static const uint8_t bytes[PROTO_WINDOW];
	size_t n = guest_conn_room(guest, c);

	check(n <= PROTO_WINDOW && (n == 0 || (conns[c].is_open && !conns[c].we_ended)));
	guest_conn_send(guest, c, bytes, n < 50000 ? n : 50000);
	if (!ends || !conns[c].is_open)
		return;
	conns[c].we_ended = true;
	guest_conn_end(guest, c);
}

static void act(struct input *in)
{
	static const uint8_t bytes[PROTO_WINDOW];
	unsigned what = byte(in), app = (what >> 4) % NR_APPS;
	size_t n;

	switch (what & 7) {
	case 0:
		consume(in, app);
		break;
	case 1:
		guest_close_output(guest, app, PROTO_STDOUT + (byte(in) & 1));
		break;
	case 2:
		n = guest_stdin_room(guest, app);
		check(n <= PROTO_WINDOW);
		guest_stdin(guest, app, bytes, n < 40000 ? n : 40000);
		break;
	case 3:
		guest_stdin_eof(guest, app);
		break;
	case 4:
		guest_stop(guest, byte(in));
		break;
	case 5:
		guest_signal(guest, byte(in) & 1 ? PROTO_POD : app, byte(in));
		break;
	case 6:
		guest_winsize(guest, app, byte(in), 80);
		break;
	default:
		if (what & 0x80)
			shutdown(peer, SHUT_WR);
		else
			act_conn(byte(in) % PROTO_MAX_CONNS, what & 0x40);
		break;
	}
}

static void check_conn_frame(const struct proto_hdr *h)
{
	check((h->type == PROTO_DATA && h->stream == PROTO_STDIN && h->len) ||
	      (h->type == PROTO_CREDIT && h->stream == PROTO_STDOUT && h->len == 4) ||
	      (h->type == PROTO_END && h->stream == 0 && h->len == 0));
}

static void check_frame(const struct proto_hdr *h, const uint8_t *p)
{
	struct model *m = &apps[h->session % NR_APPS];
	uint32_t word = 0;

	if (h->session >= PROTO_CONN && h->session < PROTO_CONN + PROTO_MAX_CONNS) {
		check_conn_frame(h);
		return;
	}
	check(h->session < NR_APPS || h->session == PROTO_POD);
	if (h->len >= sizeof(word))
		memcpy(&word, p, sizeof(word));
	switch (h->type) {
	case PROTO_DATA:
		check(h->stream == PROTO_STDIN && h->len > 0 && !m->sent_eof);
		m->sent += h->len;
		break;
	case PROTO_EOF:
		check(h->stream == PROTO_STDIN && h->len == 0 && !m->sent_eof);
		m->sent_eof = true;
		break;
	case PROTO_CREDIT:
		check(h->len == 4 && (h->stream == PROTO_STDOUT || h->stream == PROTO_STDERR));
		m->granted[h->stream - 1] += word;
		check(word && m->granted[h->stream - 1] <= m->received[h->stream - 1]);
		break;
	case PROTO_CLOSE:
		check(h->len == 0 && (h->stream == PROTO_STDOUT || h->stream == PROTO_STDERR));
		break;
	case PROTO_SIGNAL:
		check(h->len == 4 && word >= 1 && word <= 64);
		break;
	default:
		check((h->type == PROTO_STOP || h->type == PROTO_WINSIZE) && h->len == 4);
	}
}

/* All that the host wrote is whole frames that a guest may get. */
static void check_sent(void)
{
	uint8_t payload[PROTO_MAX_PAYLOAD];
	static uint8_t rest[sizeof(struct proto_hdr) + PROTO_MAX_PAYLOAD];
	struct proto_hdr h;

	/* whole frames only: what is cut by a full socket stays there */
	while (recv(peer, rest, sizeof(rest), MSG_DONTWAIT | MSG_PEEK) >= (ssize_t)sizeof(h)) {
		memcpy(&h, rest, sizeof(h));
		check(h.len <= PROTO_MAX_PAYLOAD);
		if (recv(peer, rest, sizeof(h) + h.len, MSG_DONTWAIT | MSG_PEEK) <
		    (ssize_t)(sizeof(h) + h.len))
			return;
		check(recv(peer, &h, sizeof(h), 0) == sizeof(h));
		if (h.len)
			check(recv(peer, payload, h.len, MSG_WAITALL) == (ssize_t)h.len);
		check_frame(&h, payload);
	}
}

static void step(struct input *in)
{
	switch (byte(in) & 7) {
	case 0:
		feed_input(in, byte(in));
		break;
	case 1:
	case 2:
		feed_frame(in);
		break;
	case 3:
		feed_start();
		break;
	case 4:
	case 5:
		act(in);
		break;
	case 6:
		turn();
		check_sent();
		break;
	default:
		turn();
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	static int wake_fd = -1;
	struct err e;
	int sv[2];

	if (wake_fd < 0) {
		wake_fd = eventfd(0, EFD_CLOEXEC);
		check(loop_init(&loop, &e) == 0);
		check(loop_add(&loop, &waker, wake_fd, EPOLLIN, woken, &e) == 0);
	}
	memset(apps, 0, sizeof(apps));
	memset(conns, 0, sizeof(conns));
	is_broken = is_done = false;
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv) == 0);
	peer = sv[1];
	guest = guest_new(&loop, sv[0], NR_APPS, &events, NULL, &e);
	check(guest != NULL);
	guest_take_conns(guest);
	for (int n = 0; in.n && n < 300; n++)
		step(&in);
	turn();
	turn();
	check_sent();
	guest_free(guest);
	close(peer);
	return 0;
}
