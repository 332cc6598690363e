/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network device and its driver, at a socket: one that keeps packets apart, in place of a tap, or
 * a stream.
 */
#ifndef VPOD_TESTS_NET_FIXTURE_H
#define VPOD_TESTS_NET_FIXTURE_H

#include <linux/virtio_net.h>

#include "vmm/virtio/net.h"
#include "vmm_fixture.h"

#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define BIT(n) (1ull << (n))
#define OFFLOADS                                                                               \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) | \
	 BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |                          \
	 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(NET_F_HOST_USO))
#define MERGED BIT(VIRTIO_NET_F_MRG_RXBUF)
#define SIZE 64
#define HDR sizeof(struct virtio_net_hdr_v1)
#define ETH 14u
#define BUF 2048u
#define TX_DATA RIG_DATA
#define RX_DATA (RIG_DATA + 0x100000)

extern struct vmm_rig rig;
extern unsigned slot;
extern int tap, wire; /* the device's end and ours */
extern struct drvq rx, tx;
extern uint8_t got[70000], frame[70000];
extern const uint8_t mac[6];

void net_make(const struct spec_nic *nic);
void net_start(uint64_t features, uint16_t rx_size);
struct spec_nic a_nic(void);
int net_setup(void **state);
int net_teardown(void **state);
const struct net_counters *net_count(void);
void net_goes_on(void);
/* A frame of @len bytes in all, header included, at the start of the transmit memory. */
uint8_t *make_frame(uint32_t len);
void send_at(uint64_t gpa, uint32_t len);
ssize_t arrives(void);
void give_buffers(unsigned n, uint32_t len);
/* From the host, @len bytes behind the header. */
void host_sends(uint32_t len);
/* The next frame from the host, of @len bytes in @nr buffers. */
void guest_has(uint32_t len, unsigned nr);

#endif
