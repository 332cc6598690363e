/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/console.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/strbuf.h"

static void keep_tail(struct console *c, const char *p, size_t n)
{
	size_t room = sizeof(c->tail) - 1;

	if (n > room) {
		p += n - room;
		n = room;
	}
	if (c->len + n > room) {
		size_t drop = c->len + n - room;

		memmove(c->tail, c->tail + drop, c->len - drop);
		c->len -= drop;
	}
	memcpy(c->tail + c->len, p, n);
	c->len += n;
	c->tail[c->len] = '\0';
}

/* A guest's bytes for a person's terminal: escape sequences do not act there. */
static void show(const char *p, size_t n)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	const char *nl;

	for (; n; p = nl + 1) {
		nl = memchr(p, '\n', n);
		if (!nl)
			nl = p + n;
		sb_add_printable(&b, p, (size_t)(nl - p) - (nl > p && nl[-1] == '\r'));
		if (nl == p + n)
			break;
		sb_addc(&b, '\n');
		n -= (size_t)(nl + 1 - p);
	}
	(void)fs_write_all(STDERR_FILENO, b.buf, b.len); /* standard error may be gone */
}

static void log_bytes(struct console *c, const char *p, size_t n)
{
	static const char end[] = "\n[vpod: the rest was left out]\n";

	if (c->logfd < 0)
		return;
	if (c->logged + n > CONSOLE_MAX_LOG) {
		(void)fs_write_all(c->logfd, end, sizeof(end) - 1); /* the log ends either way */
		close_p(&c->logfd);
		return;
	}
	c->logged += n;
	if (fs_write_all(c->logfd, p, n) < 0)
		close_p(&c->logfd); /* a full disk: the tail is still kept */
}

static bool read_once(struct console *c)
{
	char buf[4096];
	ssize_t n = read(c->fd, buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0) {
		if (!n || errno != EAGAIN)
			loop_remove(&c->src);
		return false;
	}
	keep_tail(c, buf, (size_t)n);
	log_bytes(c, buf, (size_t)n);
	if (c->is_shown)
		show(buf, (size_t)n);
	return true;
}

static void console_ready(struct source *s, uint32_t events)
{
	(void)events;
	read_once((struct console *)s);
}

int console_open(struct console *c, struct loop *l, int fd, int logfd, bool is_shown, struct err *e)
{
	*c = (struct console){ .fd = fd, .logfd = logfd, .is_shown = is_shown };
	return loop_add(l, &c->src, fd, EPOLLIN, console_ready, e);
}

void console_drain(struct console *c)
{
	unsigned i;

	for (i = 0; c->fd >= 0 && i < 4096 && read_once(c); i++)
		;
}

void console_close(struct console *c)
{
	loop_remove(&c->src);
	close_p(&c->fd);
	close_p(&c->logfd);
}

const char *console_last(struct console *c, unsigned lines)
{
	size_t i = c->len;

	while (i && (c->tail[i - 1] == '\n' || c->tail[i - 1] == '\r'))
		c->tail[--i] = '\0';
	for (; i; i--) {
		if (c->tail[i - 1] == '\n' && !--lines)
			break;
	}
	return c->tail + i;
}
