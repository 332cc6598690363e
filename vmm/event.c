/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/event.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"

#define STACK 65536

int event_watch(struct loop *l, struct source *s, void (*ready)(struct source *, uint32_t),
		struct err *e)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd >= 0 && loop_add(l, s, fd, EPOLLIN, ready, e) == 0)
		return 0;
	close_p(&fd);
	s->fd = -1;
	return err_set(e, errno, "cannot make an event file");
}

void event_unwatch(struct source *s)
{
	int fd = s->loop ? s->fd : -1;

	loop_remove(s);
	close_p(&fd);
}

void event_tell(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return; /* 2^64 are pending */
}

bool event_take(struct source *s)
{
	uint64_t n;

	return read(s->fd, &n, sizeof(n)) == (ssize_t)sizeof(n);
}

int thread_start(pthread_t *t, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	r = pthread_create(t, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	return r;
}
