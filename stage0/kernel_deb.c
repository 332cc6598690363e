/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Debian package (deb(5)): an ar archive whose member data.tar, compressed somehow, has the
 * files.  Two libarchive readers, the inner one fed by the outer one, only formats and filters that
 * packages use, and nothing of it touches a path on this host.
 */
#include "stage0/kernel_source.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

struct deb {
	struct archive *outer, *inner;
	const char *path;
};

/* libarchive's texts begin in upper case and may be missing. */
static int fail(struct archive *a, struct err *e)
{
	const char *why = archive_error_string(a);

	return err_set(e, 0, "the package is broken: %s", why ? why : "truncated");
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

static ssize_t read_entry(void *ctx, void *buf, size_t n, struct err *e)
{
	struct deb *d = ctx;
	la_ssize_t r = archive_read_data(d->inner, buf, n);

	return r < 0 ? fail(d->inner, e) : r;
}

static int read_files(struct deb *d, struct kernel_source *s, struct err *e)
{
	struct source_file f = { .read = read_entry, .ctx = d };
	struct archive_entry *entry;
	int r;

	while ((r = archive_read_next_header(d->inner, &entry)) == ARCHIVE_OK) {
		f.path = archive_entry_pathname(entry);
		/* Links are of no use: build, source and the like. */
		if (!f.path || archive_entry_filetype(entry) != AE_IFREG ||
		    archive_entry_hardlink(entry))
			continue;
		if (source_add(s, &f, e) < 0)
			return -1;
	}
	return r == ARCHIVE_EOF ? 0 : fail(d->inner, e);
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

static int read_deb(struct deb *d, struct kernel_source *s, int fd, struct err *e)
{
	if (archive_read_support_format_ar(d->outer) != ARCHIVE_OK ||
	    archive_read_open_fd(d->outer, fd, 65536) != ARCHIVE_OK)
		return fail(d->outer, e);
	if (find_data(d, e) < 0 || open_inner(d, e) < 0 || read_files(d, s, e) < 0)
		return -1;
	if (s->image.len)
		return 0;
	err_set(e, 0, "the package has no kernel (boot/vmlinuz-*)");
	return err_hint(e, "a meta package holds none: take the linux-image-VERSION package that "
			   "it depends on");
}

int source_read_deb(struct kernel_source *s, int fd, const char *path, struct err *e)
{
	struct deb d = { archive_read_new(), archive_read_new(), path };
	int r;

	if (d.outer && d.inner)
		r = read_deb(&d, s, fd, e);
	else
		r = err_set(e, ENOMEM, "cannot read it");
	archive_read_free(d.inner);
	archive_read_free(d.outer);
	return r;
}
