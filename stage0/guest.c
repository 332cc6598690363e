/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: Theory of operation
 *
 * What the guest may send is the table rules[]: a type, whose session it names, in which states of
 * the pod and of the app it is legal, on which streams, and how long it is.  guest_frame() checks
 * all of that; the handlers check what the payload says.  The first thing that does not hold ends
 * the connection.
 *
 * States of the pod, as the guest has told it:
 *	NEW		nothing yet: only HELLO
 *	ILL		HELLO came from a guest that cannot read its spec: it may say why
 *	BOOTING		file systems are being mounted
 *	READY		apps start, run and end
 *	FAILED		the pod cannot run: only DONE
 *	DONE		nothing
 *	BROKEN		the stream ended or the guest lied; nothing is parsed or written any more
 */
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "guest_internal.h"

#define PID_MAX 4194304u
#define ERRNO_MAX 4095u

enum scope { OF_POD, OF_APP, OF_CONN };

struct rule {
	uint8_t type;
	uint8_t scope; /* enum scope: what its session is */
	uint8_t pod;   /* states in which it is legal: bits */
	uint8_t one;   /* likewise of the app or the connection */
	uint8_t streams;
	uint32_t min, max; /* length */
	const char *name;
	/* Returns NULL, or what is wrong. */
	const char *(*handle)(struct guest *g, const struct proto_hdr *h, const uint8_t *p);
};

#define BIT(n) (uint8_t)(1u << (n))
#define OUTPUTS (BIT(PROTO_STDOUT) | BIT(PROTO_STDERR))

static struct guest_output *output_of(struct guest *g, unsigned app, unsigned stream)
{
	return &g->apps[app].out[stream - PROTO_STDOUT];
}

static const char *on_hello(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	struct proto_hello m;

	(void)h;
	memcpy(&m, p, sizeof(m));
	if (m.version != PROTO_VERSION)
		return "it speaks another version of the protocol";
	if (m.nr_apps && m.nr_apps != g->nr_apps)
		return "it has another number of apps";
	g->state = m.nr_apps ? GUEST_BOOTING : GUEST_ILL;
	g->ev->hello(g->ctx, m.boot_ns);
	return NULL;
}

static const char *on_ready(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	(void)h;
	(void)p;
	g->state = GUEST_READY;
	g->ev->ready(g->ctx);
	return NULL;
}

static const char *on_started(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	struct proto_started m;

	memcpy(&m, p, sizeof(m));
	if (m.pid < 2 || m.pid > PID_MAX || m.reserved)
		return "no such process id";
	g->apps[h->session].state = GUEST_APP_RUNNING;
	g->ev->app_started(g->ctx, h->session, m.pid);
	return NULL;
}

static const char *on_exited(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	struct guest_app *a = &g->apps[h->session];
	struct proto_exited m;

	memcpy(&m, p, sizeof(m));
	if (m.code > 255 || m.signal > 64 || (m.code && m.signal) || m.flags & ~PROTO_EXIT_OOM ||
	    m.reserved)
		return "no such exit status";
	if (!a->out[0].has_ended || !a->out[1].has_ended)
		return "its output has not ended";
	a->state = GUEST_APP_OVER;
	g->ev->app_exited(g->ctx, h->session, (int)m.code, (int)m.signal, m.flags & PROTO_EXIT_OOM);
	return NULL;
}

static const char *on_failed(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	struct proto_failed m;

	memcpy(&m, p, sizeof(m));
	if (m.code < 125 || m.code > 127 || m.num > ERRNO_MAX)
		return "no such failure";
	if (!memchr(m.msg, '\0', sizeof(m.msg)))
		return "its text has no end";
	if (h->session == PROTO_POD)
		g->state = GUEST_FAILED;
	else
		g->apps[h->session].state = GUEST_APP_OVER;
	g->ev->failed(g->ctx, h->session, (int)m.code, (int)m.num, m.msg);
	return NULL;
}

