/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_ROOTFS_H
#define VPOD_GUEST_ROOTFS_H

#include "pod.h"

/* Mounts the scratch file system and makes the pod's empty volumes on it. */
int scratch_mount(const struct pod *pod, struct err *e);

/* Mounts the image of app @i and, over it, the app's root at /apps/I. */
int rootfs_mount(const struct pod *pod, unsigned i, struct err *e);

#endif
