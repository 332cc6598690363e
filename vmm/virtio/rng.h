/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_VMM_VIRTIO_RNG_H
#define VPOD_VMM_VIRTIO_RNG_H

#include "vmm/spec.h"
#include "vmm/virtio/virtio.h"

/* Caller owns; machine_add() takes it. @limit without bytes: a default one. */
struct virtio_dev *rng_new(struct loop *l, const struct spec_limit *limit, struct err *e);

#endif
