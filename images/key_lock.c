/* SPDX-License-Identifier: Apache-2.0 */
#include "key_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

/* The holder ends by itself: its transfers have time limits. This one is against a stopped one. */
#define TIMEOUT_MS (3600u * 1000)

static int wait_for(int fd, const struct digest *d, struct err *e)
{
	int r = store_flock(fd, LOCK_EX, 0, e);

	if (r <= 0)
		return r;
	log_info("images: waiting for process %d, which fetches sha256:%.12s",
		 (int)store_lock_owner(fd), d->hex);
	r = store_flock(fd, LOCK_EX, TIMEOUT_MS, e);
	if (r > 0)
		return err_set(e, ETIMEDOUT,
			       "cannot fetch sha256:%s: process %d has been at it for an hour",
			       d->hex, (int)store_lock_owner(fd));
	return r;
}

/* The holder removes the file before it lets go: what we locked may have no name any more. */
static bool is_current(const struct key_lock *l, int fd)
{
	struct stat a, b;

	return !fstat(fd, &a) && !fstatat(l->s->dirfd, l->name, &b, AT_SYMLINK_NOFOLLOW) &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

int key_lock(struct store *s, const struct digest *d, const char *kind, struct key_lock *out,
	     struct err *e)
{
	*out = (struct key_lock){ .s = s, .fd = -1 };
	snprintf(out->name, sizeof(out->name), "locks/%s-%s", kind, d->hex);
	for (;;) {
		cleanup_close int fd = openat(s->dirfd, out->name,
					      O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd < 0) {
			err_set(e, errno, "cannot create %s/%s", s->path, out->name);
			return store_explain(s, 4096, e);
		}
		if (wait_for(fd, d, e) < 0)
			return -1;
		if (is_current(out, fd)) {
			out->fd = take_fd(&fd);
			return 0;
		}
	}
}

void key_unlock(struct key_lock *l)
{
	if (l->fd >= 0)
		/* A file that stays is no harm; image gc removes it. */
		(void)unlinkat(l->s->dirfd, l->name, 0);
	close_p(&l->fd);
}
