/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_VMM_VIRTIO_CONSOLE_H
#define VPOD_VMM_VIRTIO_CONSOLE_H

#include "vmm/spec.h"
#include "vmm/virtio/virtio.h"

/*
 * The one console device of a machine with its @nr ports; their files stay the caller's and become
 * non-blocking.  Caller owns; machine_add() takes it.  NULL: a file is no stream.
 */
struct virtio_dev *console_new(const struct spec_port *ports, unsigned nr, struct err *e);

#endif
