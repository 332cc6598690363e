/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/strbuf.h"

/* Below this, a hole saves less than the system call that makes it costs. */
#define MIN_HOLE (64u << 10)
#define SEND_SIZE (16u << 20)

int outfile_open(struct outfile *f, int fd, size_t buffer, const char *what, struct err *e)
{
	*f = (struct outfile){ .fd = fd, .what = what, .cap = buffer };
	f->buf = malloc(buffer);
	if (!f->buf)
		return err_set(e, ENOMEM, "cannot write %s", what);
	return 0;
}

void outfile_close(struct outfile *f)
{
	free(f->buf);
	f->buf = NULL;
}

static bool all_zero(const unsigned char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* The disk works while we do, so that the caller's fsync() has little left to wait for. */
static void send_early(struct outfile *f)
{
	if (f->flushed - f->sent < SEND_SIZE)
		return;
	(void)sync_file_range(f->fd, (off_t)f->sent, (off_t)(f->flushed - f->sent),
			      SYNC_FILE_RANGE_WRITE); /* a hint; fsync() tells what fails */
	f->sent = f->flushed;
}

static int flush(struct outfile *f, struct err *e)
{
	/* A buffer of zeros is not written: a bomb of zeros costs no space. */
	if (!all_zero(f->buf, f->len) &&
	    fs_pwrite_all(f->fd, f->buf, f->len, (off_t)f->flushed) < 0)
		return err_set(e, errno, "cannot write %s", f->what);
	f->flushed += f->len;
	f->len = 0;
	send_early(f);
	return 0;
}

int outfile_write(struct outfile *f, const void *p, size_t n, struct err *e)
{
	const unsigned char *from = p;

	while (n) {
		size_t room = f->cap - f->len;
		size_t part = n < room ? n : room;

		memcpy(f->buf + f->len, from, part);
		f->len += part;
		from += part;
		n -= part;
		if (f->len == f->cap && flush(f, e) < 0)
			return -1;
	}
	return 0;
}

int outfile_zeros(struct outfile *f, uint64_t n, struct err *e)
{
	if (n >= MIN_HOLE) {
		if (flush(f, e) < 0)
			return -1;
		f->flushed += n;
		return 0;
	}
	while (n) {
		size_t room = f->cap - f->len;
		size_t part = n < room ? (size_t)n : room;

		memset(f->buf + f->len, 0, part);
		f->len += part;
		n -= part;
		if (f->len == f->cap && flush(f, e) < 0)
			return -1;
	}
	return 0;
}

int outfile_align(struct outfile *f, uint64_t unit, struct err *e)
{
	uint64_t over = outfile_tell(f) % unit;

	return over ? outfile_zeros(f, unit - over, e) : 0;
}

int outfile_finish(struct outfile *f, struct err *e)
{
	if (flush(f, e) < 0)
		return -1;
	if (ftruncate(f->fd, (off_t)f->flushed) < 0)
		return err_set(e, errno, "cannot write %s", f->what);
	return 0;
}
