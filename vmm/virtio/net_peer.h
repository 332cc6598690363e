/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a NIC is connected to: a tap (tap.c) or a stream (net_stream.c).  Frames are Ethernet's,
 * each behind a struct virtio_net_hdr_v1.  Loop only.
 */
#ifndef VPOD_VMM_VIRTIO_NET_PEER_H
#define VPOD_VMM_VIRTIO_NET_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"

/* Virtio 1.2 section 5.1.3; headers before Linux 6.2 lack them. */
#define NET_F_GUEST_USO4 54
#define NET_F_GUEST_USO6 55
#define NET_F_HOST_USO 56
#define NET_HDR_GSO_UDP_L4 5

#define NET_HDR_LEN 12u
#define NET_FRAME_MAX 65550u		    /* 5.1.6.3.1: 64 KiB of payload, and its headers */
#define NET_READ_MAX (NET_HDR_LEN + 65570u) /* more than any frame */

struct net_peer;

struct net_peer_ops {
	/* The driver took these features.  May be NULL. */
	int (*set_offloads)(struct net_peer *p, uint64_t acked, struct err *e);
	/*
	 * Sends a frame, whose first buffer has the header whole, and may change @iov and that
	 * buffer.  @nr 0: goes on with the rest of the last one.  Returns 0 or an errno value:
	 * EAGAIN, nothing was taken; EPIPE, nothing ever will be; others, this frame is lost.
	 */
	int (*send)(struct net_peer *p, struct iovec *iov, unsigned nr);
	/*
	 * The next frame, into @iov; or, if the peer has read it already, *@kept says where it is
	 * until the next call.  Returns its length; 0: there will be none; -1 with errno.
	 */
	ssize_t (*receive)(struct net_peer *p, const struct iovec *iov, unsigned nr,
			   const uint8_t **kept);
};

/* Or the first member of an implementation's struct: free() frees either. */
struct net_peer {
	const struct net_peer_ops *ops;
	int fd;		   /* to be polled; whose it is closes it */
	uint64_t features; /* VIRTIO_NET_F_* bits of offloads that it can do, both ways */
	bool has_rest;	   /* of a frame that was sent: send() is to be called when there is room */
};

/* Opens the existing tap device @name. Returns an fd that the caller owns. */
int tap_open(const char *name, struct err *e);

/*
 * Of a tap's fd, however it was opened: header, non-blocking; finds out what it can do.  Of a
 * connected stream socket.  Caller owns; NULL with @e.
 */
struct net_peer *tap_new(int fd, struct err *e);
struct net_peer *net_stream_new(int fd, struct err *e);
extern const struct net_peer_ops tap_ops;

#endif
