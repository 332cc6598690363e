/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

int loop_init(struct loop *l, struct err *e)
{
	*l = (struct loop){ .epfd = epoll_create1(EPOLL_CLOEXEC) };
	if (l->epfd < 0)
		return err_set(e, errno, "cannot make an event loop");
	return 0;
}

void loop_close(struct loop *l)
{
	close_p(&l->epfd);
}

int loop_add(struct loop *l, struct source *s, int fd, uint32_t events,
	     void (*ready)(struct source *, uint32_t), struct err *e)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_set(e, errno, "cannot watch file %d", fd);
	*s = (struct source){ .fd = fd, .events = events, .ready = ready, .loop = l };
	return 0;
}

void loop_set_events(struct source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (!s->loop || s->events == events)
		return;
	s->events = events;
	(void)epoll_ctl(s->loop->epfd, EPOLL_CTL_MOD, s->fd, &ev); /* it is in the set */
}

void loop_remove(struct source *s)
{
	int i;

	if (!s->loop)
		return;
	(void)epoll_ctl(s->loop->epfd, EPOLL_CTL_DEL, s->fd, NULL); /* closed fds are out already */
	for (i = 0; i < s->loop->nr_batch; i++) {
		if (s->loop->batch[i].data.ptr == s)
			s->loop->batch[i].data.ptr = NULL;
	}
	s->loop = NULL;
	s->fd = -1;
}

int loop_run(struct loop *l, struct err *e)
{
	int i;

	while (!l->stop) {
		l->nr_batch = epoll_wait(l->epfd, l->batch, (int)nitems(l->batch), -1);
		if (l->nr_batch < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait for events");
		for (i = 0; i < l->nr_batch; i++) {
			struct source *s = l->batch[i].data.ptr;

			if (s)
				s->ready(s, l->batch[i].events);
		}
		l->nr_batch = 0;
	}
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

static void timer_ready(struct source *s, uint32_t events)
{
	struct timer *t = (struct timer *)s;
	uint64_t n;

	(void)events;
	if (read(s->fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
		t->expired(t);
}

int timer_init(struct loop *l, struct timer *t, void (*expired)(struct timer *), struct err *e)
{
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0)
		return err_set(e, errno, "cannot make a timer");
	t->expired = expired;
	if (loop_add(l, &t->src, fd, EPOLLIN, timer_ready, e) < 0) {
		close(fd);
		return -1;
	}
	return 0;
}

void timer_arm(struct timer *t, uint64_t after_ns)
{
	struct itimerspec its = {
		.it_value = { .tv_sec = (time_t)(after_ns / 1000000000),
			      .tv_nsec = (long)(after_ns % 1000000000) },
	};

	(void)timerfd_settime(t->src.fd, 0, &its, NULL); /* fails only for bad arguments */
}

void timer_close(struct timer *t)
{
	int fd = t->src.fd;

	if (!t->src.loop)
		return;
	loop_remove(&t->src);
	close(fd);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
