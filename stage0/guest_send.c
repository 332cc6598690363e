/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What we send to the guest is never a queue of frames but a state to bring about: signals wanted,
 * credit to return, streams to close, bytes of standard input.  It becomes frames when the socket
 * takes them, what is urgent first; so it is bounded whatever callers ask for.
 */
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/strbuf.h"
#include "guest_internal.h"

#define CREDIT_STEP (PROTO_WINDOW / 4) /* returned in such pieces: a few frames per window */

/*
 * All that is urgent, of all apps at once: 2 credits, 2 closes, a size, 64 signals; a credit of
 * each connection; STOP, signals
 */
static_assert((PROTO_MAX_APPS * (2 * 12 + 2 * 8 + 12 + 64 * 12)) + PROTO_MAX_CONNS * 12 + 12 +
			      64 * 12 <=
		      GUEST_OUT,
	      "urgent frames fit, so guest_send_wanted() need not check");

static void put(struct guest *g, enum proto_type type, unsigned session, unsigned stream,
		const void *payload, size_t len)
{
	struct proto_hdr h = {
		.type = (uint8_t)type,
		.stream = (uint8_t)stream,
		.session = (uint16_t)session,
		.len = (uint32_t)len,
	};

	memcpy(g->out + g->out_len, &h, HDR);
	if (len)
		memcpy(g->out + g->out_len + HDR, payload, len);
	g->out_len += HDR + len;
}

static void put_signals(struct guest *g, unsigned session, uint64_t *signals)
{
	struct proto_signal m;

	for (m.signo = 1; *signals; m.signo++) {
		if (*signals & (1ull << (m.signo - 1)))
			put(g, PROTO_SIGNAL, session, 0, &m, sizeof(m));
		*signals &= ~(1ull << (m.signo - 1));
	}
}

/* Before the app runs the guest has no stream to close; when it is over, none any more. */
static void put_output_wants(struct guest *g, unsigned app, unsigned k)
{
	struct guest_output *o = &g->apps[app].out[k];
	struct proto_credit m = { .bytes = o->unreturned };

	if (g->apps[app].state != GUEST_APP_RUNNING || o->has_ended)
		return;
	if (o->wants_close)
		put(g, PROTO_CLOSE, app, PROTO_STDOUT + k, NULL, 0);
	o->wants_close = false;
	if (o->is_closed || o->unreturned < CREDIT_STEP)
		return;
	o->credit += o->unreturned;
	o->unreturned = 0;
	put(g, PROTO_CREDIT, app, PROTO_STDOUT + k, &m, sizeof(m));
}

static void put_conn_credit(struct guest *g, unsigned conn)
{
	struct guest_output *o = &g->conns[conn].out;
	struct proto_credit m = { .bytes = o->unreturned };

	if (g->conns[conn].state != GUEST_CONN_OPEN || g->conns[conn].in.wants_eof ||
	    o->has_ended || o->unreturned < CREDIT_STEP)
		return;
	o->credit += o->unreturned;
	o->unreturned = 0;
	put(g, PROTO_CREDIT, PROTO_CONN + conn, PROTO_STDOUT, &m, sizeof(m));
}

/* What goes before all data; it always fits into an empty buffer. */
static void put_urgent(struct guest *g)
{
	struct proto_stop stop = { .grace_ms = g->grace_ms };

	if (g->wants_stop)
		put(g, PROTO_STOP, PROTO_POD, 0, &stop, sizeof(stop));
	g->wants_stop = false;
	put_signals(g, PROTO_POD, &g->signals);
	for (unsigned i = 0; i < g->nr_apps; i++) {
		struct guest_app *a = &g->apps[i];

		put_signals(g, i, &a->signals);
		if (a->wants_winsize)
			put(g, PROTO_WINSIZE, i, 0, &a->winsize, sizeof(a->winsize));
		a->wants_winsize = false;
		put_output_wants(g, i, 0);
		put_output_wants(g, i, 1);
	}
	for (unsigned i = 0; i < PROTO_MAX_CONNS; i++)
		put_conn_credit(g, i);
}

/* One frame of what goes to a session, or its end.  Returns whether there was anything. */
static bool put_input(struct guest *g, unsigned session, struct guest_input *in,
		      enum proto_type end)
{
	uint32_t n = in->len, edge = PROTO_WINDOW - in->at;

	if (in->has_ended || in->is_closed)
		return false;
	if (n > PROTO_MAX_PAYLOAD)
		n = PROTO_MAX_PAYLOAD;
	if (n > edge)
		n = edge;
	if (n) {
		put(g, PROTO_DATA, session, PROTO_STDIN, in->ring + in->at, n);
		in->at = (in->at + n) % PROTO_WINDOW;
		in->len -= n;
		in->credit -= n;
	} else if (in->wants_eof) {
		put(g, end, session, PROTO_STDIN, NULL, 0);
		in->has_ended = true;
	}
	return n || in->has_ended;
}

