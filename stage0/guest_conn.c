/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that apps make to the metadata service: what the guest may say of them, and what we
 * say.  The table of legal frames is in guest.c.
 */
#include "guest.h"

#include <string.h>

#include "base/strbuf.h"
#include "guest_internal.h"

static struct guest_conn *conn_of(struct guest *g, const struct proto_hdr *h)
{
	return &g->conns[h->session - PROTO_CONN];
}

const char *guest_conn_on_open(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	struct guest_conn *c = conn_of(g, h);
	uint8_t *ring = c->in.ring; /* of an earlier one with this number */

	(void)p;
	*c = (struct guest_conn){ .state = GUEST_CONN_OPEN,
				  .out.credit = PROTO_WINDOW,
				  .in = { .ring = ring, .credit = PROTO_WINDOW } };
	g->ev->conn_open(g->ctx, h->session - PROTO_CONN);
	return NULL;
}

const char *guest_conn_on_data(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	struct guest_conn *c = conn_of(g, h);

	if (c->out.has_ended)
		return "the stream has ended";
	if (h->len > c->out.credit)
		return "it has no credit for so much";
	c->out.credit -= h->len;
	if (c->in.wants_eof)
		return NULL; /* we have ended it: this was on its way */
	c->out.unreturned += h->len;
	g->ev->conn_data(g->ctx, h->session - PROTO_CONN, p, h->len);
	return NULL;
}

const char *guest_conn_on_eof(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	struct guest_conn *c = conn_of(g, h);

	(void)p;
	if (c->out.has_ended)
		return "the stream has ended";
	c->out.has_ended = true;
	if (!c->in.wants_eof)
		g->ev->conn_eof(g->ctx, h->session - PROTO_CONN);
	return NULL;
}

const char *guest_conn_on_credit(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	struct guest_conn *c = conn_of(g, h);
	bool had_room = c->in.len < c->in.credit;
	struct proto_credit m;

	memcpy(&m, p, sizeof(m));
	if (!m.bytes || m.bytes > PROTO_WINDOW - c->in.credit)
		return "credit for more than the window";
	c->in.credit += m.bytes;
	if (!had_room && !c->in.wants_eof)
		g->ev->conn_room(g->ctx, h->session - PROTO_CONN);
	return NULL;
}

const char *guest_conn_on_end(struct guest *g, const struct proto_hdr *h, const uint8_t *p)
{
	struct guest_conn *c = conn_of(g, h);
	bool is_news = !c->in.wants_eof;

	(void)p;
	c->out.has_ended = true;
	if (c->in.has_ended) {
		c->state = GUEST_CONN_FREE;
		return NULL;
	}
	/* nobody is there to read what we still have */
	c->state = GUEST_CONN_ENDING;
	c->in.len = 0;
	c->in.wants_eof = true;
	if (is_news)
		g->ev->conn_gone(g->ctx, h->session - PROTO_CONN);
	return NULL;
}

void guest_conn_ended(struct guest_conn *c)
{
	if (c->state == GUEST_CONN_ENDING)
		c->state = GUEST_CONN_FREE;
}

void guest_take_conns(struct guest *g)
{
	g->takes_conns = true;
}

size_t guest_conn_room(const struct guest *g, unsigned conn)
{
	const struct guest_conn *c = &g->conns[conn];

	if (g->state == GUEST_BROKEN || c->state != GUEST_CONN_OPEN || c->in.wants_eof)
		return 0;
	return c->in.credit - c->in.len;
}

void guest_conn_send(struct guest *g, unsigned conn, const void *p, size_t n)
{
	size_t room = guest_conn_room(g, conn);

	if (n > room)
		n = room; /* it has ended since the caller asked */
	if (!n)
		return;
	guest_input_add(&g->conns[conn].in, p, n);
	guest_send_wanted(g);
}

void guest_conn_end(struct guest *g, unsigned conn)
{
	if (g->conns[conn].state != GUEST_CONN_OPEN)
		return;
	g->conns[conn].in.wants_eof = true;
	guest_send_wanted(g);
}