static const char *on_done(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	(void)h;
	(void)p;
	for (unsigned i = 0; i < g->nr_apps && g->state == GUEST_READY; i++) {
		if (g->apps[i].state == GUEST_APP_RUNNING)
			return "an app still runs";
	}
	g->state = GUEST_DONE;
	g->ev->done(g->ctx);
	return NULL;
}

static const char *on_data(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	struct guest_output *o = output_of(g, h->session, h->stream);

	if (o->has_ended)
		return "the stream has ended";
	if (h->len > o->credit)
		return "it has no credit for so much";
	o->credit -= h->len;
	if (o->is_closed)
		return NULL; /* it was on its way */
	o->held += h->len;
	g->ev->output(g->ctx, h->session, h->stream, p, h->len);
	return NULL;
}

static const char *on_eof(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	struct guest_output *o = output_of(g, h->session, h->stream);

	(void)p;
	if (o->has_ended)
		return "the stream has ended";
	o->has_ended = true;
	g->ev->output_eof(g->ctx, h->session, h->stream);
	return NULL;
}

static const char *on_credit(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	struct guest_input *in = &g->apps[h->session].in;
	bool had_room = in->len < in->credit;
	struct proto_credit m;

	memcpy(&m, p, sizeof(m));
	if (!m.bytes || m.bytes > PROTO_WINDOW - in->credit)
		return "credit for more than the window";
	in->credit += m.bytes;
	if (!had_room && guest_stdin_room(g, h->session))
		g->ev->stdin_room(g->ctx, h->session);
	return NULL;
}

static const char *on_close(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	struct guest_input *in = &g->apps[h->session].in;

	(void)p;
	if (in->is_closed)
		return "it is closed";
	in->is_closed = true;
	in->len = 0;
	g->ev->stdin_closed(g->ctx, h->session);
	return NULL;
}

/* clang-format off */
static const struct rule rules[] = {
	/* type, scope, pod states, app's or connection's states, streams, min, max, name, handler */
	{ PROTO_HELLO, OF_POD, BIT(GUEST_NEW), 0, BIT(0),
	  sizeof(struct proto_hello), sizeof(struct proto_hello), "HELLO", on_hello },
	{ PROTO_READY, OF_POD, BIT(GUEST_BOOTING), 0, BIT(0), 0, 0, "READY", on_ready },
	{ PROTO_APP_STARTED, OF_APP, BIT(GUEST_READY), BIT(GUEST_APP_WAITING), BIT(0),
	  sizeof(struct proto_started), sizeof(struct proto_started), "APP_STARTED", on_started },
	{ PROTO_APP_EXITED, OF_APP, BIT(GUEST_READY), BIT(GUEST_APP_RUNNING), BIT(0),
	  sizeof(struct proto_exited), sizeof(struct proto_exited), "APP_EXITED", on_exited },
	{ PROTO_FAILED, OF_APP, BIT(GUEST_BOOTING) | BIT(GUEST_READY), BIT(GUEST_APP_WAITING), BIT(0),
	  sizeof(struct proto_failed), sizeof(struct proto_failed), "FAILED", on_failed },
	{ PROTO_FAILED, OF_POD, BIT(GUEST_ILL) | BIT(GUEST_BOOTING) | BIT(GUEST_READY), 0, BIT(0),
	  sizeof(struct proto_failed), sizeof(struct proto_failed), "FAILED", on_failed },
	{ PROTO_DONE, OF_POD, BIT(GUEST_BOOTING) | BIT(GUEST_READY) | BIT(GUEST_FAILED), 0, BIT(0),
	  0, 0, "DONE", on_done },
	{ PROTO_DATA, OF_APP, BIT(GUEST_READY), BIT(GUEST_APP_RUNNING), OUTPUTS,
	  1, GUEST_IN /* of joined frames, see join_data() */, "DATA", on_data },
	{ PROTO_EOF, OF_APP, BIT(GUEST_READY), BIT(GUEST_APP_RUNNING), OUTPUTS, 0, 0, "EOF", on_eof },
	{ PROTO_CREDIT, OF_APP, BIT(GUEST_READY), BIT(GUEST_APP_RUNNING), BIT(PROTO_STDIN),
	  sizeof(struct proto_credit), sizeof(struct proto_credit), "CREDIT", on_credit },
	{ PROTO_CLOSE, OF_APP, BIT(GUEST_READY), BIT(GUEST_APP_RUNNING), BIT(PROTO_STDIN),
	  0, 0, "CLOSE", on_close },
	{ PROTO_OPEN, OF_CONN, BIT(GUEST_READY), BIT(GUEST_CONN_FREE), BIT(0),
	  0, 0, "OPEN", guest_conn_on_open },
	{ PROTO_DATA, OF_CONN, BIT(GUEST_READY), BIT(GUEST_CONN_OPEN), BIT(PROTO_STDOUT),
	  1, GUEST_IN, "DATA", guest_conn_on_data },
	{ PROTO_EOF, OF_CONN, BIT(GUEST_READY), BIT(GUEST_CONN_OPEN), BIT(PROTO_STDOUT),
	  0, 0, "EOF", guest_conn_on_eof },
	{ PROTO_CREDIT, OF_CONN, BIT(GUEST_READY), BIT(GUEST_CONN_OPEN), BIT(PROTO_STDIN),
	  sizeof(struct proto_credit), sizeof(struct proto_credit), "CREDIT", guest_conn_on_credit },
	{ PROTO_END, OF_CONN, BIT(GUEST_READY), BIT(GUEST_CONN_OPEN), BIT(0),
	  0, 0, "END", guest_conn_on_end },
};
/* clang-format on */

