/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "say.h"

#define BACKLOG 64
#define CREDIT_STEP (PROTO_WINDOW / 4)

/*
 * Free while neither side has begun; over when both have sent END, or we have nothing more to give
 * to the client after the host's.
 */
struct conn {
	bool is_open;
	bool sent_eof, sent_end, got_end;
	int fd; /* -1: the client is gone */
	struct source src;
	uint32_t credit;   /* what the host takes */
	uint32_t at, len;  /* of the answer, in the ring */
	uint32_t room;	   /* credit that the host has left */
	uint32_t consumed; /* not yet returned as credit */
};

static struct {
	struct mux *mux;
	struct loop *loop;
	int fd;
	struct source src;
	struct conn conns[PROTO_MAX_CONNS];
} all = { .fd = -1 };

static uint8_t rings[PROTO_MAX_CONNS][PROTO_WINDOW]; /* touched when used */

static unsigned session_of(const struct conn *c)
{
	return PROTO_CONN + (unsigned)(c - all.conns);
}

static void send_frame(const struct conn *c, enum proto_type type, unsigned stream)
{
	mux_send(all.mux, type, session_of(c), stream, NULL, 0);
}

/* The client is gone, or has all it gets. */
static void conn_drop(struct conn *c)
{
	loop_remove(&c->src);
	close_p(&c->fd);
	c->len = 0;
	if (!c->sent_end)
		send_frame(c, PROTO_END, 0);
	c->sent_end = true;
	c->is_open = !c->got_end;
}

static void return_credit(struct conn *c, uint32_t n)
{
	struct proto_credit m;

	c->consumed += n;
	if (c->consumed < CREDIT_STEP || c->got_end)
		return;
	m.bytes = c->consumed;
	c->room += c->consumed;
	c->consumed = 0;
	mux_send(all.mux, PROTO_CREDIT, session_of(c), PROTO_STDIN, &m, sizeof(m));
}

/* To the client. */
static void push(struct conn *c)
{
	uint8_t *ring = rings[c - all.conns];

	while (c->fd >= 0 && c->len) {
		uint32_t n = PROTO_WINDOW - c->at;
		ssize_t r = send(c->fd, ring + c->at, c->len < n ? c->len : n, MSG_NOSIGNAL);

		if (r < 0 && errno == EAGAIN)
			return;
		if (r <= 0) {
			conn_drop(c);
			return;
		}
		c->at = (c->at + (uint32_t)r) % PROTO_WINDOW;
		c->len -= (uint32_t)r;
		return_credit(c, (uint32_t)r);
	}
	if (c->got_end && c->fd >= 0)
		conn_drop(c);
}

/* From the client. */
static void pull(struct conn *c)
{
	ssize_t n;

	if (c->fd < 0 || c->sent_eof || c->got_end || !c->credit || !mux_room(all.mux))
		return;
	n = mux_pump(all.mux, c->fd, session_of(c), PROTO_STDOUT, c->credit);
	if (n > 0) {
		c->credit -= (uint32_t)n;
	} else if (n == 0) {
		send_frame(c, PROTO_EOF, PROTO_STDOUT);
		c->sent_eof = true;
	} else if (errno != EAGAIN) {
		conn_drop(c);
	}
}

static void conn_ready(struct source *src, uint32_t events)
{
	(void)src;
	(void)events;
	metadata_service();
}

/* An fd that nothing can be done with leaves the loop, as EPOLLHUP cannot be masked. */
static void watch(struct conn *c)
{
	uint32_t events = c->len ? EPOLLOUT : 0;
	struct err e;

	if (c->fd < 0)
		return;
	if (!c->sent_eof && !c->got_end && c->credit && !all.mux->is_full)
		events |= EPOLLIN;
	if (!events)
		loop_remove(&c->src);
	else if (c->src.loop)
		loop_set_events(&c->src, events);
	else if (loop_add(all.loop, &c->src, c->fd, events, conn_ready, &e) < 0)
		conn_drop(c); /* no kernel memory */
}

