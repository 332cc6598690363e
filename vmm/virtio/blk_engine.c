/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio/blk_engine.h"

#include <fcntl.h>
#include <linux/falloc.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/strbuf.h"

struct io_engine *io_engine_new(struct loop *l, unsigned depth)
{
	struct io_engine *g = xcalloc(1, sizeof(*g));

	g->loop = l;
	g->depth = depth;
	return g;
}

int io_engine_add(struct io_engine *g, int fd, struct io_client *c)
{
	struct io_client **p = &g->clients;

	g->files = xrealloc(g->files, (g->nr_files + 1) * sizeof(*g->files));
	g->files[g->nr_files] = fd;
	while (*p && *p != c)
		p = &(*p)->next;
	if (!*p) {
		c->next = NULL;
		*p = c;
	}
	return (int)g->nr_files++;
}

void io_engine_remove(struct io_engine *g, struct io_client *c)
{
	struct io_client **p;

	for (p = &g->clients; *p; p = &(*p)->next) {
		if (*p == c) {
			*p = c->next;
			return;
		}
	}
}

static int start(struct io_engine *g, const struct io_backend *b, struct err *e)
{
	g->backend = b->start(g, e) == 0 ? b : NULL;
	return g->backend ? 0 : -1;
}

int io_engine_start(struct io_engine *g, enum spec_io which, struct err *e)
{
	if (which != SPEC_IO_THREADS) {
		if (start(g, &io_uring_backend, e) == 0 || which == SPEC_IO_URING)
			return g->backend ? 0 : -1;
		log_info("%s: disks use threads", e->msg);
	}
	return start(g, &io_threads_backend, e);
}

void io_engine_free(struct io_engine *g)
{
	if (!g)
		return;
	if (g->backend)
		g->backend->stop(g);
	free(g->files);
	free(g);
}

void io_submit(struct io_engine *g, struct io *io)
{
	g->nr_in_flight++;
	g->backend->submit(g, io);
}

void io_complete(struct io_engine *g, struct io *io, int64_t result)
{
	g->nr_in_flight--;
	io->result = result;
	io->done(io);
}

void io_settle(struct io_engine *g)
{
	struct io_client *c;

	for (c = g->clients; c; c = c->next) {
		if (c->has_news) {
			c->has_news = false;
			c->settled(c);
		}
	}
}

void io_commit(struct io_engine *g)
{
	while (g->backend->commit(g))
		;
	io_settle(g);
}

void io_wait(struct io_engine *g)
{
	if (g->nr_in_flight)
		g->backend->wait(g);
	io_commit(g);
}

unsigned io_fallocate_mode(enum io_op op)
{
	return FALLOC_FL_KEEP_SIZE | (op == IO_PUNCH ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
}