static enum scope scope_of(unsigned session)
{
	if (session == PROTO_POD)
		return OF_POD;
	return session >= PROTO_CONN && session < PROTO_CONN + PROTO_MAX_CONNS ? OF_CONN : OF_APP;
}

static const struct rule *rule_find(const struct proto_hdr *h)
{
	for (size_t i = 0; i < nitems(rules); i++) {
		if (rules[i].type == h->type && rules[i].scope == scope_of(h->session))
			return &rules[i];
	}
	return NULL;
}

/* The stream is over; @why: what the guest did, NULL when it only ended. */
static void guest_break(struct guest *g, const char *why)
{
	g->state = GUEST_BROKEN;
	loop_remove(&g->src);
	g->ev->broken(g->ctx, why);
}

static const char *rule_check(const struct guest *g, const struct rule *r,
			      const struct proto_hdr *h)
{
	if (r->scope == OF_APP && h->session >= g->nr_apps)
		return "no such app";
	if (r->scope == OF_CONN && !g->takes_conns)
		return "this pod has no metadata service";
	if (!(r->pod & BIT(g->state)))
		return "not now";
	if (r->scope == OF_APP && !(r->one & BIT(g->apps[h->session].state)))
		return "not in this state of the app";
	if (r->scope == OF_CONN && !(r->one & BIT(g->conns[h->session - PROTO_CONN].state)))
		return "not in this state of the connection";
	if (h->stream >= PROTO_NR_STREAMS || !(r->streams & BIT(h->stream)))
		return "not on this stream";
	if (h->len < r->min || h->len > r->max)
		return "wrong length";
	return NULL;
}

static void guest_frame(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	const struct rule *r = rule_find(h);
	const char *wrong = r ? rule_check(g, r, h) : "unknown type";
	char why[200];

	if (!wrong)
		wrong = r->handle(g, h, p);
	if (!wrong)
		return;
	snprintf(why, sizeof(why), "%s (type %u, session %u, stream %u, %u bytes): %s",
		 r ? r->name : "frame", h->type, h->session, h->stream, h->len, wrong);
	guest_break(g, why);
}

