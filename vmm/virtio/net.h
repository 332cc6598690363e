/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_VMM_VIRTIO_NET_H
#define VPOD_VMM_VIRTIO_NET_H

#include "vmm/ratelimit.h"
#include "vmm/virtio/net_peer.h"
#include "vmm/virtio/virtio.h"

/* Owner: loop. "rx" is what the guest receives. Bytes are of frames, without the virtio header. */
struct net_counters {
	uint64_t rx_packets, rx_bytes;
	uint64_t rx_dropped; /* larger than the guest's buffers, or no frame */
	uint64_t tx_packets, tx_bytes;
	uint64_t tx_dropped;   /* the host did not take it */
	uint64_t tx_malformed; /* a header or a length that cannot be (V20) */
	uint64_t tx_spoofed;   /* from another station's address (V20) */
};

/*
 * A NIC at @p, which it takes, also when it fails.  @l: the loop that it will live in.  Caller
 * owns; machine_add() takes it.
 */
struct virtio_dev *net_new(const struct spec_nic *nic, struct net_peer *p, struct loop *l,
			   struct err *e);

/* Of a device whose ops->id is VIRTIO_ID_NET; loop only. */
const struct net_counters *net_counters(const struct virtio_dev *d);
struct limit *net_limit(struct virtio_dev *d, bool is_rx);

#endif
