/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* A new open file description of what @fd is, so that O_NONBLOCK is ours alone. */
static int reopen(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static int dup_cloexec(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static bool is_polled(const struct stat *st, int fd)
{
	return S_ISFIFO(st->st_mode) || (S_ISCHR(st->st_mode) && isatty(fd));
}

static void mark_closed(struct out_stream *o)
{
	size_t lost = o->pending.len;

	if (o->is_closed)
		return;
	o->is_closed = true;
	sb_free(&o->pending);
	loop_remove(&o->src);
	if (lost)
		o->written(o, lost);
	o->closed(o);
}

/* One attempt. Returns bytes taken, 0 to wait, -1 when the reader is gone. */
static ssize_t write_some(const struct out_stream *o, const char *p, size_t n)
{
	ssize_t w;

	/* A pipe that polls as writable takes PIPE_BUF bytes, should reopening have failed. */
	if (o->kind == OUT_POLLED && n > 4096)
		n = 4096;
	do {
		w = o->kind == OUT_SOCKET ? send(o->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL)
					  : write(o->fd, p, n);
	} while (w < 0 && errno == EINTR);
	if (w < 0 && errno == EAGAIN)
		return 0;
	return w;
}

/* Writes what it can of @p; returns how much was taken. */
static size_t write_now(struct out_stream *o, const char *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t w = write_some(o, p + done, n - done);

		if (w < 0) {
			mark_closed(o);
			return n;
		}
		if (!w)
			break;
		done += (size_t)w;
	}
	return done;
}

static void out_ready(struct source *s, uint32_t events)
{
	struct out_stream *o = (struct out_stream *)s;
	size_t n;

	if (!o->pending.len && (events & (EPOLLERR | EPOLLHUP))) {
		mark_closed(o);
		return;
	}
	n = write_now(o, o->pending.buf, o->pending.len);
	if (o->is_closed)
		return;
	sb_drop_front(&o->pending, n);
	if (!o->pending.len) {
		sb_free(&o->pending);
		loop_set_events(&o->src, 0); /* EPOLLERR still tells when the reader goes */
	}
	if (n)
		o->written(o, n);
}

int out_open(struct out_stream *o, struct loop *l, int fd,
	     void (*written)(struct out_stream *, size_t), void (*closed)(struct out_stream *),
	     struct err *e)
{
	struct stat st;

	*o = (struct out_stream){ .fd = -1, .written = written, .closed = closed, .loop = l };
	sb_init(&o->pending);
	o->src.fd = -1;
	if (fstat(fd, &st) < 0) { /* started with it closed */
		o->is_closed = true;
		return 0;
	}
	o->kind = S_ISSOCK(st.st_mode) ? OUT_SOCKET : is_polled(&st, fd) ? OUT_POLLED : OUT_FILE;
	if (o->kind == OUT_POLLED)
		o->fd = reopen(fd, O_WRONLY);
	if (o->fd < 0)
		o->fd = dup_cloexec(fd);
	if (o->fd < 0)
		return err_set(e, errno, "cannot open standard output");
	if (o->kind == OUT_FILE)
		return 0;
	return loop_add(l, &o->src, o->fd, 0, out_ready, e);
}

void out_write(struct out_stream *o, const void *p, size_t n)
{
	size_t done = 0;

	if (o->is_closed) {
		o->written(o, n);
		return;
	}
	if (!o->pending.len)
		done = write_now(o, p, n);
	if (o->is_closed) {
		o->written(o, n);
		return;
	}
	if (done < n) {
		sb_add(&o->pending, (const char *)p + done, n - done);
		loop_set_events(&o->src, EPOLLOUT);
	}
	if (done)
		o->written(o, done);
}

bool out_is_idle(const struct out_stream *o)
{
	return !o->pending.len;
}

void out_close(struct out_stream *o)
{
	loop_remove(&o->src);
	close_p(&o->fd);
	sb_free(&o->pending);
	o->is_closed = true;
}

static void in_end(struct in_stream *s)
{
	if (s->is_ended)
		return;
	s->is_ended = true;
	loop_remove(&s->src);
	s->eof(s);
}

/* Reads once. Returns false when there is nothing more to read now. */
static bool read_once(struct in_stream *s)
{
	char buf[16384];
	size_t room = s->room(s);
	ssize_t n;

	if (!room || s->is_ended)
		return false;
	do
		n = read(s->fd, buf, room < sizeof(buf) ? room : sizeof(buf));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) /* an error (EIO of a terminal that hung up) ends input as its end does */
		in_end(s);
	else
		s->data(s, buf, (size_t)n);
	return n > 0;
}

static void in_ready(struct source *src, uint32_t events)
{
	struct in_stream *s = (struct in_stream *)src;

	(void)events;
	read_once(s);
	if (!s->is_ended && !s->room(s))
		loop_set_events(&s->src, 0);
}

int in_open(struct in_stream *s, struct loop *l, int fd, struct err *e)
{
	struct stat st;

	s->loop = l;
	s->fd = -1;
	s->src.loop = NULL;
	s->is_ended = false;
	if (fstat(fd, &st) < 0) {
		s->is_file = true; /* started with it closed: an empty input */
		return 0;
	}
	s->is_file = !S_ISSOCK(st.st_mode) && !is_polled(&st, fd);
	s->fd = dup_cloexec(fd);
	if (s->fd < 0)
		return err_set(e, errno, "cannot open standard input");
	if (s->is_file)
		return 0;
	return loop_add(l, &s->src, s->fd, 0, in_ready, e);
}

void in_resume(struct in_stream *s)
{
	if (s->is_ended)
		return;
	if (s->fd < 0) {
		in_end(s);
		return;
	}
	if (!s->is_file) {
		loop_set_events(&s->src, s->room(s) ? EPOLLIN : 0);
		return;
	}
	while (read_once(s))
		;
}

void in_close(struct in_stream *s)
{
	loop_remove(&s->src);
	close_p(&s->fd);
	s->is_ended = true;
}
