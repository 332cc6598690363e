/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/spawn.h"
#include "stage0/config.h"

static const char *mke2fs_path(void)
{
	static const char *const paths[] = { "/usr/sbin/mke2fs", "/sbin/mke2fs" };
	size_t i;

	for (i = 0; i < nitems(paths); i++) {
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	}
	return NULL;
}

/*
 * No journal: the disk belongs to one run of one pod; what a guest syncs is on it all the same.
 * Everything is initialised lazily, so that the template stays a few hundred kilobytes.
 */
static int run_mke2fs(const char *file, struct err *e)
{
	cleanup_sb struct strbuf out = STRBUF_INIT;
	const char *mke2fs = mke2fs_path();
	struct spawn s = { 0 };
	int r;

	if (!mke2fs) {
		err_setk(e, ERR_NOT_FOUND, 0, "cannot make a scratch disk: mke2fs is missing");
		return err_hint(e, "install the package e2fsprogs, or use --scratch=tmpfs");
	}
	strv_add(&s.argv, mke2fs);
	strv_add(&s.argv, "-qF");
	strv_add(&s.argv, "-t");
	strv_add(&s.argv, "ext4");
	strv_add(&s.argv, "-O");
	strv_add(&s.argv, "^has_journal,sparse_super2,^resize_inode,uninit_bg");
	strv_add(&s.argv, "-E");
	strv_add(&s.argv, "lazy_itable_init=1,nodiscard,root_owner=0:0");
	strv_add(&s.argv, "-m");
	strv_add(&s.argv, "0");
	strv_add(&s.argv, "-L");
	strv_add(&s.argv, "vpod-scratch");
	strv_add(&s.argv, file);
	strv_add(&s.env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	r = spawn_capture(&s, 65536, 60000, &out, e);
	spawn_free(&s);
	return r < 0 ? err_wrap(e, "cannot make a scratch disk") : 0;
}

static int make_template(const char *path, uint64_t size, struct err *e)
{
	cleanup_free char *tmp = xasprintf("%s.tmp%d", path, (int)getpid());
	cleanup_close int fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
		err_set(e, errno, "cannot create %s", tmp);
		goto fail;
	}
	if (run_mke2fs(tmp, e) < 0)
		goto fail;
	if (fsync(fd) < 0 || rename(tmp, path) < 0) {
		err_set(e, errno, "cannot write %s", path);
		goto fail;
	}
	return 0;
fail:
	(void)unlink(tmp); /* the failure is told; this is tidying */
	return -1;
}

/* Copies only what is not a hole. */
static int copy_sparse(int from, int to, uint64_t size, struct err *e)
{
	char buf[65536];
	off_t at = 0, end;

	if (ftruncate(to, (off_t)size) < 0)
		return err_set(e, errno, "cannot size the scratch disk");
	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		end = lseek(from, at, SEEK_HOLE);
		while (at < end) {
			size_t want = end - at < (off_t)sizeof(buf) ? (size_t)(end - at)
								    : sizeof(buf);
			ssize_t n = pread(from, buf, want, at);

			if (n <= 0 || fs_pwrite_all(to, buf, (size_t)n, at) < 0)
				return err_set(e, errno, "cannot write the scratch disk");
			at += n;
		}
	}
	return errno == ENXIO ? 0 : err_set(e, errno, "cannot read the scratch template");
}

static int open_template(const struct config *cfg, uint64_t size, struct err *e)
{
	cleanup_free char *dir = fs_join(cfg->dir, "scratch");
	cleanup_free char *path = xasprintf("%s/ext4-%llu", dir, (unsigned long long)size);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (fs_mkdir_p(dir, 0700, e) < 0 || make_template(path, size, e) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "cannot open %s", path) : fd;
}

int scratch_create(const struct config *cfg, int dirfd, const char *name, uint64_t size,
		   struct err *e)
{
	cleanup_close int from = -1, to = -1;

	size &= ~4095ull;
	from = open_template(cfg, size, e);
	if (from < 0)
		return -1;
	to = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return err_set(e, errno, "cannot create the scratch disk");
	if (copy_sparse(from, to, size, e) < 0) {
		if (e->num == ENOSPC)
			err_hint(e, "%s is full", cfg->dir);
		return -1;
	}
	return take_fd(&to);
}
