/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frontend's half of vhost-user (docs/interop/vhost-user of QEMU): requests over a socket, each
 * answered in time or the device has failed.  The backend is trusted with guest memory and with
 * nothing else: what it answers is of a fixed size and checked, fds from it are not taken.
 */
#ifndef VPOD_VMM_VIRTIO_VHOST_USER_H
#define VPOD_VMM_VIRTIO_VHOST_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/mem.h"
#include "vmm/virtio/virtio.h"

struct vhost_user {
	int fd;	   /* the caller's */
	bool acks; /* every request is answered */
};

/* Learns to know the backend at @fd, which must have @nr_queues queues; *features: what it has. */
int vhost_user_init(struct vhost_user *v, int fd, unsigned nr_queues, uint64_t *features,
		    struct err *e);

/* Gives guest memory, which must be shared, and the features that the driver took. */
int vhost_user_start(const struct vhost_user *v, const struct guest_mem *m, uint64_t features,
		     struct err *e);

/* The backend works on @q from now on, and interrupts by @call_fd. */
int vhost_user_start_queue(const struct vhost_user *v, const struct virtqueue *q, int call_fd,
			   struct err *e);

/* Returns when the backend touches @q no more. */
int vhost_user_stop_queue(const struct vhost_user *v, const struct virtqueue *q, struct err *e);

#endif
