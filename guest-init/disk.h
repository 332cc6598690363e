/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_DISK_H
#define VPOD_GUEST_DISK_H

#include <stddef.h>

#include "base/err.h"

/* Waits for the virtio-blk disk with @serial and puts the path of its node into @node. */
int disk_find(const char *serial, char *node, size_t size, struct err *e);

#endif
