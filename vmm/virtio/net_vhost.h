/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost-net: the host's kernel moves the frames of a NIC, without this process.  So there are no
 * checks of frames, no counters and no rates of ours: who asks for it has others, at the tap.
 *
 * No machine of ours has /dev/vhost-net: the requests and their order are tested, not the kernel.
 */
#ifndef VPOD_VMM_VIRTIO_NET_VHOST_H
#define VPOD_VMM_VIRTIO_NET_VHOST_H

#include "vmm/virtio/virtio.h"

/* Learns to know /dev/vhost-net at @fd, before the last thread is made: *features: what it does. */
int net_vhost_init(int fd, uint64_t *features, struct err *e);

/* The kernel works on the live queues of @d, between guest and @tap, until net_vhost_stop(). */
int net_vhost_start(int fd, struct virtio_dev *d, uint64_t features, int tap, struct err *e);
int net_vhost_stop(int fd, struct virtio_dev *d, struct err *e);

/* ioctl(2), or a test's. */
extern int (*net_vhost_ioctl)(int fd, unsigned long request, void *arg);

#endif
