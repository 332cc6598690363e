/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/applog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"

static int open_file(struct applog *l)
{
	close_p(&l->fd);
	l->size = 0;
	l->fd = openat(l->dirfd, l->name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	return l->fd < 0 ? -1 : 0;
}

int applog_open(struct applog *l, int pod_dirfd, const char *app, struct err *e)
{
	*l = (struct applog){ .dirfd = pod_dirfd, .fd = -1 };
	sb_init(&l->part[PROTO_STDOUT]);
	sb_init(&l->part[PROTO_STDERR]);
	snprintf(l->name, sizeof(l->name), "log/%s", app);
	if ((mkdirat(pod_dirfd, "log", 0700) < 0 && errno != EEXIST) || open_file(l) < 0)
		return err_set(e, errno, "cannot create %s", l->name);
	return 0;
}

static void rotate(struct applog *l)
{
	char old[sizeof(l->name) + 2];

	snprintf(old, sizeof(old), "%s.1", l->name);
	if (renameat(l->dirfd, l->name, l->dirfd, old) < 0 || open_file(l) < 0) {
		log_warn("log: cannot rotate %s: %s", l->name, strerror(errno));
		close_p(&l->fd);
	}
}

static void add_line(struct strbuf *b, enum proto_stream s, const char *p, size_t n, char tag)
{
	struct timespec ts;
	struct tm tm;
	char t[32];

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(t, sizeof(t), "%Y-%m-%dT%H:%M:%S", &tm);
	sb_addf(b, "%s.%09ldZ %s %c ", t, ts.tv_nsec, s == PROTO_STDOUT ? "stdout" : "stderr", tag);
	sb_add(b, p, n);
	sb_addc(b, '\n');
}

static void write_out(struct applog *l, const struct strbuf *b)
{
	if (l->size + b->len > APPLOG_MAX_FILE)
		rotate(l);
	if (l->fd < 0 || !b->len)
		return;
	if (fs_write_all(l->fd, b->buf, b->len) < 0) {
		log_warn("log: cannot write %s: %s", l->name, strerror(errno));
		close_p(&l->fd);
	}
	l->size += b->len;
}

void applog_write(struct applog *l, enum proto_stream s, const void *data, size_t n)
{
	cleanup_sb struct strbuf out = STRBUF_INIT;
	struct strbuf *part = &l->part[s];
	const char *p = data, *nl;

	if (l->fd < 0)
		return;
	while (n) {
		size_t room = APPLOG_MAX_LINE - part->len, len;

		nl = memchr(p, '\n', n < room ? n : room);
		len = nl ? (size_t)(nl - p) : n < room ? n : room;
		sb_add(part, p, len);
		if (nl || part->len == APPLOG_MAX_LINE) {
			add_line(&out, s, part->buf, part->len, nl ? 'F' : 'P');
			sb_reset(part);
		}
		len += nl != NULL;
		p += len;
		n -= len;
	}
	write_out(l, &out);
}

void applog_close(struct applog *l)
{
	enum proto_stream s;

	for (s = PROTO_STDOUT; s <= PROTO_STDERR; s++) {
		cleanup_sb struct strbuf out = STRBUF_INIT;

		if (l->fd >= 0 && l->part[s].len) {
			add_line(&out, s, l->part[s].buf, l->part[s].len, 'P');
			write_out(l, &out);
		}
		sb_free(&l->part[s]);
	}
	close_p(&l->fd);
}
