/* SPDX-License-Identifier: Apache-2.0 */
/* A tap device of the host: Ethernet frames, each behind a struct virtio_net_hdr_v1. */
#ifndef VPOD_VMM_VIRTIO_TAP_H
#define VPOD_VMM_VIRTIO_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Virtio 1.2 section 5.1.3; headers before Linux 6.2 lack them. */
#define NET_F_GUEST_USO4 54
#define NET_F_GUEST_USO6 55
#define NET_F_HOST_USO 56
#define NET_HDR_GSO_UDP_L4 5

#define NET_HDR_LEN 12u

struct tap {
	int fd;		   /* the caller's */
	uint64_t features; /* VIRTIO_NET_F_* bits of offloads that it can do, both ways */
	bool has_offloads; /* false: not a tap but a test's socket */
};

/* Opens the existing device @name. Returns an fd that the caller owns. */
int tap_open(const char *name, struct err *e);

/* Makes @t of @fd, however it was opened: header, non-blocking; finds out what it can do. */
int tap_use(struct tap *t, int fd, struct err *e);

/* Tells the host what the driver takes, by its acknowledged features. */
int tap_set_offloads(const struct tap *t, uint64_t acked, struct err *e);

#endif