/* A frame that cannot be complete in our buffer, whatever follows. */
static bool is_oversized(struct guest *g, const struct proto_hdr *h)
{
	char why[80];

	if (h->len <= PROTO_MAX_PAYLOAD)
		return false;
	snprintf(why, sizeof(why), "frame (type %u) of %u bytes", h->type, h->len);
	guest_break(g, why);
	return true;
}

static bool goes_on(const struct guest *g)
{
	return g->state != GUEST_BROKEN && !g->is_dead;
}

/*
 * Makes one frame of the DATA frames of a stream that lie one behind the other, so that the
 * receiver writes once.  Each is within its length; together they are within the credit, or
 * on_data() refuses all.  Returns the bytes of input used.
 */
static size_t join_data(struct guest *g, size_t at, struct proto_hdr *h)
{
	uint8_t *end = g->in + at + HDR + h->len;
	size_t used = HDR + h->len;
	struct proto_hdr next;

	while (g->in_len - at - used >= HDR) {
		memcpy(&next, g->in + at + used, HDR);
		if (next.type != PROTO_DATA || next.stream != h->stream ||
		    next.session != h->session || !next.len || next.len > PROTO_MAX_PAYLOAD ||
		    g->in_len - at - used < HDR + next.len)
			break;
		memmove(end, g->in + at + used + HDR, next.len);
		end += next.len;
		h->len += next.len;
		used += HDR + next.len;
	}
	return used;
}

static void parse(struct guest *g)
{
	struct proto_hdr h;
	size_t at = 0, used;

	while (goes_on(g) && g->in_len - at >= HDR) {
		memcpy(&h, g->in + at, HDR);
		if (is_oversized(g, &h) || g->in_len - at < HDR + h.len)
			break;
		used = h.type == PROTO_DATA ? join_data(g, at, &h) : HDR + h.len;
		guest_frame(g, &h, g->in + at + HDR);
		at += used;
	}
	g->in_len -= at;
	memmove(g->in, g->in + at, g->in_len);
}

static void guest_receive(struct guest *g)
{
	ssize_t n = read(g->fd, g->in + g->in_len, GUEST_IN - g->in_len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		guest_break(g, NULL);
		return;
	}
	g->in_len += (size_t)n;
	parse(g);
}

static void guest_ready(struct source *s, uint32_t events)
{
	struct guest *g = (struct guest *)s;

	g->is_busy = true;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		guest_receive(g);
	g->is_busy = false;
	if (g->is_dead)
		guest_free(g);
	else
		guest_send_wanted(g);
}

struct guest *guest_new(struct loop *l, int fd, unsigned nr_apps, const struct guest_events *ev,
			void *ctx, struct err *e)
{
	struct guest *g;

	if (nr_apps < 1 || nr_apps > PROTO_MAX_APPS) {
		err_set(e, 0, "cannot speak to a guest with %u apps: there are 1 to %u", nr_apps,
			PROTO_MAX_APPS);
		close(fd);
		return NULL;
	}
	g = xcalloc(1, sizeof(*g));
	g->src.fd = -1;
	g->fd = fd;
	g->ev = ev;
	g->ctx = ctx;
	g->nr_apps = nr_apps;
	for (unsigned i = 0; i < nr_apps; i++) {
		g->apps[i].in.credit = PROTO_WINDOW;
		g->apps[i].out[0].credit = g->apps[i].out[1].credit = PROTO_WINDOW;
	}
	if (loop_add(l, &g->src, fd, EPOLLIN, guest_ready, e) < 0) {
		guest_free(g);
		return NULL;
	}
	return g;
}

void guest_free(struct guest *g)
{
	if (!g)
		return;
	loop_remove(&g->src);
	g->is_dead = true;
	if (g->is_busy)
		return; /* guest_ready() calls again */
	for (unsigned i = 0; i < g->nr_apps; i++)
		free(g->apps[i].in.ring);
	for (unsigned i = 0; i < PROTO_MAX_CONNS; i++)
		free(g->conns[i].in.ring);
	close(g->fd);
	free(g);
}
