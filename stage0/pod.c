/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/pod.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "stage0/config.h"

static const char *const phase_dirs[] = {
	[POD_EMBRYO] = "embryo", [POD_PREPARE] = "prepare", [POD_PREPARED] = "prepared",
	[POD_RUN] = "run",	 [POD_EXITED] = "exited",   [POD_GARBAGE] = "garbage",
};
_Static_assert(nitems(phase_dirs) == NR_POD_PHASES, "a directory for each phase");

/* Which phases may follow, as bits. */
#define TO(p) (1u << (p))
static const unsigned char phase_edges[] = {
	[POD_EMBRYO] = TO(POD_PREPARE) | TO(POD_GARBAGE),
	[POD_PREPARE] = TO(POD_PREPARED) | TO(POD_RUN) | TO(POD_GARBAGE),
	[POD_PREPARED] = TO(POD_RUN) | TO(POD_GARBAGE),
	[POD_RUN] = TO(POD_EXITED),
	[POD_EXITED] = TO(POD_GARBAGE),
	[POD_GARBAGE] = 0,
};
_Static_assert(nitems(phase_edges) == NR_POD_PHASES, "edges for each phase");

static char *phase_path(const struct config *cfg, enum pod_phase phase)
{
	return xasprintf("%s/pods/%s", cfg->dir, phase_dirs[phase]);
}

char *pod_path(const struct config *cfg, const struct pod *p)
{
	return xasprintf("%s/pods/%s/%s", cfg->dir, phase_dirs[p->phase], p->uuid);
}

static struct flock whole_file(short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET };
}

