/* SPDX-License-Identifier: Apache-2.0 */
#include "netfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mounts.h"
#include "say.h"
#include "sys.h"

#define FLAGS (MS_NOSUID | MS_NOEXEC | MS_NODEV)

/* Relative in init's root, which is the app's current directory when it binds them. */
static const struct {
	const char *source, *target;
} files[] = {
	{ "net/resolv.conf", "/etc/resolv.conf" },
	{ "net/hosts", "/etc/hosts" },
};

static int write_file(const char *path, const char *text, struct err *e)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	size_t left = strlen(text);
	ssize_t n;

	if (fd < 0 || fchmod(fd, 0644) < 0)
		return err_set(e, errno, "cannot make %s", path);
	while (left) {
		n = write(fd, text, left);
		if (n < 0)
			return err_set(e, errno, "cannot write %s", path);
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

int netfiles_make(const struct pod *pod, struct err *e)
{
	if (!pod->resolv && !pod->hosts)
		return 0;
	/* apart, so that an app that fills it does not fill init's root; the spec is 1 MiB at most
	 */
	if (mount_at("tmpfs", "/net", "tmpfs", FLAGS, "mode=0755,size=2m", e) < 0)
		return -1;
	if (pod->resolv && write_file("/net/resolv.conf", pod->resolv, e) < 0)
		return -1;
	return pod->hosts ? write_file("/net/hosts", pod->hosts, e) : 0;
}

/* A volume that the user put there is what the user wants there. */
static bool is_volume(const struct app *app, const char *path)
{
	for (unsigned i = 0; i < app->nr_mounts; i++) {
		if (!strcmp(app->mounts[i].target, path))
			return true;
	}
	return false;
}

/*
 * The process's root is the app's and has no /proc yet, so no link leads out of it, whatever the
 * image, or another app in a volume of both, has put on the way.
 */
static int make_target(const char *path)
{
	cleanup_close int fd = -1;
	struct stat st;

	if (!stat(path, &st)) {
		errno = S_ISREG(st.st_mode) ? 0 : EEXIST;
		return S_ISREG(st.st_mode) ? 0 : -1;
	}
	if (sys_mkdir("/etc", 0755) < 0)
		return -1;
	if (!lstat(path, &st) && S_ISLNK(st.st_mode) && unlink(path) < 0)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? -1 : 0;
}

static int bind_file(const struct app *app, const char *source, const char *target)
{
	if (make_target(target) < 0 || mount(source, target, NULL, MS_BIND, NULL) < 0)
		return -1;
	if (!app->is_readonly)
		return 0;
	return mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | FLAGS, NULL);
}

void netfiles_bind(const struct app *app)
{
	for (size_t i = 0; i < nitems(files); i++) {
		if (access(files[i].source, F_OK) < 0 || is_volume(app, files[i].target))
			continue;
		if (bind_file(app, files[i].source, files[i].target) < 0)
			say_step("%s goes without our %s: %s", app->name, files[i].target,
				 strerror(errno));
	}
}
