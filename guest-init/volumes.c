/* SPDX-License-Identifier: Apache-2.0 */
#include "volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "copy.h"
#include "sys.h"

#define VOLUME_FLAGS (MS_NODEV | MS_NOATIME)

static bool is_beneath_dev(const char *target)
{
	return !strncmp(target, "/dev/", 5);
}

/* Takes the fd. */
static bool is_empty(int fd)
{
	cleanup_closedir DIR *d = fdopendir(fd);
	struct dirent *ent;

	while (d && (ent = readdir(d))) {
		/* mke2fs makes lost+found on a volume that is a disk of its own */
		if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, "..") &&
		    strcmp(ent->d_name, "lost+found"))
			return false;
	}
	return true;
}

/* As docker: the image's content at the target goes into a volume that has nothing yet. */
static int fill(const char *source, const struct volume_mount *m, struct err *e)
{
	cleanup_close int from = open(m->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int to = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (to < 0)
		return err_set(e, errno, "cannot open volume %s", m->volume->name);
	if (from < 0 || !is_empty(fcntl(to, F_DUPFD_CLOEXEC, 3)))
		return 0;
	if (copy_tree(from, to, e) < 0)
		return err_wrap(e, "cannot fill volume %s from the image", m->volume->name);
	return 0;
}

static int volume_mount(const struct volume_mount *m, struct err *e)
{
	char source[160];
	unsigned long ro = m->is_readonly ? MS_RDONLY : 0;

	/* relative: beneath init's root */
	snprintf(source, sizeof(source), "scratch/volumes/%s", m->volume->name);
	if (m->copies_up && fill(source, m, e) < 0)
		return -1;
	if (sys_mkdir_p(m->target, 0755, e) < 0)
		return err_wrap(e, "cannot mount volume %s", m->volume->name);
	if (mount(source, m->target, NULL, MS_BIND, NULL) < 0 ||
	    (ro &&
	     mount(NULL, m->target, NULL, MS_REMOUNT | MS_BIND | ro | VOLUME_FLAGS, NULL) < 0))
		return err_set(e, errno, "cannot mount volume %s on %s", m->volume->name,
			       m->target);
	return 0;
}

int volumes_mount(const struct app *app, bool beneath_dev, struct err *e)
{
	for (unsigned i = 0; i < app->nr_mounts; i++) {
		if (is_beneath_dev(app->mounts[i].target) == beneath_dev &&
		    volume_mount(&app->mounts[i], e) < 0)
			return -1;
	}
	return 0;
}
