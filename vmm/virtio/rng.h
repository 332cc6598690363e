/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_VMM_VIRTIO_RNG_H
#define VPOD_VMM_VIRTIO_RNG_H

#include "vmm/virtio/virtio.h"

/* Caller owns; machine_add() takes it. */
struct virtio_dev *rng_new(void);

#endif
