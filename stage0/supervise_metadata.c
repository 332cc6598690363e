/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata service of the pod that we supervise: connections of its apps, each one request. */
#include <stdlib.h>

#include "stage0/manifest.h"
#include "stage0/metadata.h"
#include "stage0/supervisor.h"

struct mds_conn {
	struct httpd http;
	bool is_open;
};

struct mds {
	struct metadata *metadata;
	struct mds_conn conns[PROTO_MAX_CONNS];
};

static void drop(struct mds_conn *c)
{
	if (c->is_open)
		httpd_free(&c->http);
	c->is_open = false;
}

/* What the guest has credit for; when all is sent, the end. */
static void pump(struct supervisor *s, unsigned conn)
{
	struct mds_conn *c = &s->mds->conns[conn];
	size_t n = guest_conn_room(s->guest, conn);

	if (n > c->http.out.len)
		n = c->http.out.len;
	guest_conn_send(s->guest, conn, c->http.out.buf, n);
	sb_drop_front(&c->http.out, n);
	if (c->http.out.len || c->http.state != HTTPD_DONE)
		return;
	drop(c);
	guest_conn_end(s->guest, conn);
}

void supervise_conn_open(void *ctx, unsigned conn)
{
	struct supervisor *s = ctx;
	struct mds_conn *c = &s->mds->conns[conn];

	drop(c);
	c->is_open = true;
	httpd_init(&c->http, metadata_serve, s->mds->metadata);
}

void supervise_conn_data(void *ctx, unsigned conn, const void *p, size_t n)
{
	struct supervisor *s = ctx;

	httpd_feed(&s->mds->conns[conn].http, p, n);
	pump(s, conn);
}

void supervise_conn_eof(void *ctx, unsigned conn)
{
	struct supervisor *s = ctx;

	httpd_eof(&s->mds->conns[conn].http);
	pump(s, conn);
}

void supervise_conn_room(void *ctx, unsigned conn)
{
	struct supervisor *s = ctx;

	if (s->mds->conns[conn].is_open)
		pump(s, conn);
}

void supervise_conn_gone(void *ctx, unsigned conn)
{
	struct supervisor *s = ctx;

	drop(&s->mds->conns[conn]);
}

int supervise_open_metadata(struct supervisor *s, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;

	if (!s->args->metadata_key)
		return 0;
	manifest_write(s->args->manifest, &text);
	s->mds = xcalloc(1, sizeof(*s->mds));
	s->mds->metadata =
		metadata_new(s->args->pod->uuid, text.buf, text.len, s->args->metadata_key, e);
	if (!s->mds->metadata)
		return -1;
	guest_take_conns(s->guest);
	return 0;
}

void supervise_close_metadata(struct supervisor *s)
{
	unsigned i;

	if (!s->mds)
		return;
	for (i = 0; i < PROTO_MAX_CONNS; i++)
		drop(&s->mds->conns[i]);
	metadata_free(s->mds->metadata);
	free(s->mds);
	s->mds = NULL;
}
