/* SPDX-License-Identifier: Apache-2.0 */
#include "copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"

#define DEPTH_MAX 256 /* two open directories each */
#define XATTR_NAMES_MAX 4096
#define XATTR_VALUE_MAX 65536
#define CHUNK (1u << 20)

/* Attributes that the target's file system does not keep are no reason to fail. */
static int copy_xattrs(int from, int to)
{
	static char names[XATTR_NAMES_MAX], value[XATTR_VALUE_MAX];
	ssize_t total = flistxattr(from, names, sizeof(names)), n;

	for (char *p = names; total > 0 && p < names + total; p += strlen(p) + 1) {
		/* overlayfs keeps its own notes there */
		if (!strncmp(p, "trusted.overlay.", 16))
			continue;
		n = fgetxattr(from, p, value, sizeof(value));
		if (n >= 0 && fsetxattr(to, p, value, (size_t)n, 0) < 0 && errno != ENOTSUP)
			return -1;
	}
	return 0;
}

/* The owner first: chown(2) clears setuid bits and file capabilities. */
static int copy_attributes(int from, int to, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0 ||
	    copy_xattrs(from, to) < 0)
		return -1;
	return futimens(to, times);
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *st)
{
	cleanup_close int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_close int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n = 1;

	if (from < 0 || to < 0)
		return -1;
	while (n > 0)
		n = sendfile(to, from, NULL, CHUNK);
	return n < 0 ? -1 : copy_attributes(from, to, st);
}

static int copy_link(int from_dir, int to_dir, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return -1;
	target[n] = '\0';
	return symlinkat(target, to_dir, name);
}

/* What cannot be opened without effects gets its attributes by name. */
static int copy_special(int from_dir, int to_dir, const char *name, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	int r = S_ISLNK(st->st_mode) ? copy_link(from_dir, to_dir, name)
				     : mknodat(to_dir, name, st->st_mode, st->st_rdev);

	if (r < 0 || fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
		return -1;
	return utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW);
}

static int copy_dir(int from, int to, unsigned depth, struct err *e);

static int copy_subdir(int from_dir, int to_dir, const char *name, unsigned depth, struct err *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	cleanup_close int from = openat(from_dir, name, flags);
	cleanup_close int to = -1;

	if (from < 0 || mkdirat(to_dir, name, 0700) < 0)
		return err_set(e, errno, "cannot copy directory %s", name);
	to = openat(to_dir, name, flags);
	if (to < 0)
		return err_set(e, errno, "cannot copy directory %s", name);
	return copy_dir(from, to, depth + 1, e);
}

static int copy_entry(int from, int to, const char *name, unsigned depth, struct err *e)
{
	struct stat st;
	int r;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, errno, "cannot copy %s", name);
	if (S_ISDIR(st.st_mode))
		return copy_subdir(from, to, name, depth, e);
	if (S_ISREG(st.st_mode))
		r = copy_file(from, to, name, &st);
	else
		r = copy_special(from, to, name, &st);
	return r < 0 ? err_set(e, errno, "cannot copy %s", name) : 0;
}

static int copy_entries(int from, int to, unsigned depth, struct err *e)
{
	cleanup_closedir DIR *d = fdopendir(fcntl(from, F_DUPFD_CLOEXEC, 3));
	struct dirent *ent;

	if (!d)
		return err_set(e, errno, "cannot read a directory of the image");
	while ((ent = readdir(d))) {
		if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
			continue;
		if (copy_entry(from, to, ent->d_name, depth, e) < 0)
			return -1;
	}
	return 0;
}

static int copy_dir(int from, int to, unsigned depth, struct err *e)
{
	struct stat st;

	if (depth == DEPTH_MAX)
		return err_set(e, 0, "cannot copy directories of more than %u levels", DEPTH_MAX);
	if (copy_entries(from, to, depth, e) < 0)
		return -1;
	if (fstat(from, &st) < 0 || copy_attributes(from, to, &st) < 0)
		return err_set(e, errno, "cannot copy the attributes of a directory");
	return 0;
}

int copy_tree(int from, int to, struct err *e)
{
	return copy_dir(from, to, 0, e);
}
