/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of the host as a pax tar.  Sorted names, no times but the files' own, no user names:
 * the same tree gives the same bytes.  No symlink is followed and no other file system is entered
 * (a mount point is an empty directory), so that dir:/ does not try to read /proc.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "images/fetch.h"

#define BLOCK 512
#define MAX_DEPTH 200
#define MAX_XATTR 65536

/* The first name of a file that has several. */
struct seen {
	dev_t dev;
	ino_t ino;
	char *path;
};

struct tree {
	struct put *put;
	dev_t dev;
	struct strbuf path;
	struct strbuf pax;
	struct seen *seen;
	size_t nr_seen;
	struct err *e;
};

static int cannot(struct tree *t, const char *what)
{
	return err_set(t->e, errno, "cannot %s %s", what, t->path.len ? t->path.buf : "/");
}

/* "LEN key=value\n", LEN counts its own digits. */
static void pax_add(struct strbuf *b, const char *key, const void *value, size_t n)
{
	size_t body = 1 + strlen(key) + 1 + n + 1, len = body + 1, digits;
	char text[24];

	do {
		digits = (size_t)snprintf(text, sizeof(text), "%zu", len);
		len = body + digits;
	} while ((size_t)snprintf(text, sizeof(text), "%zu", len) != digits);
	sb_addf(b, "%s %s=", text, key);
	sb_add(b, value, n);
	sb_addc(b, '\n');
}

/* Octal with leading zeros; what does not fit goes into the extended header. */
static void put_number(struct tree *t, char *field, size_t n, uint64_t v, const char *key)
{
	char text[24];

	if (v >> (3 * (n - 1))) {
		snprintf(text, sizeof(text), "%" PRIu64, v);
		pax_add(&t->pax, key, text, strlen(text));
		v = 0;
	}
	snprintf(field, n, "%0*" PRIo64, (int)n - 1, v);
}

static void put_text(struct tree *t, char *field, const char *s, const char *key)
{
	size_t n = strlen(s);

	if (n > 100)
		pax_add(&t->pax, key, s, n);
	memcpy(field, s, n > 100 ? 100 : n);
}

static void finish_header(char *h, char type)
{
	unsigned sum = 0, i;

	h[156] = type;
	memcpy(h + 257, "ustar", 6);
	memcpy(h + 263, "00", 2);
	memset(h + 148, ' ', 8);
	for (i = 0; i < BLOCK; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
}

static int pad(struct tree *t, uint64_t size)
{
	static const char zeros[BLOCK];
	size_t n = (size_t)(-size & (BLOCK - 1));

	return n ? put_write(t->put, zeros, n, t->e) : 0;
}

static int write_pax(struct tree *t)
{
	char h[BLOCK] = "";

	if (!t->pax.len)
		return 0;
	memcpy(h, "pax", 3);
	snprintf(h + 100, 8, "%07o", 0644);
	snprintf(h + 108, 8, "%07o", 0);
	snprintf(h + 116, 8, "%07o", 0);
	snprintf(h + 124, 12, "%011zo", t->pax.len);
	snprintf(h + 136, 12, "%011o", 0);
	finish_header(h, 'x');
	if (put_write(t->put, h, BLOCK, t->e) < 0 ||
	    put_write(t->put, t->pax.buf, t->pax.len, t->e) < 0)
		return -1;
	return pad(t, t->pax.len);
}

static int write_header(struct tree *t, const struct stat *st, char type, uint64_t size,
			const char *link)
{
	char h[BLOCK] = "";

	put_text(t, h, t->path.buf, "path");
	put_text(t, h + 157, link, "linkpath");
	put_number(t, h + 100, 8, st->st_mode & 07777, "mode");
	put_number(t, h + 108, 8, st->st_uid, "uid");
	put_number(t, h + 116, 8, st->st_gid, "gid");
	put_number(t, h + 124, 12, size, "size");
	put_number(t, h + 136, 12, st->st_mtim.tv_sec > 0 ? (uint64_t)st->st_mtim.tv_sec : 0,
		   "mtime");
	if (type == '3' || type == '4') {
		put_number(t, h + 329, 8, major(st->st_rdev), "SCHILY.devmajor");
		put_number(t, h + 337, 8, minor(st->st_rdev), "SCHILY.devminor");
	}
	finish_header(h, type);
	if (write_pax(t) < 0)
		return -1;
	return put_write(t->put, h, BLOCK, t->e);
}

/* Labels and ACLs are the host's business; capabilities and user attributes belong to the tree. */
static bool wants_xattr(const char *name)
{
	return !strcmp(name, "security.capability") || !strncmp(name, "user.", 5);
}

static int cmp_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_xattrs(struct tree *t, int fd)
{
	cleanup_free char *names = xmalloc(MAX_XATTR), *value = xmalloc(MAX_XATTR);
	cleanup_strv struct strv wanted = { 0 };
	ssize_t n = flistxattr(fd, names, MAX_XATTR), v;
	char *p;
	size_t i;

	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : cannot(t, "read attributes of");
	for (p = names; p < names + n; p += strlen(p) + 1) {
		if (wants_xattr(p))
			strv_add(&wanted, p);
	}
	if (wanted.nr_v)
		qsort(wanted.v, wanted.nr_v, sizeof(char *), cmp_text);
	for (i = 0; i < wanted.nr_v; i++) {
		cleanup_free char *key = xasprintf("SCHILY.xattr.%s", wanted.v[i]);

		v = fgetxattr(fd, wanted.v[i], value, MAX_XATTR);
		if (v < 0)
			return cannot(t, "read attributes of");
		pax_add(&t->pax, key, value, (size_t)v);
	}
	return 0;
}

/* The earlier name of the same file, or NULL. */
static const char *find_seen(struct tree *t, const struct stat *st)
{
	size_t i;

	for (i = 0; i < t->nr_seen; i++) {
		if (t->seen[i].ino == st->st_ino && t->seen[i].dev == st->st_dev)
			return t->seen[i].path;
	}
	if (!(t->nr_seen & (t->nr_seen - 1)))
		t->seen = xrealloc(t->seen, (t->nr_seen ? 2 * t->nr_seen : 1) * sizeof(*t->seen));
	t->seen[t->nr_seen++] = (struct seen){ st->st_dev, st->st_ino, xstrdup(t->path.buf) };
	return NULL;
}

static int write_content(struct tree *t, int fd, uint64_t size)
{
	cleanup_free char *buf = xmalloc(1u << 18);
	uint64_t left = size;

	while (left) {
		ssize_t n = read(fd, buf, left < (1u << 18) ? (size_t)left : 1u << 18);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cannot(t, "read");
		if (!n)
			return err_set(t->e, 0, "cannot read %s: it shrank meanwhile", t->path.buf);
		if (put_write(t->put, buf, (size_t)n, t->e) < 0)
			return -1;
		left -= (uint64_t)n;
	}
	return pad(t, size);
}

static int write_file(struct tree *t, int dirfd, const char *name)
{
	cleanup_close int fd =
		openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	const char *first = NULL;
	struct stat st;

	/* The file that was opened, not the one that readdir saw. */
	if (fd < 0 || fstat(fd, &st) < 0)
		return cannot(t, "open");
	if (!S_ISREG(st.st_mode))
		return err_set(t->e, 0, "cannot read %s: it changed meanwhile", t->path.buf);
	if (st.st_nlink > 1)
		first = find_seen(t, &st);
	if (first)
		return write_header(t, &st, '1', 0, first);
	if (add_xattrs(t, fd) < 0 || write_header(t, &st, '0', (uint64_t)st.st_size, "") < 0)
		return -1;
	return write_content(t, fd, (uint64_t)st.st_size);
}

static int write_symlink(struct tree *t, int dirfd, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target) - 1);

	if (n < 0)
		return cannot(t, "read link");
	target[n] = '\0';
	return write_header(t, st, '2', 0, target);
}

