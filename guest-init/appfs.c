/* SPDX-License-Identifier: Apache-2.0 */
#include "appfs.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys.h"

#define SAFE (MS_NOSUID | MS_NOEXEC | MS_NODEV)

/* rkt's lists. Paths that a kernel does not have are passed over. */
static const char *const readonly_paths[] = {
	"/proc/bus",
	"/proc/sys/kernel/core_pattern",
	"/proc/sys/kernel/modprobe",
	"/proc/sys/vm/panic_on_oom",
	"/proc/sysrq-trigger",
};
static const char *const hidden_dirs[] = {
	"/sys/firmware",
	"/sys/hypervisor",
	"/sys/module",
	"/sys/power",
};
static const char *const hidden_files[] = {
	"/proc/config.gz", "/proc/kallsyms", "/proc/sched_debug",
	"/proc/kcore",	   "/proc/kmem",     "/proc/mem",
};

int appfs_enter(unsigned i, struct err *e)
{
	char root[32];

	snprintf(root, sizeof(root), "apps/%u", i);
	if (chdir("/") < 0 || chroot(root) < 0)
		return err_set(e, errno, "cannot enter the app's root");
	return 0;
}

/* A directory of its own name: a link of the image would lead the masks astray. */
static int mount_point(const char *path, struct err *e)
{
	struct stat st;

	if (sys_mkdir(path, 0755) < 0 || lstat(path, &st) < 0)
		return err_set(e, errno, "cannot make %s in the image", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, 0, "cannot mount %s: the image has no directory there", path);
	return 0;
}

static int mount_fs(const char *type, const char *path, unsigned long flags, const char *data,
		    struct err *e)
{
	if (mount_point(path, e) < 0)
		return -1;
	if (mount(type, path, type, flags, data) < 0)
		return err_set(e, errno, "cannot mount %s in the image", path);
	return 0;
}

static int bind(const char *source, const char *path, struct err *e)
{
	if (mount(source, path, NULL, MS_BIND, NULL) < 0)
		return err_set(e, errno, "cannot put %s in place", path);
	return 0;
}

/* Covers @path if the kernel has it. */
static int hide(const char *source, const char *path, struct err *e)
{
	if (mount(source, path, NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
		return err_set(e, errno, "cannot hide %s", path);
	return 0;
}

static int make_readonly(const char *path, struct err *e)
{
	if (mount(path, path, NULL, MS_BIND, NULL) < 0) {
		if (errno == ENOENT)
			return 0;
	} else if (!mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | SAFE, NULL)) {
		return 0;
	}
	return err_set(e, errno, "cannot make %s read-only", path);
}

static int mount_proc(const struct app *app, struct err *e)
{
	if (mount_fs("proc", "/proc", SAFE, NULL, e) < 0)
		return -1;
	if (app->has_nopaths)
		return 0;
	for (size_t i = 0; i < nitems(readonly_paths); i++) {
		if (make_readonly(readonly_paths[i], e) < 0)
			return -1;
	}
	for (size_t i = 0; i < nitems(hidden_files); i++) {
		if (hide("hidden/file", hidden_files[i], e) < 0)
			return -1;
	}
	return 0;
}

/* Read-only, and in a namespace whose root is the app's group. */
static int mount_cgroup(struct err *e)
{
	if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", SAFE | MS_RDONLY, NULL) < 0 &&
	    errno != ENODEV && errno != ENOENT)
		return err_set(e, errno, "cannot mount /sys/fs/cgroup");
	return 0;
}

static int mount_sys(const struct app *app, struct err *e)
{
	unsigned long ro = app->has_nopaths ? 0 : MS_RDONLY;

	if (mount_fs("sysfs", "/sys", SAFE | ro, NULL, e) < 0)
		return -1;
	if (app->has_nopaths)
		return mount_cgroup(e);
	for (size_t i = 0; i < nitems(hidden_dirs); i++) {
		if (hide("hidden/dir", hidden_dirs[i], e) < 0)
			return -1;
	}
	/* hides /sys/fs, but for the place of the cgroups */
	if (mount("tmpfs", "/sys/fs", "tmpfs", SAFE, "mode=0755,size=4k") < 0 ||
	    sys_mkdir("/sys/fs/cgroup", 0755) < 0)
		return err_set(e, errno, "cannot hide /sys/fs");
	if (mount_cgroup(e) < 0)
		return -1;
	if (mount(NULL, "/sys/fs", NULL, MS_REMOUNT | MS_RDONLY | SAFE, NULL) < 0)
		return err_set(e, errno, "cannot make /sys/fs read-only");
	return 0;
}

