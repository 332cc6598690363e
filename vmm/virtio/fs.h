/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_VMM_VIRTIO_FS_H
#define VPOD_VMM_VIRTIO_FS_H

#include "vmm/spec.h"
#include "vmm/virtio/virtio.h"

/*
 * A shared directory, served by the vhost-user backend at s->file.fd, which stays the caller's and
 * is spoken to at once.  Caller owns; machine_add() takes it.
 */
struct virtio_dev *fs_new(const struct spec_fs *s, struct err *e);

#endif