void pod_refresh(struct pod *p)
{
	struct flock fl = whole_file(F_WRLCK);

	if (p->is_ours || p->lockfd < 0)
		return;
	p->is_locked = fcntl(p->lockfd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

int pod_lock(struct pod *p, struct err *e)
{
	struct flock fl = whole_file(F_WRLCK);

	if (p->is_ours)
		return 0;
	if (p->lockfd >= 0 && fcntl(p->lockfd, F_OFD_SETLK, &fl) == 0) {
		p->is_ours = true;
		p->is_locked = false;
		return 0;
	}
	if (p->lockfd >= 0 && (errno == EAGAIN || errno == EACCES))
		return err_setk(e, ERR_DENIED, 0, "cannot lock pod %s: it is in use", p->uuid);
	return err_set(e, errno, "cannot lock pod %s", p->uuid);
}

void pod_close(struct pod *p)
{
	close_p(&p->lockfd);
	close_p(&p->dirfd);
	p->is_ours = false;
}

static int make_phase_dirs(const struct config *cfg, struct err *e)
{
	size_t i;

	for (i = 0; i < NR_POD_PHASES; i++) {
		cleanup_free char *dir = phase_path(cfg, (enum pod_phase)i);

		if (fs_mkdir_p(dir, 0700, e) < 0)
			return -1;
	}
	return 0;
}

int pod_create(const struct config *cfg, struct pod *p, struct err *e)
{
	cleanup_free char *path = NULL;

	*p = (struct pod)POD_INIT;
	if (config_make_dirs(cfg, e) < 0 || make_phase_dirs(cfg, e) < 0 || uuid_new(p->uuid, e) < 0)
		return -1;
	path = pod_path(cfg, p);
	if (mkdir(path, 0700) < 0)
		return err_set(e, errno, "cannot create pod directory %s", path);
	p->dirfd = fs_opendir(AT_FDCWD, path, e);
	if (p->dirfd < 0)
		return -1;
	p->lockfd = openat(p->dirfd, "lock", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (p->lockfd < 0)
		return err_set(e, errno, "cannot create the lock of pod %s", p->uuid);
	return pod_lock(p, e);
}

static int sync_path(const char *path, struct err *e)
{
	cleanup_close int fd = fs_opendir(AT_FDCWD, path, e);

	return fd < 0 ? -1 : fs_sync_dir(fd, path, e);
}

/* What only a running pod needs: the supervisor's socket, and the guest's initramfs. */
static void drop_running_files(const struct pod *p)
{
	(void)unlinkat(p->dirfd, "control.sock", 0); /* what stays does no harm, and goes with it */
	(void)unlinkat(p->dirfd, "initrd", 0);
}

int pod_to(const struct config *cfg, struct pod *p, enum pod_phase phase, struct err *e)
{
	cleanup_free char *from = pod_path(cfg, p), *to = NULL;
	cleanup_free char *from_dir = phase_path(cfg, p->phase);
	cleanup_free char *to_dir = phase_path(cfg, phase);

	if (!p->is_ours || !(phase_edges[p->phase] & TO(phase)))
		return err_set(e, 0, "cannot move pod %s from %s to %s", p->uuid,
			       phase_dirs[p->phase], phase_dirs[phase]);
	if (phase == POD_EXITED)
		drop_running_files(p);
	to = xasprintf("%s/%s", to_dir, p->uuid);
	if (rename(from, to) < 0)
		return err_set(e, errno, "cannot move pod %s to %s", p->uuid, phase_dirs[phase]);
	p->phase = phase;
	if (sync_path(to_dir, e) < 0)
		return -1;
	return sync_path(from_dir, e);
}

/* Opens the directory entry; 1 when it vanished (somebody moved it on meanwhile). */
static int open_entry(int phase_fd, const char *name, enum pod_phase phase, struct pod *p,
		      struct err *e)
{
	*p = (struct pod)POD_INIT;
	p->phase = phase;
	snprintf(p->uuid, sizeof(p->uuid), "%s", name);
	p->dirfd = openat(phase_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p->dirfd < 0 && errno == ENOENT)
		return 1;
	if (p->dirfd < 0)
		return err_set(e, errno, "cannot open pod %s", name);
	p->lockfd = openat(p->dirfd, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (p->lockfd < 0 && errno != ENOENT) {
		err_set(e, errno, "cannot open the lock of pod %s", name);
		pod_close(p);
		return -1;
	}
	pod_refresh(p); /* no lock file: killed between mkdir and open, an unlocked embryo */
	return 0;
}

int pod_each(const struct config *cfg, enum pod_phase phase,
	     int (*fn)(struct pod *p, void *ctx, struct err *e), void *ctx, struct err *e)
{
	cleanup_free char *dir = phase_path(cfg, phase);
	cleanup_closedir DIR *d = opendir(dir);
	struct dirent *de;

	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_set(e, errno, "cannot read %s", dir);
	while ((de = readdir(d))) {
		struct pod p;
		int r;

		if (!uuid_is_valid(de->d_name))
			continue;
		r = open_entry(dirfd(d), de->d_name, phase, &p, e);
		if (r > 0)
			continue;
		if (!r)
			r = fn(&p, ctx, e);
		pod_close(&p);
		if (r < 0)
			return -1;
	}
	return 0;
}

struct search {
	const char *prefix;
	struct pod found;
	unsigned nr;
};

static int match_prefix(struct pod *p, void *ctx, struct err *e)
{
	struct search *s = ctx;

	(void)e;
	if (strncmp(p->uuid, s->prefix, strlen(s->prefix)))
		return 0;
	/* Moved on between two directories while we looked: the later phase is the true one. */
	if (s->nr && !strcmp(p->uuid, s->found.uuid))
		s->nr--;
	s->nr++;
	pod_close(&s->found);
	s->found = *p;
	*p = (struct pod)POD_INIT;
	return 0;
}

static int search_phases(const struct config *cfg, struct search *s, struct err *e)
{
	enum pod_phase ph;

	for (ph = POD_PREPARE; ph < POD_GARBAGE; ph++) {
		if (pod_each(cfg, ph, match_prefix, s, e) < 0)
			return -1;
	}
	return 0;
}

int pod_open(const struct config *cfg, const char *prefix, struct pod *p, struct err *e)
{
	struct search s = { .prefix = prefix, .found = POD_INIT };
	int tries, r;

	*p = (struct pod)POD_INIT;
	if (!uuid_is_prefix(prefix))
		return err_setk(e, ERR_USAGE, 0, "cannot find pod '%s': not (the start of) a UUID",
				prefix);
	/* A pod that moves backwards past our scan is missed at most once. */
	for (tries = 0; tries < 2 && !s.nr; tries++) {
		r = search_phases(cfg, &s, e);
		if (r < 0) {
			pod_close(&s.found);
			return -1;
		}
	}
	if (s.nr == 1) {
		*p = s.found;
		return 0;
	}
	pod_close(&s.found);
	if (s.nr)
		return err_setk(e, ERR_NOT_FOUND, 0, "cannot find pod: ambiguous uuid, %u matches",
				s.nr);
	err_setk(e, ERR_NOT_FOUND, 0, "cannot find pod: no matches found for \"%s\"", prefix);
	return err_hint(e, "'vpod list' shows the pods of %s", cfg->dir);
}

const char *pod_state(const struct pod *p)
{
	bool locked = p->is_locked || p->is_ours;

	switch (p->phase) {
	case POD_EMBRYO:
		return "embryo";
	case POD_PREPARE:
		return locked ? "preparing" : "aborted prepare";
	case POD_PREPARED:
		return "prepared";
	case POD_RUN:
		return locked ? "running" : "exited";
	case POD_EXITED:
		return "exited";
	case POD_GARBAGE:
		return locked ? "deleting" : "garbage";
	case NR_POD_PHASES:
		break;
	}
	abort();
}

int pod_delete(const struct config *cfg, struct pod *p, struct err *e)
{
	cleanup_free char *dir = phase_path(cfg, POD_GARBAGE);
	cleanup_close int fd = fs_opendir(AT_FDCWD, dir, e);

	if (fd < 0)
		return -1;
	if (fs_remove_tree(fd, p->uuid, e) < 0)
		return err_wrap(e, "cannot delete pod %s", p->uuid);
	return 0;
}
