/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: A Debian package
 *
 * deb(5): an ar archive whose member data.tar, compressed somehow, has the files.  A worker
 * (base/worker.h) reads it, with two libarchive readers, the inner one fed by the outer one, and
 *only formats and filters that packages use.  It passes the files that are of use on through a
 *pipe:
 *
 *	u32 length, path	1 to 4095 bytes; length 0: no more files
 *	u32 length, bytes	as often as need be, at most 64 KiB; length 0: the file's end
 *
 * What comes out of the pipe is as doubtful as the package: it is bounded here, and source_add()
 * checks each path.
 */
#include "stage0/kernel_source.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/worker.h"

#define CHUNK_MAX 65536u
/* xz -9 looks back 64 MiB, zstd --ultra 128. */
#define WORKER_MAX_MEMORY (512ull << 20)

/* ---- the worker ---- */

struct deb {
	struct archive *outer, *inner;
	int fd, pipe;
	char buf[CHUNK_MAX];
};

/* libarchive's texts begin in upper case and may be missing. */
static int fail(struct archive *a, struct err *e)
{
	const char *why = archive_error_string(a);

	return err_set(e, 0, "it is broken: %s", why ? why : "truncated");
}

static int pass_on(struct deb *d, const void *p, size_t n, struct err *e)
{
	uint32_t len = (uint32_t)n;

	if (fs_write_all(d->pipe, &len, sizeof(len)) < 0 || fs_write_all(d->pipe, p, n) < 0)
		return err_set(e, errno, "nobody takes its files");
	return 0;
}

/* archive_read_open_fd() would stat and seek; this needs read(2) alone. */
static la_ssize_t read_fd(struct archive *a, void *ctx, const void **buf)
{
	struct deb *d = ctx;
	ssize_t n;

	do
		n = read(d->fd, d->buf, sizeof(d->buf));
	while (n < 0 && errno == EINTR);
	*buf = d->buf;
	if (n < 0)
		archive_set_error(a, errno, "cannot read it");
	return n;
}

static la_ssize_t feed(struct archive *inner, void *ctx, const void **buf)
{
	struct deb *d = ctx;
	la_int64_t off;
	size_t n = 0;
	int r = archive_read_data_block(d->outer, buf, &n, &off);

	if (r == ARCHIVE_EOF)
		return 0;
	if (r == ARCHIVE_OK)
		return (la_ssize_t)n;
	archive_set_error(inner, EIO, "%s", archive_error_string(d->outer));
	return -1;
}

static int pass_file(struct deb *d, const char *path, struct err *e)
{
	char buf[CHUNK_MAX];
	la_ssize_t n;

	if (strlen(path) >= PATH_MAX)
		return err_setk(e, ERR_DENIED, 0, "it holds a file with a path of %zu bytes",
				strlen(path));
	if (pass_on(d, path, strlen(path), e) < 0)
		return -1;
	while ((n = archive_read_data(d->inner, buf, sizeof(buf))) > 0) {
		if (pass_on(d, buf, (size_t)n, e) < 0)
			return -1;
	}
	return n < 0 ? fail(d->inner, e) : pass_on(d, "", 0, e);
}

static int pass_files(struct deb *d, struct err *e)
{
	struct archive_entry *entry;
	const char *path;
	int r;

	while ((r = archive_read_next_header(d->inner, &entry)) == ARCHIVE_OK) {
		path = archive_entry_pathname(entry);
		/* Links are of no use: build, source and the like. */
		if (!path || !path[0] || archive_entry_filetype(entry) != AE_IFREG ||
		    archive_entry_hardlink(entry) || !source_wants(path))
			continue;
		if (pass_file(d, path, e) < 0)
			return -1;
	}
	return r == ARCHIVE_EOF ? pass_on(d, "", 0, e) : fail(d->inner, e);
}

static int open_inner(struct deb *d, struct err *e)
{
	struct archive *a = d->inner;

	if (archive_read_support_format_tar(a) != ARCHIVE_OK ||
	    archive_read_support_filter_xz(a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(a) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_open2(a, d, NULL, feed, NULL, NULL) != ARCHIVE_OK)
		return fail(a, e);
	return 0;
}

static int find_data(struct deb *d, struct err *e)
{
	struct archive_entry *entry;
	int r;

	while ((r = archive_read_next_header(d->outer, &entry)) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);

		if (name && !strncmp(name, "data.tar", 8))
			return 0;
	}
	return r == ARCHIVE_EOF ? err_set(e, 0, "it is not a Debian package: no data.tar in it")
				: fail(d->outer, e);
}