static int write_dir(struct tree *t, int dirfd, const char *name, unsigned depth);

static int write_entry(struct tree *t, int dirfd, const char *name, unsigned depth)
{
	struct stat st;

	sb_reset(&t->pax);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return cannot(t, "stat");
	switch (st.st_mode & S_IFMT) {
	case S_IFDIR:
		return write_dir(t, dirfd, name, depth);
	case S_IFREG:
		return write_file(t, dirfd, name);
	case S_IFLNK:
		return write_symlink(t, dirfd, name, &st);
	case S_IFCHR:
		return write_header(t, &st, '3', 0, "");
	case S_IFBLK:
		return write_header(t, &st, '4', 0, "");
	case S_IFIFO:
		return write_header(t, &st, '6', 0, "");
	default:
		return 0; /* a socket means nothing without the process that listens on it */
	}
}

static int list_names(struct tree *t, int fd, struct strv *out)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	cleanup_closedir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *de;

	if (!d)
		return cannot(t, "read directory");
	while ((de = readdir(d))) {
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			strv_add(out, de->d_name);
	}
	if (out->nr_v)
		qsort(out->v, out->nr_v, sizeof(char *), cmp_text);
	return 0;
}

static int write_children(struct tree *t, int fd, unsigned depth)
{
	cleanup_strv struct strv names = { 0 };
	size_t i, len = t->path.len;

	if (list_names(t, fd, &names) < 0)
		return -1;
	for (i = 0; i < names.nr_v; i++) {
		sb_adds(&t->path, names.v[i]);
		if (write_entry(t, fd, names.v[i], depth + 1) < 0)
			return -1;
		t->path.len = len;
		t->path.buf[len] = '\0';
	}
	return 0;
}

static int write_dir(struct tree *t, int dirfd, const char *name, unsigned depth)
{
	cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return cannot(t, "open directory");
	if (depth > MAX_DEPTH)
		return err_set(t->e, 0, "cannot read %s: deeper than %d directories", t->path.buf,
			       MAX_DEPTH);
	sb_adds(&t->path, depth ? "/" : "./");
	if (add_xattrs(t, fd) < 0 || write_header(t, &st, '5', 0, "") < 0)
		return -1;
	if (!depth)
		sb_reset(&t->path);
	return st.st_dev == t->dev ? write_children(t, fd, depth) : 0;
}

static int write_end(struct tree *t)
{
	static const char zeros[2 * BLOCK];

	return put_write(t->put, zeros, sizeof(zeros), t->e);
}

int tree_to_tar(const char *path, struct put *p, struct err *e)
{
	struct tree t = { .put = p, .path = STRBUF_INIT, .pax = STRBUF_INIT, .e = e };
	struct stat st;
	size_t i;
	int r = 0;

	if (stat(path, &st) < 0)
		return err_set(e, errno, "cannot open %s", path);
	t.dev = st.st_dev;
	r = write_dir(&t, AT_FDCWD, path, 0);
	if (!r)
		r = write_end(&t);
	for (i = 0; i < t.nr_seen; i++)
		free(t.seen[i].path);
	free(t.seen);
	sb_free(&t.path);
	sb_free(&t.pax);
	return r;
}
