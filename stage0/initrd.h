/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initramfs of a pod: three newc archives one behind the other, which the kernel unpacks in
 * order.  vpod-init and the directories it mounts on; the modules of the kernel, as the import left
 * them; the pod spec.  Same inputs, same bytes.
 */
#ifndef VPOD_STAGE0_INITRD_H
#define VPOD_STAGE0_INITRD_H

#include <stddef.h>

#include "base/err.h"

struct kernel;

/* Writes to @out_fd from its current position. @init_path is the program vpod-init. */
int initrd_write(int out_fd, const char *init_path, const struct kernel *k, const void *spec,
		 size_t spec_len, struct err *e);

#endif
