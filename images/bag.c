/* SPDX-License-Identifier: Apache-2.0 */
#include "bag.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define MAX_LINKS 8

int bag_open_dir(const char *path, struct bag *b, struct err *e)
{
	*b = (struct bag){ .fd = -1 };
	b->fd = fs_opendir(AT_FDCWD, path, e);
	if (b->fd < 0)
		return -1;
	b->path = xstrdup(path);
	return 0;
}

static int cmp_file(const void *a, const void *b)
{
	return strcmp(((const struct bag_file *)a)->name, ((const struct bag_file *)b)->name);
}

/* The same name twice: two readers could see different images in one archive. */
static int check_unique(const struct bag *b, struct err *e)
{
	unsigned i;

	for (i = 1; i < b->nr_files; i++) {
		if (!strcmp(b->files[i - 1].name, b->files[i].name))
			return err_setk(e, ERR_DENIED, 0, "cannot read %s: '%.200s' is in it twice",
					b->path, b->files[i].name);
	}
	return 0;
}

int bag_open_tar(int fd, const char *path, struct bag *b, struct err *e)
{
	struct stat st;

	*b = (struct bag){ .fd = fd, .is_tar = true, .path = xstrdup(path) };
	if (fstat(fd, &st) < 0) {
		err_set(e, errno, "cannot stat %s", path);
	} else if (!tar_index(fd, (uint64_t)st.st_size, b, e)) {
		if (b->nr_files)
			qsort(b->files, b->nr_files, sizeof(*b->files), cmp_file);
		if (!check_unique(b, e))
			return 0;
	}
	bag_close(b);
	return -1;
}

void bag_close(struct bag *b)
{
	unsigned i;

	for (i = 0; i < b->nr_files; i++) {
		free(b->files[i].name);
		free(b->files[i].link);
	}
	free(b->files);
	free(b->path);
	close_p(&b->fd);
	*b = (struct bag){ .fd = -1 };
}

static int no_such(const struct bag *b, const char *name, int num, struct err *e)
{
	return err_setk(e, num == ENOENT ? ERR_NOT_FOUND : ERR_ENGINE, num,
			"cannot open %.200s in %s", name, b->path);
}

static int find_in_dir(const struct bag *b, const char *name, struct span *out, struct err *e)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					   RESOLVE_NO_MAGICLINKS };
	cleanup_close int fd = (int)syscall(SYS_openat2, b->fd, name, &how, sizeof(how));
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ELOOP ? err_setk(e, ERR_DENIED, 0,
						 "cannot open %.200s in %s: it is a symbolic link",
						 name, b->path)
				      : no_such(b, name, errno, e);
	if (!S_ISREG(st.st_mode))
		return err_set(e, 0, "cannot open %.200s in %s: not a regular file", name, b->path);
	*out = (struct span){ take_fd(&fd), 0, (uint64_t)st.st_size };
	return 0;
}

static const struct bag_file *lookup(const struct bag *b, const char *name)
{
	struct bag_file key = { .name = (char *)name };

	return b->nr_files ? bsearch(&key, b->files, b->nr_files, sizeof(key), cmp_file) : NULL;
}

/* Joins a link's target to the directory of the link, within the bag; NULL when it leaves it. */
static char *join_link(const char *name, const char *target)
{
	struct strbuf b = STRBUF_INIT;
	const char *slash = strrchr(name, '/'), *p = target;

	if (slash)
		sb_add(&b, name, (size_t)(slash - name));
	while (*p) {
		size_t n = strcspn(p, "/");

		if (n == 2 && !strncmp(p, "..", 2)) {
			if (!b.len) {
				sb_free(&b);
				return NULL;
			}
			while (b.len && b.buf[b.len - 1] != '/')
				b.len--;
			b.len -= b.len > 0;
			b.buf[b.len] = '\0';
		} else if (n && !(n == 1 && *p == '.')) {
			if (b.len)
				sb_addc(&b, '/');
			sb_add(&b, p, n);
		}
		p += n + (p[n] == '/');
	}
	return sb_take(&b);
}

/* "docker save" of old writes a layer that occurs twice as a link to the first one. */
static int find_in_tar(const struct bag *b, const char *name, struct span *out, struct err *e)
{
	cleanup_free char *at = xstrdup(name);
	const struct bag_file *f = lookup(b, at);
	unsigned i;

	for (i = 0; f && f->link && i < MAX_LINKS; i++) {
		char *next = join_link(at, f->link);

		free(at);
		at = next;
		f = at ? lookup(b, at) : NULL;
	}
	if (!f)
		return no_such(b, name, ENOENT, e);
	if (f->link)
		return no_such(b, name, ELOOP, e);
	*out = (struct span){ fcntl(b->fd, F_DUPFD_CLOEXEC, 3), f->off, f->size };
	return out->fd < 0 ? no_such(b, name, errno, e) : 0;
}

int bag_find(const struct bag *b, const char *name, struct span *out, struct err *e)
{
	return b->is_tar ? find_in_tar(b, name, out, e) : find_in_dir(b, name, out, e);
}

int bag_read(const struct bag *b, const char *name, uint64_t max, struct strbuf *out, struct err *e)
{
	cleanup_close int fd = -1;
	struct span at = { .fd = -1 };
	size_t got = 0;

	if (bag_find(b, name, &at, e) < 0)
		return -1;
	fd = at.fd;
	if (at.size > max)
		return err_setk(e, ERR_DENIED, EFBIG,
				"cannot read %.200s in %s: more than %" PRIu64 " bytes", name,
				b->path, max);
	sb_reserve(out, (size_t)at.size);
	while (got < at.size) {
		ssize_t n = pread(fd, out->buf + out->len, (size_t)at.size - got,
				  (off_t)(at.off + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return no_such(b, name, n ? errno : EIO, e);
		got += (size_t)n;
		out->len += (size_t)n;
		out->buf[out->len] = '\0';
	}
	return 0;
}
