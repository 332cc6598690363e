/* SPDX-License-Identifier: Apache-2.0 */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tty.h"

#define PIPE_SIZE (256 * 1024)
#define CREDIT_STEP (PROTO_WINDOW / 4)
#define TURNS 8 /* batches of one app before the others have theirs */
#define VEOF_CHAR "\004"

static uint8_t rings[PROTO_MAX_APPS][PROTO_WINDOW]; /* touched when used */

/* @ours: which end stays with us. */
static int make_pipe(int *mine, int *app, int ours, struct err *e)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot make a pipe");
	*mine = p[ours];
	*app = p[!ours];
	if (fcntl(*mine, F_SETFL, O_NONBLOCK) < 0)
		return err_set(e, errno, "cannot make a pipe");
	(void)fcntl(*mine, F_SETPIPE_SZ, PIPE_SIZE); /* fewer turns; the default also works */
	return 0;
}

static int open_tty(struct streams *s, const struct app *app, struct err *e)
{
	s->out[0].fd = tty_open(s->session, app->rows, app->cols, &s->pty, e);
	if (s->out[0].fd < 0)
		return -1;
	s->is_tty = true;
	if (app->has_stdin)
		s->in.fd = s->out[0].fd;
	return 0;
}

static int open_pipes(struct streams *s, const struct app *app, struct err *e)
{
	if (app->has_stdin && make_pipe(&s->in.fd, &s->child[0], 1, e) < 0)
		return -1;
	if (make_pipe(&s->out[0].fd, &s->child[1], 0, e) < 0)
		return -1;
	return make_pipe(&s->out[1].fd, &s->child[2], 0, e);
}

int streams_open(struct streams *s, struct mux *m, struct loop *l, const struct app *app,
		 unsigned session, void (*ended)(void *ctx), void *ctx, struct err *e)
{
	*s = (struct streams){
		.mux = m,
		.loop = l,
		.session = session,
		.ended = ended,
		.ctx = ctx,
		.child = { -1, -1, -1 },
		.pty = -1,
		.in = { .fd = -1,
			.ring = rings[session],
			.room = PROTO_WINDOW,
			.is_closed = !app->has_stdin,
			.last_was_lf = true },
		.out = { { .fd = -1, .credit = PROTO_WINDOW },
			 { .fd = -1, .credit = PROTO_WINDOW } },
		.in_src = { .fd = -1 },
		.out_src = { { .fd = -1 }, { .fd = -1 } },
	};
	return app->has_tty ? open_tty(s, app, e) : open_pipes(s, app, e);
}

static void send(struct streams *s, enum proto_type type, unsigned stream)
{
	mux_send(s->mux, type, s->session, stream, NULL, 0);
}

static void input_drop(struct streams *s)
{
	loop_remove(&s->in_src);
	if (!s->is_tty)
		close_p(&s->in.fd);
	s->in.fd = -1;
	s->in.len = 0;
}

/* Nobody reads the input any more: what the host had credit for is thrown away. */
static void input_close(struct streams *s)
{
	if (s->in.is_closed)
		return;
	input_drop(s);
	s->in.is_closed = true;
	send(s, PROTO_CLOSE, PROTO_STDIN);
}

static void output_end(struct streams *s, unsigned k)
{
	if (s->out[k].has_ended)
		return;
	s->out[k].has_ended = true;
	if (s->is_tty && k == 0)
		input_drop(s);
	loop_remove(&s->out_src[k]);
	close_p(&s->out[k].fd);
	send(s, PROTO_EOF, PROTO_STDOUT + k);
}

static ssize_t input_write(struct input *in)
{
	uint32_t first = PROTO_WINDOW - in->at;
	struct iovec iov[2] = {
		{ .iov_base = in->ring + in->at, .iov_len = in->len < first ? in->len : first },
		{ .iov_base = in->ring },
	};

	iov[1].iov_len = in->len - iov[0].iov_len;
	return writev(in->fd, iov, iov[1].iov_len ? 2 : 1);
}

static void input_consumed(struct streams *s, uint32_t n)
{
	struct input *in = &s->in;
	struct proto_credit c;

	in->last_was_lf = in->ring[(in->at + n - 1) % PROTO_WINDOW] == '\n';
	in->at = (in->at + n) % PROTO_WINDOW;
	in->len -= n;
	in->consumed += n;
	if (in->consumed < CREDIT_STEP || in->has_eof)
		return;
	c.bytes = in->consumed;
	in->room += in->consumed;
	in->consumed = 0;
	mux_send(s->mux, PROTO_CREDIT, s->session, PROTO_STDIN, &c, sizeof(c));
}

/* The end of typed input is a character: it ends a line that was begun, then the file. */
static bool tty_eof(struct input *in)
{
	size_t n = in->last_was_lf ? 1 : 2;

	return write(in->fd, VEOF_CHAR VEOF_CHAR, n) == (ssize_t)n || errno != EAGAIN;
}

/* Returns whether to wait until the app takes more. */
static bool input_pump(struct streams *s)
{
	struct input *in = &s->in;
	ssize_t n;

	while (in->fd >= 0 && in->len) {
		n = input_write(in);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			input_close(s);
			return false;
		}
		input_consumed(s, (uint32_t)n);
	}
	if (in->fd < 0 || !in->has_eof)
		return false;
	if (s->is_tty && !tty_eof(in))
		return true;
	input_drop(s);
	return false;
}

