/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker threads, where io_uring is not allowed.  Each takes an operation from the list, blocks in
 * it, and puts it on the other list; an eventfd tells the loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "vmm/event.h"
#include "vmm/sandbox.h"
#include "vmm/virtio/blk_engine.h"

#define NR_WORKERS 4

struct io_list {
	struct io *first, **last;
};

struct workers {
	struct io_engine *engine;
	struct source wake; /* eventfd: there is something in finished */
	pthread_t threads[NR_WORKERS];
	unsigned nr_threads;
	struct io_list fresh; /* submitted and not committed; owner: loop */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t work, done;
	struct io_list todo, finished;
	unsigned nr_confined;
	bool is_woken, is_stopping, has_failed;
	struct err failure;
};

static void list_init(struct io_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void list_add(struct io_list *l, struct io *io)
{
	io->next = NULL;
	*l->last = io;
	l->last = &io->next;
}

static struct io *list_take(struct io_list *l)
{
	struct io *io = l->first;

	l->first = io->next;
	if (!l->first)
		l->last = &l->first;
	return io;
}

static int64_t perform(int fd, const struct io *io)
{
	int64_t n;

	switch (io->op) {
	case IO_READ:
		n = preadv(fd, io->iov, (int)io->nr_iov, (off_t)io->offset);
		break;
	case IO_WRITE:
		n = pwritev(fd, io->iov, (int)io->nr_iov, (off_t)io->offset);
		break;
	case IO_SYNC:
		n = fdatasync(fd);
		break;
	default:
		n = fallocate(fd, (int)io_fallocate_mode(io->op), (off_t)io->offset,
			      (off_t)io->len);
	}
	return n < 0 ? -errno : n;
}

static void *work(void *arg)
{
	struct workers *w = arg;
	struct err e;
	int confined = sandbox_enter(SANDBOX_WORKER, &e);

	pthread_mutex_lock(&w->lock);
	w->nr_confined++;
	if (confined < 0) {
		w->has_failed = w->is_stopping = true;
		w->failure = e;
	}
	pthread_cond_signal(&w->done);
	while (!w->is_stopping) {
		struct io *io;

		if (!w->todo.first) {
			pthread_cond_wait(&w->work, &w->lock);
			continue;
		}
		io = list_take(&w->todo);
		pthread_mutex_unlock(&w->lock);
		io->result = perform(w->engine->files[io->file], io);
		pthread_mutex_lock(&w->lock);
		list_add(&w->finished, io);
		pthread_cond_signal(&w->done);
		if (!w->is_woken)
			event_tell(w->wake.fd);
		w->is_woken = true;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void threads_submit(struct io_engine *g, struct io *io)
{
	struct workers *w = g->state;

	list_add(&w->fresh, io);
}

/* Takes the lock once for what goes and what came. */
static void exchange(struct io_engine *g, struct workers *w, bool wait)
{
	struct io *io;

	pthread_mutex_lock(&w->lock);
	while (w->fresh.first) {
		list_add(&w->todo, list_take(&w->fresh));
		pthread_cond_signal(&w->work);
	}
	while (wait && !w->finished.first)
		pthread_cond_wait(&w->done, &w->lock);
	io = w->finished.first;
	list_init(&w->finished);
	w->is_woken = false; /* what comes from now on wakes the loop anew */
	pthread_mutex_unlock(&w->lock);
	while (io) {
		struct io *next = io->next;

		io_complete(g, io, io->result);
		io = next;
	}
}

static bool threads_commit(struct io_engine *g)
{
	struct workers *w = g->state;

	exchange(g, w, false);
	return w->fresh.first != NULL;
}

static void threads_wait(struct io_engine *g)
{
	exchange(g, g->state, true);
}

static void woken(struct source *s, uint32_t events)
{
	struct workers *w = container_of(s, struct workers, wake);

	(void)events;
	if (event_take(s))
		io_commit(w->engine);
}

static void threads_stop(struct io_engine *g)
{
	struct workers *w = g->state;
	unsigned i;

	pthread_mutex_lock(&w->lock);
	w->is_stopping = true;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	for (i = 0; i < w->nr_threads; i++)
		pthread_join(w->threads[i], NULL);
	event_unwatch(&w->wake);
	free(w);
	g->state = NULL;
}

/* All of them, confined. */
static int start_workers(struct workers *w, struct err *e)
{
	for (; w->nr_threads < NR_WORKERS; w->nr_threads++) {
		int r = thread_start(&w->threads[w->nr_threads], work, w);

		if (r)
			return err_set(e, r, "cannot start a thread for the disks");
	}
	pthread_mutex_lock(&w->lock);
	while (w->nr_confined < NR_WORKERS)
		pthread_cond_wait(&w->done, &w->lock);
	pthread_mutex_unlock(&w->lock);
	if (w->has_failed)
		*e = w->failure;
	return w->has_failed ? -1 : 0;
}

static int threads_start(struct io_engine *g, struct err *e)
{
	struct workers *w = xcalloc(1, sizeof(*w));

	g->state = w;
	w->engine = g;
	list_init(&w->fresh);
	list_init(&w->todo);
	list_init(&w->finished);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	pthread_cond_init(&w->done, NULL);
	if (event_watch(g->loop, &w->wake, woken, e) == 0 && start_workers(w, e) == 0)
		return 0;
	threads_stop(g);
	return -1;
}

const struct io_backend io_threads_backend = {
	.name = "threads",
	.start = threads_start,
	.submit = threads_submit,
	.commit = threads_commit,
	.wait = threads_wait,
	.stop = threads_stop,
};
