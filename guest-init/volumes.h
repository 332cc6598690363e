/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_VOLUMES_H
#define VPOD_GUEST_VOLUMES_H

#include "pod.h"

/*
 * Mounts the app's volumes.  Called with the app's root as root and init's as current directory.
 * @beneath_dev: those in /dev, which must wait until it is there; otherwise all others, before
 * /proc is there, so that no link of the image can lead out of its root.
 */
int volumes_mount(const struct app *app, bool beneath_dev, struct err *e);

#endif
