/* SPDX-License-Identifier: Apache-2.0 */
#include "mounts.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto.h"
#include "say.h"
#include "sys.h"

int mount_at(const char *source, const char *target, const char *type, unsigned long flags,
	     const char *data, struct err *e)
{
	if (sys_mkdir(target, 0755) < 0)
		return err_set(e, errno, "cannot make mount point %s", target);
	if (mount(source, target, type, flags, data) < 0) {
		if (errno == ENODEV)
			return err_set(e, ENODEV,
				       "cannot mount %s: the kernel lacks file system %s", target,
				       type);
		return err_set(e, errno, "cannot mount %s on %s", source, target);
	}
	return 0;
}

/* MS_MOVE onto "/", as pivot_root(2) cannot leave the initramfs. */
static int switch_root(struct err *e)
{
	if (mount_at("tmpfs", "/root.vpod", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV,
		     "mode=0755,size=1m", e) < 0)
		return -1;
	if (chdir("/root.vpod") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
	    chroot(".") < 0 || chdir("/") < 0)
		return err_set(e, errno, "cannot leave the initramfs");
	return 0;
}

int mounts_begin(struct err *e)
{
	const unsigned long flags = MS_NOSUID | MS_NOEXEC;

	if (switch_root(e) < 0 || mount_at("devtmpfs", "/dev", "devtmpfs", flags, NULL, e) < 0 ||
	    mount_at("proc", "/proc", "proc", flags | MS_NODEV, NULL, e) < 0 ||
	    mount_at("sysfs", "/sys", "sysfs", flags | MS_NODEV, NULL, e) < 0)
		return -1;
	say_step("root switched");
	return 0;
}

int mounts_for_apps(struct err *e)
{
	const unsigned long flags = MS_NOSUID | MS_NOEXEC | MS_NODEV;

	if (mount_at("tmpfs", "/shm", "tmpfs", flags, "mode=1777", e) < 0 ||
	    mount_at("tmpfs", "/hidden", "tmpfs", flags, "mode=0755,size=4k", e) < 0)
		return -1;
	if (sys_mkdir("/hidden/dir", 0) < 0 || mknod("/hidden/file", S_IFREG, 0) < 0 ||
	    mount(NULL, "/hidden", NULL, MS_REMOUNT | MS_RDONLY | flags, NULL) < 0)
		return err_set(e, errno, "cannot make what hides paths from apps");
	return 0;
}

static void unmount(const char *path)
{
	if (umount2(path, 0) < 0 && errno == EBUSY)
		(void)mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL); /* sync() has run */
}

void mounts_end(void)
{
	char path[32];

	sync();
	for (unsigned i = 0; i < PROTO_MAX_APPS; i++) {
		snprintf(path, sizeof(path), "/apps/%u", i);
		if (umount2(path, MNT_DETACH) < 0 && errno == ENOENT)
			break;
	}
	unmount("/scratch");
	say_step("file systems unmounted");
}
