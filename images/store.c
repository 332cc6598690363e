/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"
#include "base/num.h"
#include "images/layer.h"

static const char *const dirs[] = { "blobs", "blobs/sha256", "layers", "rootfs",
				    "refs",  "locks",	     "tmp" };

static int make_dirs(struct store *s, struct err *e)
{
	size_t i;

	for (i = 0; i < nitems(dirs); i++) {
		if (mkdirat(s->dirfd, dirs[i], 0700) < 0 && errno != EEXIST) {
			err_set(e, errno, "cannot create directory %s/%s", s->path, dirs[i]);
			return store_explain(s, 4096, e);
		}
	}
	return 0;
}

int store_open(const char *dir, bool create, struct store *s, struct err *e)
{
	*s = (struct store){ .dirfd = -1, .lock_fd = -1, .tmp_fd = -1 };
	if (create && fs_mkdir_p(dir, 0755, e) < 0)
		return -1;
	s->dirfd = fs_opendir(AT_FDCWD, dir, e);
	if (s->dirfd < 0)
		return -1;
	s->path = xstrdup(dir);
	if (create && make_dirs(s, e) < 0) {
		store_close(s);
		return -1;
	}
	return 0;
}

void store_close(struct store *s)
{
	struct err ignored;

	if (s->tmp_fd >= 0) {
		char name[sizeof(s->tmp_name) + 4];

		snprintf(name, sizeof(name), "tmp/%s", s->tmp_name);
		/* Whatever stays is collected by the next fetch. */
		(void)fs_remove_tree(s->dirfd, name, &ignored);
	}
	close_p(&s->tmp_fd);
	close_p(&s->lock_fd);
	close_p(&s->dirfd);
	free(s->path);
	s->path = NULL;
}

char *store_blob_name(const struct digest *d, char buf[static STORE_NAME_MAX])
{
	snprintf(buf, STORE_NAME_MAX, "blobs/sha256/%s", d->hex);
	return buf;
}

char *store_layer_name(const struct digest *blob, char buf[static STORE_NAME_MAX])
{
	snprintf(buf, STORE_NAME_MAX, "layers/%s-v%d", blob->hex, LAYER_VERSION);
	return buf;
}

char *store_rootfs_name(const struct digest *id, char buf[static STORE_NAME_MAX])
{
	snprintf(buf, STORE_NAME_MAX, "rootfs/%s-v%d", id->hex, LAYER_VERSION);
	return buf;
}

