/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "mounts.h"
#include "say.h"
#include "sys.h"

/*
 * No device nodes anywhere but in the /dev that we make: apps may mknod(2), and with a node of the
 * scratch disk one app could write to another's files.
 */
#define SCRATCH_FLAGS (MS_NODEV | MS_NOATIME)

/* A new volume gets its owner; one that is there, of a pod that runs again, is left as it is. */
static int volume_make(const struct volume *v, struct err *e)
{
	char path[160];

	snprintf(path, sizeof(path), "/scratch/volumes/%s", v->name);
	if (mkdir(path, 0700) < 0) {
		if (errno == EEXIST)
			return 0;
		return err_set(e, errno, "cannot make volume %s", v->name);
	}
	if (chown(path, v->uid, v->gid) < 0 || chmod(path, v->mode) < 0)
		return err_set(e, errno, "cannot make volume %s", v->name);
	return 0;
}

static int scratch_mount_fs(const struct pod *pod, struct err *e)
{
	char node[32], size[48];

	if (pod->scratch_disk) {
		if (disk_find(pod->scratch_disk, node, sizeof(node), e) < 0)
			return -1;
		return mount_at(node, "/scratch", "ext4", SCRATCH_FLAGS, NULL, e);
	}
	snprintf(size, sizeof(size), "mode=0755");
	if (pod->scratch_bytes)
		snprintf(size, sizeof(size), "mode=0755,size=%llu",
			 (unsigned long long)pod->scratch_bytes);
	return mount_at("tmpfs", "/scratch", "tmpfs", SCRATCH_FLAGS, size, e);
}

int scratch_mount(const struct pod *pod, struct err *e)
{
	if (scratch_mount_fs(pod, e) < 0)
		return -1;
	if (sys_mkdir("/scratch/apps", 0700) < 0 || sys_mkdir("/scratch/volumes", 0700) < 0 ||
	    sys_mkdir("/images", 0700) < 0 || sys_mkdir("/apps", 0700) < 0)
		return err_set(e, errno, "cannot make the directories of the pod");
	for (unsigned i = 0; i < pod->nr_volumes; i++) {
		if (volume_make(&pod->volumes[i], e) < 0)
			return -1;
	}
	say_step("scratch mounted");
	return 0;
}

/* The first app with the same image: it is mounted once. */
static unsigned image_of(const struct pod *pod, unsigned i)
{
	unsigned k = 0;

	while (strcmp(pod->apps[k].rootfs, pod->apps[i].rootfs))
		k++;
	return k;
}

static int image_mount(const struct pod *pod, unsigned i, const char *target, struct err *e)
{
	char node[32];

	if (image_of(pod, i) != i)
		return 0;
	if (disk_find(pod->apps[i].rootfs, node, sizeof(node), e) < 0)
		return -1;
	return mount_at(node, target, "erofs", MS_RDONLY | MS_NODEV, NULL, e);
}

/* The root directory of an overlay shows the upper one's owner and mode: they must be the image's.
 */
static int upper_make(const char *image, const char *upper, struct err *e)
{
	struct stat st;

	if (mkdir(upper, 0755) < 0) {
		if (errno == EEXIST)
			return 0;
		return err_set(e, errno, "cannot make %s", upper);
	}
	if (stat(image, &st) < 0 || chown(upper, st.st_uid, st.st_gid) < 0 ||
	    chmod(upper, st.st_mode & 07777) < 0)
		return err_set(e, errno, "cannot make %s", upper);
	return 0;
}

int rootfs_mount(const struct pod *pod, unsigned i, struct err *e)
{
	const char *name = pod->apps[i].name;
	char image[32], root[32], dir[160], upper[176], work[176], options[600];

	snprintf(image, sizeof(image), "/images/%u", image_of(pod, i));
	snprintf(root, sizeof(root), "/apps/%u", i);
	snprintf(dir, sizeof(dir), "/scratch/apps/%s", name);
	snprintf(upper, sizeof(upper), "%s/upper", dir);
	snprintf(work, sizeof(work), "%s/work", dir);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", image, upper,
		 work);
	if (image_mount(pod, i, image, e) < 0)
		return -1;
	if (sys_mkdir(dir, 0700) < 0 || sys_mkdir(work, 0700) < 0)
		return err_set(e, errno, "cannot make the writable layer of app %s", name);
	if (upper_make(image, upper, e) < 0 ||
	    mount_at("overlay", root, "overlay", MS_NODEV | MS_NOATIME, options, e) < 0)
		return -1;
	say_step("rootfs of %s mounted", name);
	return 0;
}