static int prepare_deb(void *ctx, struct err *e)
{
	struct deb *d = ctx;

	d->outer = archive_read_new();
	d->inner = archive_read_new();
	return d->outer && d->inner ? 0 : err_set(e, ENOMEM, "no room");
}

/* The worker ends with it: nothing is freed. */
static int run_deb(void *ctx, struct err *e)
{
	struct deb *d = ctx;

	if (archive_read_support_format_ar(d->outer) != ARCHIVE_OK ||
	    archive_read_open(d->outer, d, NULL, read_fd, NULL) != ARCHIVE_OK)
		return fail(d->outer, e);
	if (find_data(d, e) < 0 || open_inner(d, e) < 0)
		return -1;
	return pass_files(d, e);
}

/* ---- who asked ---- */

struct taker {
	int fd;
	size_t left;  /* of the chunk */
	bool is_over; /* the file */
};

/* 1, or 0 when the worker ended: it says why. */
static int take(int fd, void *p, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t r = read(fd, (char *)p + have, n - have);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return 0;
		have += (size_t)r;
	}
	return 1;
}

static int is_cut_off(struct err *e)
{
	return err_set(e, EPIPE, "the package is broken");
}

static ssize_t take_data(void *ctx, void *buf, size_t n, struct err *e)
{
	struct taker *t = ctx;
	uint32_t len;

	if (!t->left && !t->is_over) {
		if (!take(t->fd, &len, sizeof(len)) || len > CHUNK_MAX)
			return is_cut_off(e);
		t->left = len;
		t->is_over = !len;
	}
	if (n > t->left)
		n = t->left;
	if (!take(t->fd, buf, n))
		return is_cut_off(e);
	t->left -= n;
	return (ssize_t)n;
}

static int take_file(struct kernel_source *s, int fd, const char *path, struct err *e)
{
	struct taker t = { .fd = fd };
	struct source_file f = { path, take_data, &t };
	char rest[4096];
	ssize_t n;

	if (source_add(s, &f, e) < 0)
		return -1;
	while ((n = take_data(&t, rest, sizeof(rest), e)) > 0)
		;
	return (int)n;
}

/* 0 at the end, or when the worker ended before it: whoever waits for it learns which. */
static int take_files(struct kernel_source *s, int fd, struct err *e)
{
	char path[PATH_MAX];
	uint32_t len;

	while (take(fd, &len, sizeof(len)) && len) {
		if (len >= sizeof(path) || !take(fd, path, len))
			return is_cut_off(e);
		path[len] = '\0';
		if (strlen(path) != len)
			return is_cut_off(e);
		if (take_file(s, fd, path, e) < 0)
			return -1;
	}
	return 0;
}

static int wait_for(struct worker *w, const char *what, const struct kernel_source *s,
		    struct err *e)
{
	if (worker_wait(w, what, w, 0, e) < 0)
		return -1;
	if (s->image.len)
		return 0;
	err_set(e, 0, "the package has no kernel (boot/vmlinuz-*)");
	return err_hint(e, "a meta package holds none: take the linux-image-VERSION package that "
			   "it depends on");
}

int source_read_deb(struct kernel_source *s, int fd, struct err *e)
{
	static const char what[] = "read the package";
	struct worker_job job = {
		.what = what,
		.nr_fds = 2,
		.max_memory = WORKER_MAX_MEMORY,
		.max_file = 1,
		.prepare = prepare_deb,
		.run = run_deb,
	};
	cleanup_free struct deb *d = xcalloc(1, sizeof(*d));
	cleanup_close int rd = -1, wr = -1;
	struct err cut_off;
	struct worker w;
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot make a pipe");
	rd = p[0];
	wr = p[1];
	d->fd = job.fds[0] = fd;
	d->pipe = job.fds[1] = wr;
	job.ctx = d;
	job.result = d;
	if (worker_start(&job, &w, e) < 0)
		return -1;
	close_p(&wr);
	if (take_files(s, rd, e) == 0)
		return wait_for(&w, what, s, e);
	if (e->num != EPIPE) {
		worker_cancel(&w);
		return -1;
	}
	/* Its own word for why it was cut off is better than ours; it must not wait for us. */
	close_p(&rd);
	cut_off = *e;
	if (worker_wait(&w, what, d, 0, e) == 0)
		*e = cut_off;
	return -1;
}