/*
 * The nodes are bound from init's devtmpfs onto files of a file system without devices: an app
 * keeps CAP_MKNOD, as everywhere, but a node that it makes opens nothing.
 */
static int make_nodes(struct err *e)
{
	static const char *const names[] = { "null", "zero", "full", "random", "urandom", "tty" };
	char from[32], to[32];

	for (size_t i = 0; i < nitems(names); i++) {
		snprintf(from, sizeof(from), "dev/%s", names[i]);
		snprintf(to, sizeof(to), "/dev/%s", names[i]);
		if (mknod(to, S_IFREG | 0666, 0) < 0)
			return err_set(e, errno, "cannot make %s", to);
		if (bind(from, to, e) < 0)
			return -1;
	}
	return 0;
}

static int make_links(struct err *e)
{
	static const struct {
		const char *to, *name;
	} links[] = {
		{ "/proc/self/fd", "/dev/fd" },	      { "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" },
		{ "pts/ptmx", "/dev/ptmx" },
	};

	for (size_t i = 0; i < nitems(links); i++) {
		if (symlink(links[i].to, links[i].name) < 0)
			return err_set(e, errno, "cannot make %s", links[i].name);
	}
	return 0;
}

/* /dev/console is the app's terminal, or nothing: the guest's console is not for apps. */
static int mount_pts(unsigned i, int pty, struct err *e)
{
	char path[32];

	if (mknod("/dev/console", S_IFREG | 0600, 0) < 0)
		return err_set(e, errno, "cannot make /dev/console");
	if (pty < 0) {
		if (mount_fs("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC,
			     "newinstance,ptmxmode=0666,mode=0620,gid=5", e) < 0)
			return -1;
		return bind("dev/null", "/dev/console", e);
	}
	if (mount_point("/dev/pts", e) < 0)
		return -1;
	snprintf(path, sizeof(path), "ptys/%u", i);
	if (bind(path, "/dev/pts", e) < 0)
		return -1;
	snprintf(path, sizeof(path), "/dev/pts/%d", pty);
	return bind(path, "/dev/console", e);
}

static int mount_dev(unsigned i, int pty, struct err *e)
{
	if (mount_fs("tmpfs", "/dev", MS_NOSUID | MS_NODEV, "mode=0755,size=64m", e) < 0 ||
	    make_nodes(e) < 0 || make_links(e) < 0 || mount_pts(i, pty, e) < 0 ||
	    mount_point("/dev/shm", e) < 0 || bind("shm", "/dev/shm", e) < 0 ||
	    mount_point("/dev/mqueue", e) < 0)
		return -1;
	if (mount("mqueue", "/dev/mqueue", "mqueue", SAFE, NULL) < 0 && errno != ENODEV)
		return err_set(e, errno, "cannot mount /dev/mqueue");
	return 0;
}

int appfs_mount_kernel(const struct app *app, unsigned i, int pty, struct err *e)
{
	if (mount_proc(app, e) < 0 || mount_sys(app, e) < 0)
		return -1;
	return mount_dev(i, pty, e);
}

int appfs_seal(const struct app *app, unsigned i, struct err *e)
{
	char root[32];

	/* the old root lands on top of the new one, whence it goes */
	snprintf(root, sizeof(root), "apps/%u", i);
	if (chroot(".") < 0 || chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_set(e, errno, "cannot leave init's root");
	if (app->is_readonly &&
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | MS_NOATIME, NULL) <
		    0)
		return err_set(e, errno, "cannot make the root read-only");
	return 0;
}