/* Returns whether it moved so much that there is probably more. */
static bool output_pump(struct streams *s, unsigned k)
{
	struct output *o = &s->out[k];
	size_t room = mux_room(s->mux);
	ssize_t n;

	if (o->fd < 0 || !o->credit || !room)
		return false;
	n = mux_pump(s->mux, o->fd, s->session, PROTO_STDOUT + k, o->credit);
	if (n > 0) {
		o->credit -= (uint32_t)n;
		return (size_t)n == room;
	}
	if (n == 0 || errno != EAGAIN || s->is_dying)
		output_end(s, k); /* a terminal says EIO */
	return false;
}

/*
 * An fd that we cannot serve leaves the loop, as EPOLLHUP cannot be masked.  A stream that cannot
 * be watched for lack of kernel memory ends.
 */
static void output_watch(struct streams *s, unsigned k, uint32_t events,
			 void (*ready)(struct source *src, uint32_t events))
{
	struct output *o = &s->out[k];
	struct err e;

	if (o->fd >= 0 && o->credit && !s->mux->is_full)
		events |= EPOLLIN;
	if (o->fd < 0 || !events)
		loop_remove(&s->out_src[k]);
	else if (s->out_src[k].loop)
		loop_set_events(&s->out_src[k], events);
	else if (loop_add(s->loop, &s->out_src[k], o->fd, events, ready, &e) < 0)
		output_end(s, k);
}

static void out_ready(struct source *src, uint32_t events)
{
	(void)events;
	streams_service((void *)((char *)src - offsetof(struct streams, out_src[0])));
}

static void err_ready(struct source *src, uint32_t events)
{
	(void)events;
	streams_service((void *)((char *)src - offsetof(struct streams, out_src[1])));
}

static void in_ready(struct source *src, uint32_t events)
{
	struct streams *s = (void *)((char *)src - offsetof(struct streams, in_src));

	if (events & (EPOLLERR | EPOLLHUP))
		input_close(s);
	streams_service(s);
}

void streams_service(struct streams *s)
{
	bool had_ended = streams_have_ended(s), wants_write, has_more = true;

	wants_write = input_pump(s);
	for (int turn = 0; has_more && turn < TURNS; turn++) {
		has_more = output_pump(s, 0);
		has_more |= output_pump(s, 1);
		if (mux_flush(s->mux) < 0)
			break; /* the port's own event says it, too */
	}
	loop_set_events(&s->in_src, wants_write ? EPOLLOUT : 0u);
	output_watch(s, 0, s->is_tty && wants_write ? EPOLLOUT : 0u, out_ready);
	output_watch(s, 1, 0, err_ready);
	if (!had_ended && streams_have_ended(s))
		s->ended(s->ctx);
}

static void close_child_ends(struct streams *s)
{
	for (unsigned i = 0; i < nitems(s->child); i++)
		close_p(&s->child[i]);
}

int streams_start(struct streams *s, struct err *e)
{
	close_child_ends(s);
	if (!s->is_tty && s->in.fd >= 0 &&
	    loop_add(s->loop, &s->in_src, s->in.fd, 0, in_ready, e) < 0)
		return -1;
	streams_service(s);
	return 0;
}

void streams_abort(struct streams *s)
{
	close_child_ends(s);
	input_drop(s);
	for (unsigned k = 0; k < 2; k++) {
		loop_remove(&s->out_src[k]);
		close_p(&s->out[k].fd);
		s->out[k].has_ended = true;
	}
}

int streams_data(struct streams *s, const uint8_t *p, size_t n, struct err *e)
{
	struct input *in = &s->in;
	uint32_t to, first;

	if (in->is_closed)
		return 0; /* it was on its way when we closed */
	if (n > in->room || in->has_eof)
		return err_set(e, 0, "cannot take input from the host: more than agreed");
	in->room -= (uint32_t)n;
	if (in->fd < 0)
		return 0;
	to = (in->at + in->len) % PROTO_WINDOW;
	first = PROTO_WINDOW - to < n ? PROTO_WINDOW - to : (uint32_t)n;
	memcpy(in->ring + to, p, first);
	memcpy(in->ring, p + first, n - first);
	in->len += (uint32_t)n;
	return 0;
}

void streams_eof(struct streams *s)
{
	s->in.has_eof = true;
}

int streams_credit(struct streams *s, unsigned stream, uint32_t bytes, struct err *e)
{
	struct output *o = &s->out[stream - PROTO_STDOUT];

	if (bytes > PROTO_WINDOW - o->credit)
		return err_set(e, 0, "cannot take credit from the host: more than the window");
	o->credit += bytes;
	return 0;
}

void streams_close(struct streams *s, unsigned stream)
{
	if (stream == PROTO_STDIN)
		return;
	output_end(s, stream - PROTO_STDOUT);
}

void streams_winsize(struct streams *s, uint16_t rows, uint16_t cols)
{
	if (s->is_tty && s->out[0].fd >= 0)
		tty_resize(s->out[0].fd, rows, cols);
}

bool streams_have_ended(const struct streams *s)
{
	return s->out[0].has_ended && s->out[1].has_ended;
}

void streams_app_gone(struct streams *s, bool leaves_nobody)
{
	input_close(s);
	if (s->is_tty)
		output_end(s, 1);
	s->is_dying = !leaves_nobody;
}
