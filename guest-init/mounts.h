/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The guest's file systems
 *
 * The kernel starts us on the initramfs, which nothing can unmount or pivot away from.  So init
 * makes a small tmpfs its root and each app gets a mount namespace of its own, in which the tree
 * below is detached once the app's root is ready:
 *
 *	/dev /proc /sys		the kernel's, for init
 *	/cgroup			cgroup v2: pod/N is app N's group
 *	/shm			/dev/shm of all apps, which share their IPC namespace
 *	/hidden			an empty directory and file without permissions, read-only
 *	/net			resolv.conf and hosts, see netfiles.h
 *	/scratch		the pod's writable file system: apps/NAME/{upper,work}, volumes/NAME
 *	/images/N		the EROFS image of app N (the first one with that serial)
 *	/apps/N			the root of app N: an overlay
 *	/ptys/N			devpts of app N if it has a terminal
 */
#ifndef VPOD_GUEST_MOUNTS_H
#define VPOD_GUEST_MOUNTS_H

#include "base/err.h"

/* Makes the tmpfs root and what is above that every pod has. The initramfs is out of sight then. */
int mounts_begin(struct err *e);

/* What may be bound into apps: shared memory and the empty things that hide others. */
int mounts_for_apps(struct err *e);

/* mount(2) with the mount point made first. */
int mount_at(const char *source, const char *target, const char *type, unsigned long flags,
	     const char *data, struct err *e);

/* Unmounts all that holds data; what is still busy becomes read-only.  Returns when it is safe. */
void mounts_end(void);

#endif