static bool put_app_input(struct guest *g, unsigned app)
{
	if (g->apps[app].state == GUEST_APP_OVER)
		return false;
	return put_input(g, app, &g->apps[app].in, PROTO_EOF);
}

static bool put_conn_input(struct guest *g, unsigned conn)
{
	struct guest_conn *c = &g->conns[conn];

	if (c->state == GUEST_CONN_FREE || !put_input(g, PROTO_CONN + conn, &c->in, PROTO_END))
		return false;
	if (c->in.has_ended)
		guest_conn_ended(c);
	return true;
}

/* Frame by frame in turn, so that no app waits for another's input. */
static void put_inputs(struct guest *g)
{
	unsigned nr = g->nr_apps + (g->takes_conns ? PROTO_MAX_CONNS : 0), idle = 0;

	while (idle < nr && GUEST_OUT - g->out_len >= HDR + PROTO_MAX_PAYLOAD) {
		bool had = g->next < g->nr_apps ? put_app_input(g, g->next)
						: put_conn_input(g, g->next - g->nr_apps);

		idle = had ? 0 : idle + 1;
		g->next = (g->next + 1) % nr;
	}
}

/* Returns whether the buffer is empty again. */
static bool send_out(struct guest *g)
{
	ssize_t n;

	while (g->out_from < g->out_len) {
		n = send(g->fd, g->out + g->out_from, g->out_len - g->out_from,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		/* a broken socket is told by the reading side */
		if (n < 0)
			return false;
		g->out_from += (size_t)n;
	}
	g->out_from = g->out_len = 0;
	return true;
}

void guest_send_wanted(struct guest *g)
{
	bool is_sent;

	/* the guest has said HELLO and listens */
	if (g->is_busy || g->state == GUEST_BROKEN || g->state == GUEST_NEW)
		return;
	while ((is_sent = send_out(g))) {
		put_urgent(g);
		put_inputs(g);
		if (!g->out_len)
			break;
	}
	loop_set_events(&g->src, is_sent ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

void guest_consumed(struct guest *g, unsigned app, enum proto_stream s, size_t n)
{
	struct guest_output *o = &g->apps[app].out[s - PROTO_STDOUT];

	if (n > o->held)
		n = o->held;
	o->held -= (uint32_t)n;
	o->unreturned += (uint32_t)n;
	if (o->unreturned >= CREDIT_STEP)
		guest_send_wanted(g);
}

void guest_close_output(struct guest *g, unsigned app, enum proto_stream s)
{
	struct guest_output *o = &g->apps[app].out[s - PROTO_STDOUT];

	if (o->is_closed)
		return;
	o->is_closed = o->wants_close = true;
	guest_send_wanted(g);
}

size_t guest_stdin_room(const struct guest *g, unsigned app)
{
	const struct guest_app *a = &g->apps[app];

	if (g->state == GUEST_BROKEN || a->state == GUEST_APP_OVER || a->in.is_closed ||
	    a->in.wants_eof)
		return 0;
	return a->in.credit - a->in.len;
}

void guest_input_add(struct guest_input *in, const void *p, size_t n)
{
	size_t to, first;

	if (!in->ring)
		in->ring = xmalloc(PROTO_WINDOW);
	to = (in->at + in->len) % PROTO_WINDOW;
	first = n < PROTO_WINDOW - to ? n : PROTO_WINDOW - to;
	memcpy(in->ring + to, p, first);
	memcpy(in->ring, (const uint8_t *)p + first, n - first);
	in->len += (uint32_t)n;
}

void guest_stdin(struct guest *g, unsigned app, const void *p, size_t n)
{
	struct guest_input *in = &g->apps[app].in;
	size_t room = guest_stdin_room(g, app);

	if (n > room)
		n = room; /* the app closed it, or has ended, since the caller asked */
	if (!n)
		return;
	guest_input_add(in, p, n);
	guest_send_wanted(g);
}

void guest_stdin_eof(struct guest *g, unsigned app)
{
	g->apps[app].in.wants_eof = true;
	guest_send_wanted(g);
}

void guest_stop(struct guest *g, uint32_t grace_ms)
{
	g->wants_stop = true;
	g->grace_ms = grace_ms;
	guest_send_wanted(g);
}

void guest_signal(struct guest *g, unsigned app, int signo)
{
	uint64_t *signals = app == PROTO_POD ? &g->signals : &g->apps[app].signals;

	if (signo < 1 || signo > 64)
		return;
	*signals |= 1ull << (signo - 1);
	guest_send_wanted(g);
}

void guest_winsize(struct guest *g, unsigned app, uint16_t rows, uint16_t cols)
{
	g->apps[app].wants_winsize = true;
	g->apps[app].winsize = (struct proto_winsize){ .rows = rows, .cols = cols };
	guest_send_wanted(g);
}
