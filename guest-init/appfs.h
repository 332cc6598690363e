/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_APPFS_H
#define VPOD_GUEST_APPFS_H

#include "pod.h"

/*
 * Makes the root of app @i this process's root, with init's as current directory, so that a
 * relative path means init's world and an absolute one the app's, which no link leads out of.
 * By chroot(2): behind pivot_root(2) init's root would lie on the app's, and "/.." lead to it.
 */
int appfs_enter(unsigned i, struct err *e);

/*
 * Mounts /proc, /sys and /dev, and what hides parts of them.  @pty: the number of the app's
 * terminal in its devpts, -1 if it has none.
 */
int appfs_mount_kernel(const struct app *app, unsigned i, int pty, struct err *e);

/* Lets go of init's world for good; a read-only app's root becomes so. */
int appfs_seal(const struct app *app, unsigned i, struct err *e);

#endif
