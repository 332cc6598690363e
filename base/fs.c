/* SPDX-License-Identifier: Apache-2.0 */
#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

int fs_read_fd(int fd, const char *what, size_t max, struct strbuf *out, struct err *e)
{
	for (;;) {
		size_t room = max - out->len;
		ssize_t n;

		sb_reserve(out, room < 16384 ? room + 1 : 16384);
		n = read(fd, out->buf + out->len, room < 16384 ? room + 1 : 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "cannot read %s", what);
		if (!n)
			return 0;
		if ((size_t)n > room)
			return err_set(e, EFBIG, "cannot read %s: more than %zu bytes", what, max);
		out->len += (size_t)n;
		out->buf[out->len] = '\0';
	}
}

int fs_read(int dirfd, const char *path, size_t max, struct strbuf *out, struct err *e)
{
	cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_setk(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_ENGINE, errno,
				"cannot open %s", path);
	return fs_read_fd(fd, path, max, out, e);
}

int fs_write_all(int fd, const void *p, size_t n)
{
	const char *s = p;

	while (n) {
		ssize_t w = write(fd, s, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		s += w;
		n -= (size_t)w;
	}
	return 0;
}

int fs_pwrite_all(int fd, const void *p, size_t n, off_t off)
{
	const char *s = p;

	while (n) {
		ssize_t w = pwrite(fd, s, n, off);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		s += w;
		off += w;
		n -= (size_t)w;
	}
	return 0;
}

int fs_sync_dir(int dirfd, const char *what, struct err *e)
{
	if (fsync(dirfd) < 0)
		return err_set(e, errno, "cannot sync directory %s", what);
	return 0;
}

/* fsync of the directory that holds @path. */
static int sync_parent(int dirfd, const char *path, struct err *e)
{
	cleanup_close int fd = -1;
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(dir, sizeof(dir), ".");
	else
		snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "cannot open directory %s", dir);
	return fs_sync_dir(fd, dir, e);
}

int fs_write_atomic(int dirfd, const char *path, const void *p, size_t n, mode_t mode,
		    struct err *e)
{
	cleanup_close int fd = -1;
	char tmp[PATH_MAX];

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.tmp%d", path, (int)getpid()) >= sizeof(tmp))
		return err_set(e, ENAMETOOLONG, "cannot write %s", path);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return err_set(e, errno, "cannot create %s", tmp);
	if (fs_write_all(fd, p, n) < 0 || fsync(fd) < 0 || renameat(dirfd, tmp, dirfd, path) < 0) {
		err_set(e, errno, "cannot write %s", path);
		(void)unlinkat(dirfd, tmp, 0); /* the write already failed; this is tidying */
		return -1;
	}
	return sync_parent(dirfd, path, e);
}

int fs_mkdir_p(const char *path, mode_t mode, struct err *e)
{
	char buf[PATH_MAX];
	char *p;

	if ((size_t)snprintf(buf, sizeof(buf), "%s", path) >= sizeof(buf))
		return err_set(e, ENAMETOOLONG, "cannot create directory %s", path);
	for (p = buf + 1;; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = '\0';
		if (mkdir(buf, mode) < 0 && errno != EEXIST)
			return err_set(e, errno, "cannot create directory %s", buf);
		if (!c)
			return 0;
		*p = c;
	}
}

int fs_opendir(int dirfd, const char *path, struct err *e)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_setk(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_ENGINE, errno,
				"cannot open directory %s", path);
	return fd;
}

/* Empties the directory @fd, which it takes; depth is bounded by the open-file limit. */
static int empty_dir(int fd, const char *name, struct err *e)
{
	cleanup_closedir DIR *d = fdopendir(fd);
	struct dirent *de;

	if (!d) {
		err_set(e, errno, "cannot read directory %s", name);
		close(fd);
		return -1;
	}
	while ((de = readdir(d))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (fs_remove_tree(fd, de->d_name, e) < 0)
			return -1;
	}
	return 0;
}

int fs_remove_tree(int dirfd, const char *name, struct err *e)
{
	int fd;

	if (!unlinkat(dirfd, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_set(e, errno, "cannot remove %s", name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "cannot open directory %s", name);
	if (empty_dir(fd, name, e) < 0)
		return -1;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set(e, errno, "cannot remove directory %s", name);
	return 0;
}

static int copy_by_hand(int from, int to, uint64_t size, off_t off, struct err *e)
{
	static char buf[65536];

	while (size) {
		ssize_t n = pread(from, buf, size < sizeof(buf) ? size : sizeof(buf), off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, n ? errno : EIO, "cannot copy file");
		if (fs_write_all(to, buf, (size_t)n) < 0)
			return err_set(e, errno, "cannot copy file");
		off += n;
		size -= (uint64_t)n;
	}
	return 0;
}

int fs_copy(int from, int to, uint64_t size, struct err *e)
{
	off_t off = 0;

	while (size) {
		ssize_t n = copy_file_range(from, &off, to, NULL, size, 0);

		if (n <= 0)
			return copy_by_hand(from, to, size, off, e);
		size -= (uint64_t)n;
	}
	return 0;
}

char *fs_exe_dir(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		slash[slash == path] = '\0';
	return xstrdup(path);
}

char *fs_join(const char *a, const char *b)
{
	return xasprintf("%s/%s", a, b);
}