static struct conn *find_free(void)
{
	for (size_t i = 0; i < nitems(all.conns); i++) {
		if (!all.conns[i].is_open)
			return &all.conns[i];
	}
	return NULL;
}

static void accept_all(void)
{
	struct conn *c;
	int fd;

	while (!all.mux->is_full && (c = find_free())) {
		fd = accept4(all.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			break;
		*c = (struct conn){ .is_open = true,
				    .fd = fd,
				    .src = { .fd = -1 },
				    .credit = PROTO_WINDOW,
				    .room = PROTO_WINDOW };
		send_frame(c, PROTO_OPEN, 0);
		pull(c);
	}
	loop_set_events(&all.src, find_free() && !all.mux->is_full ? EPOLLIN : 0);
}

void metadata_service(void)
{
	if (!all.loop)
		return;
	for (size_t i = 0; i < nitems(all.conns); i++) {
		if (!all.conns[i].is_open)
			continue;
		push(&all.conns[i]);
		pull(&all.conns[i]);
	}
	accept_all();
	if (mux_flush(all.mux) < 0)
		return; /* the port's own event says it, too */
	for (size_t i = 0; i < nitems(all.conns); i++)
		watch(&all.conns[i]);
}

static void listener_ready(struct source *src, uint32_t events)
{
	(void)src;
	(void)events;
	metadata_service();
}

int metadata_listen(const struct pod *pod, struct err *e)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons(pod->metadata_port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	for (size_t i = 0; i < nitems(all.conns); i++)
		all.conns[i].fd = -1;
	if (!pod->metadata_port)
		return 0;
	all.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (all.fd < 0 || setsockopt(all.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(all.fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 || listen(all.fd, BACKLOG) < 0)
		return err_set(e, errno, "cannot listen on port %u for the metadata service",
			       pod->metadata_port);
	return 0;
}

int metadata_start(struct loop *l, struct mux *m, struct err *e)
{
	if (all.fd < 0)
		return 0;
	all.mux = m;
	all.loop = l;
	return loop_add(l, &all.src, all.fd, EPOLLIN, listener_ready, e);
}

static int take_data(struct conn *c, const uint8_t *p, uint32_t n, struct err *e)
{
	uint8_t *ring = rings[c - all.conns];
	uint32_t to = (c->at + c->len) % PROTO_WINDOW, first;

	if (n > c->room)
		return err_set(e, 0, "cannot take an answer from the host: more than agreed");
	c->room -= n;
	if (c->fd < 0)
		return 0; /* it was on its way when the client went */
	first = PROTO_WINDOW - to < n ? PROTO_WINDOW - to : n;
	memcpy(ring + to, p, first);
	memcpy(ring, p + first, n - first);
	c->len += n;
	return 0;
}

static int take_credit(struct conn *c, const uint8_t *p, struct err *e)
{
	struct proto_credit m;

	memcpy(&m, p, sizeof(m));
	if (m.bytes > PROTO_WINDOW - c->credit)
		return err_set(e, 0, "cannot take credit from the host: more than the window");
	c->credit += m.bytes;
	return 0;
}

static void take_end(struct conn *c)
{
	c->got_end = true;
	if (c->fd < 0)
		c->is_open = false; /* both have said it */
}

int metadata_frame(const struct proto_hdr *h, const uint8_t *p, struct err *e)
{
	unsigned n = h->session - PROTO_CONN;
	struct conn *c = n < nitems(all.conns) ? &all.conns[n] : NULL;

	if (!c || !c->is_open || c->got_end)
		return -1; /* the caller has said what it is */
	if (h->type == PROTO_DATA && h->stream == PROTO_STDIN && h->len)
		return take_data(c, p, h->len, e);
	if (h->type == PROTO_CREDIT && h->stream == PROTO_STDOUT &&
	    h->len == sizeof(struct proto_credit))
		return take_credit(c, p, e);
	if (h->type != PROTO_END || h->stream || h->len)
		return -1;
	take_end(c);
	return 0;
}