bool store_has(const struct store *s, const char *name)
{
	return !faccessat(s->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

int store_read_blob(const struct store *s, const struct digest *d, size_t max, struct strbuf *out,
		    struct err *e)
{
	char name[STORE_NAME_MAX];

	return fs_read(s->dirfd, store_blob_name(d, name), max, out, e);
}

int store_flock(int fd, int how, unsigned timeout_ms, struct err *e)
{
	uint64_t end = now_ns() + timeout_ms * 1000000ull;

	while (flock(fd, how | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return err_set(e, errno, "cannot lock the image store");
		if (now_ns() >= end)
			return 1;
		usleep(10000);
	}
	return 0;
}

pid_t store_lock_owner(int fd)
{
	cleanup_fclose FILE *f = fopen("/proc/locks", "re");
	char line[256];
	struct stat st;

	if (!f || fstat(fd, &st) < 0)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		unsigned maj, min;
		uint64_t ino;
		int pid;

		if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%" SCNu64, &pid, &maj, &min, &ino) !=
		    4)
			continue;
		if (ino == st.st_ino && makedev(maj, min) == st.st_dev && pid != getpid())
			return pid;
	}
	return 0;
}

int store_lock(struct store *s, int how, unsigned timeout_ms, struct err *e)
{
	if (s->lock_fd < 0)
		s->lock_fd =
			openat(s->dirfd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return err_set(e, errno, "cannot open %s/lock", s->path);
	return store_flock(s->lock_fd, how, timeout_ms, e);
}

void store_unlock(struct store *s)
{
	close_p(&s->lock_fd);
}

/* Whether @name still is the file that @fd has open: it may have been removed before we locked. */
static bool is_same(int dirfd, const char *name, int fd)
{
	struct stat a, b;

	return !fstat(fd, &a) && !fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW) &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

void store_collect_tmp(struct store *s)
{
	int tmp = openat(s->dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *d = tmp < 0 ? NULL : fdopendir(tmp);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		cleanup_close int fd = -1;
		struct err ignored;

		if (de->d_name[0] == '.')
			continue;
		fd = openat(tmp, de->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
			/* Only litter: what cannot be removed now is tried again next time. */
			(void)fs_remove_tree(tmp, de->d_name, &ignored);
	}
}

static int random_name(struct store *s, struct err *e)
{
	uint64_t r;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		return err_set(e, errno, "cannot make a temporary name");
	snprintf(s->tmp_name, sizeof(s->tmp_name), "%d-%016" PRIx64, (int)getpid(), r);
	return 0;
}

int store_make_tmp(struct store *s, struct err *e)
{
	if (s->tmp_fd >= 0)
		return 0;
	store_collect_tmp(s);
	for (;;) {
		cleanup_close int fd = -1;
		char name[sizeof(s->tmp_name) + 4];

		if (random_name(s, e) < 0)
			return -1;
		snprintf(name, sizeof(name), "tmp/%s", s->tmp_name);
		if (mkdirat(s->dirfd, name, 0700) < 0) {
			err_set(e, errno, "cannot create directory %s/%s", s->path, name);
			return store_explain(s, 4096, e);
		}
		fd = fs_opendir(s->dirfd, name, e);
		/* Another fetch may have seen the new directory unlocked and removed it. */
		if (fd < 0 && e->num == ENOENT)
			continue;
		if (fd < 0)
			return -1;
		if (!flock(fd, LOCK_EX | LOCK_NB) && is_same(s->dirfd, name, fd)) {
			s->tmp_fd = take_fd(&fd);
			return 0;
		}
	}
}

static int sync_parent_of(struct store *s, const char *name, struct err *e)
{
	cleanup_close int fd = -1;
	char dir[STORE_NAME_MAX];

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(name, '/') - name), name);
	fd = fs_opendir(s->dirfd, dir, e);
	return fd < 0 ? -1 : fs_sync_dir(fd, dir, e);
}

int store_publish(struct store *s, const char *tmp, const char *name, struct err *e)
{
	if (renameat2(s->tmp_fd, tmp, s->dirfd, name, RENAME_NOREPLACE) < 0) {
		if (errno != EEXIST) {
			err_set(e, errno, "cannot put %s into %s", name, s->path);
			return store_explain(s, 4096, e);
		}
		if (fs_remove_tree(s->tmp_fd, tmp, e) < 0)
			return -1;
	}
	/* Also when another process was faster: it may not have come to its fsync yet. */
	return sync_parent_of(s, name, e);
}

int store_remove_dir(struct store *s, const char *name, struct err *e)
{
	char away[64];
	uint64_t r;

	if (store_make_tmp(s, e) < 0)
		return -1;
	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		return err_set(e, errno, "cannot make a temporary name");
	snprintf(away, sizeof(away), "away-%016" PRIx64, r);
	if (renameat(s->dirfd, name, s->tmp_fd, away) < 0)
		return errno == ENOENT ? 0
				       : err_set(e, errno, "cannot remove %s/%s", s->path, name);
	return fs_remove_tree(s->tmp_fd, away, e);
}

int store_explain(const struct store *s, uint64_t need, struct err *e)
{
	char a[32], b[32];
	struct statvfs v;

	if ((e->num != ENOSPC && e->num != EDQUOT) || strstr(e->msg, " free on "))
		return -1;
	if (fstatvfs(s->dirfd, &v) < 0)
		return -1;
	snprintf(e->msg + strlen(e->msg), sizeof(e->msg) - strlen(e->msg),
		 " (%s needed, %s free on %s)", num_format_size(need, a),
		 num_format_size((uint64_t)v.f_bavail * v.f_frsize, b), s->path);
	return err_hint(e, "make room there, with 'vpod image rm' and 'vpod image gc' for example, "
			   "or use another --dir");
}
