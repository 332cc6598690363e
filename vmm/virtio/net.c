/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The network device, virtio 1.2 section 5.1
 *
 * Frames go between guest memory and the peer, a tap or a stream socket (net_peer.h).  With a tap
 * that is one system call each, without a copy of ours.
 *
 *   guest -> host   the first 26 bytes, virtio header and Ethernet header, are copied once,
 *                   checked, and the copy is sent: nothing that was looked at is read again (V11).
 *                   The kernel takes checksums and segmentation from the header; what the driver
 *                   did not negotiate or what cannot be is dropped and counted (V20), and so is a
 *                   frame from another address than the NIC's
 *   host -> guest   the length of a tap's next frame is not known before it is read.  So buffers
 *                   of the guest are collected, and kept, until any frame fits, and the tap is read
 *                   into them.  A guest with fewer buffers is served by way of n->held, one frame,
 *                   and so is what a stream has read.  The peer is read no further before that is
 *                   delivered: the host's kernel queues and drops, nothing of ours grows (V17)
 *
 * A peer that goes away or breaks its protocol is a link that is down, for the machine's lifetime.
 *
 * Each turn of the loop moves a bounded amount per direction, so that no queue starves another.
 */
#include "vmm/virtio/net.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "vmm/machine.h"
#include "vmm/virtio/net_vhost.h"

#define BIT(n) (1ull << (n))

enum { RX, TX };

#define ETH_LEN 14u
#define FRAME_VLAN 4u /* a tag makes a frame longer than the MTU says */
#define TURN_FRAMES 64u
#define TURN_BYTES (1u << 20)
#define MIN_MSS 48u	      /* less is a way to make the host work (CVE-2019-11479) */
#define MAX_UDP_SEGMENTS 128u /* of the host's kernel */
#define RX_IOVS VQ_MAX_SIZE

/* A receive buffer that the guest gave: its memory is the next @nr_iov of n->rx.iov. */
struct rx_buffer {
	uint16_t head;
	uint16_t nr_iov;
	uint32_t len;
};

/* What is looked at of a frame to send. */
struct frame_head {
	struct virtio_net_hdr_v1 virtio;
	uint8_t to[6], from[6], type[2];
};
static_assert(sizeof(struct frame_head) == NET_HDR_LEN + ETH_LEN, "no padding");

struct net {
	struct virtio_dev d;
	struct virtio_net_config config;
	struct net_peer *peer;
	uint8_t mac[6];
	struct source src; /* the peer, from the first activation on */
	int vhost;	   /* -1: the frames go through this process */
	uint64_t vhost_features;
	bool wants_buffer; /* the guest has given too few */
	bool wants_room;   /* the peer takes no more */
	struct limit limit[2];
	struct net_counters count;

	struct { /* in the order of the queue; until reset */
		struct rx_buffer buf[RX_IOVS];
		struct iovec iov[RX_IOVS];
		unsigned nr_buf, nr_iov;
		size_t len;
	} rx;
	const uint8_t *held; /* a frame that has come: frame, or the peer's */
	size_t held_len;     /* 0: none */
	uint8_t frame[NET_READ_MAX];
};

static bool has(const struct net *n, unsigned bit)
{
	return virtio_has(&n->d, bit);
}

static void watch(struct net *n)
{
	bool wants_frames = n->d.is_active && n->vhost < 0 && n->d.vq[RX].is_live &&
			    !n->wants_buffer && !n->limit[RX].is_waiting;

	loop_set_events(&n->src, (wants_frames ? EPOLLIN : 0u) | (n->wants_room ? EPOLLOUT : 0u));
}

static void peer_gone(struct net *n)
{
	loop_remove(&n->src);
	n->config.status = 0;
	virtio_config_changed(&n->d);
}

/* Is the segmentation that @h asks for allowed, and no trick? */
static bool gso_sound(const struct net *n, const struct virtio_net_hdr_v1 *h, size_t frame)
{
	unsigned type = h->gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;

	if (h->gso_type & VIRTIO_NET_HDR_GSO_ECN && !has(n, VIRTIO_NET_F_HOST_ECN))
		return false;
	if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || !h->gso_size || h->hdr_len > frame)
		return false;
	switch (type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return has(n, VIRTIO_NET_F_HOST_TSO4) && h->gso_size >= MIN_MSS;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return has(n, VIRTIO_NET_F_HOST_TSO6) && h->gso_size >= MIN_MSS;
	case NET_HDR_GSO_UDP_L4:
		return has(n, NET_F_HOST_USO) && frame / h->gso_size <= MAX_UDP_SEGMENTS;
	default:
		return false;
	}
}

/* Checks the copied header of a frame of @frame bytes; clears what means nothing. */
static bool header_sound(const struct net *n, struct virtio_net_hdr_v1 *h, size_t frame)
{
	h->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->num_buffers = 0;
	if (h->flags) {
		if (!has(n, VIRTIO_NET_F_CSUM) ||
		    (size_t)h->csum_start + h->csum_offset + 2 > frame)
			return false;
	} else {
		h->csum_start = h->csum_offset = 0;
	}
	if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		h->gso_size = h->hdr_len = 0;
		return true;
	}
	return gso_sound(n, h, frame);
}

/* As the peer's send(). */
static int peer_send(struct net *n, struct iovec *iov, unsigned nr)
{
	int r = n->config.status ? n->peer->ops->send(n->peer, iov, nr) : EPIPE;

	if (r == EPIPE && n->config.status)
		peer_gone(n);
	return r;
}

/* False: the peer takes no more, the frame stays. */
static bool send_frame(struct net *n, struct vq_chain *c)
{
	struct frame_head h;
	struct iovec iov[VQ_MAX_SIZE + 1], *rest = c->iov;
	size_t frame = c->out_len - NET_HDR_LEN;
	unsigned nr;
	int r;

	if (c->out_len < sizeof(h) || frame > NET_FRAME_MAX || c->nr_in || c->out_of_order ||
	    chain_read(c, 0, &h, sizeof(h)) < sizeof(h) || !header_sound(n, &h.virtio, frame)) {
		n->count.tx_malformed++;
		return true;
	}
	if (memcmp(h.from, n->mac, sizeof(n->mac)) != 0) {
		n->count.tx_spoofed++;
		return true;
	}
	nr = iov_skip(&rest, c->nr_out, sizeof(h));
	iov[0] = (struct iovec){ .iov_base = &h, .iov_len = sizeof(h) };
	memcpy(iov + 1, rest, nr * sizeof(*iov));
	r = peer_send(n, iov, nr + 1);
	if (r == EAGAIN)
		return false;
	if (r) {
		n->count.tx_dropped++;
		return true;
	}
	n->count.tx_packets++;
	n->count.tx_bytes += frame;
	return true;
}

static void transmit(struct net *n)
{
	struct virtqueue *q = &n->d.vq[TX];
	size_t bytes = 0;
	unsigned frames;
	struct vq_chain c;

	if (n->peer->has_rest)
		(void)peer_send(n, NULL, 0); /* has_rest tells */
	vq_disable_kicks(q);
	n->wants_room = false;
	for (frames = 0; frames < TURN_FRAMES && bytes < TURN_BYTES; frames++) {
		if (!limit_open(&n->limit[TX]) || vq_pop_or_wait(q, &c) <= 0)
			break;
		if (!send_frame(n, &c)) {
			vq_unpop(q);
			n->wants_room = true;
			break;
		}
		limit_charge(&n->limit[TX], c.out_len, 1);
		bytes += c.out_len;
		vq_push(q, c.head, 0);
	}
	n->wants_room |= n->peer->has_rest;
	virtio_signal(q);
	if (frames == TURN_FRAMES || bytes >= TURN_BYTES)
		vq_kick_again(q);
	watch(n);
}

/* Collects buffers until any frame fits, or there are no more. Does any fit? */
static bool collect(struct net *n)
{
	bool is_merged = has(n, VIRTIO_NET_F_MRG_RXBUF);
	bool is_large = has(n, VIRTIO_NET_F_GUEST_TSO4) || has(n, VIRTIO_NET_F_GUEST_TSO6) ||
			has(n, NET_F_GUEST_USO4) || has(n, NET_F_GUEST_USO6);
	size_t mtu = n->config.mtu > 1500 ? n->config.mtu : 1500;
	size_t want = NET_HDR_LEN + (is_large ? NET_FRAME_MAX : ETH_LEN + FRAME_VLAN + mtu);
	struct virtqueue *q = &n->d.vq[RX];
	struct vq_chain c;
	unsigned i;

	if (want < n->held_len)
		want = n->held_len;
	for (i = 0; i < VQ_MAX_SIZE && n->rx.len < want && (is_merged || !n->rx.nr_buf); i++) {
		if (vq_pop_or_wait(q, &c) <= 0)
			break;
		if (c.nr_in > RX_IOVS - n->rx.nr_iov) {
			vq_unpop(q);
			break;
		}
		if (c.nr_out || c.in_len < NET_HDR_LEN) { /* no buffer (V10) */
			vq_push(q, c.head, 0);
			continue;
		}
		memcpy(n->rx.iov + n->rx.nr_iov, c.iov, c.nr_in * sizeof(*c.iov));
		n->rx.buf[n->rx.nr_buf++] = (struct rx_buffer){ .head = c.head,
								.nr_iov = (uint16_t)c.nr_in,
								.len = (uint32_t)c.in_len };
		n->rx.nr_iov += c.nr_in;
		n->rx.len += c.in_len;
	}
	return n->rx.len >= want || (n->rx.nr_buf && !is_merged);
}

/* Gives the guest the buffers that the @len bytes in front lie in. */
static void give_back(struct net *n, size_t len)
{
	struct vring_used_elem used[RX_IOVS];
	unsigned nr = 0, nr_iov = 0;
	size_t left = len;
	uint16_t count;

	for (; left; nr++) {
		const struct rx_buffer *b = &n->rx.buf[nr];

		used[nr].id = b->head;
		used[nr].len = left < b->len ? (uint32_t)left : b->len;
		left -= used[nr].len;
		nr_iov += b->nr_iov;
		n->rx.len -= b->len;
	}
	count = (uint16_t)nr;
	iov_write(n->rx.iov, n->rx.buf[0].nr_iov, offsetof(struct virtio_net_hdr_v1, num_buffers),
		  &count, sizeof(count));
	n->rx.nr_buf -= nr;
	n->rx.nr_iov -= nr_iov;
	memmove(n->rx.buf, n->rx.buf + nr, n->rx.nr_buf * sizeof(*n->rx.buf));
	memmove(n->rx.iov, n->rx.iov + nr_iov, n->rx.nr_iov * sizeof(*n->rx.iov));
	vq_push_all(&n->d.vq[RX], used, nr);
	n->count.rx_packets++;
	n->count.rx_bytes += len - NET_HDR_LEN;
	limit_charge(&n->limit[RX], len, 1);
}

/* The held frame goes into the collected buffers, if it @fits. False: not yet. */
static bool deliver_held(struct net *n, bool fits)
{
	size_t len = n->held_len;

	if (n->rx.len < len && !fits && n->rx.nr_iov < n->d.vq[RX].size && n->rx.nr_iov < RX_IOVS)
		return false;
	n->held_len = 0;
	if (n->rx.len < len) { /* the guest has no more to give */
		n->count.rx_dropped++;
		return true;
	}
	iov_write(n->rx.iov, n->rx.nr_iov, 0, n->held, len);
	give_back(n, len);
	return true;
}

/* Takes the next frame: into the guest's buffers if @fits, or held. False: none is there. */
static bool receive_frame(struct net *n, bool fits)
{
	struct iovec iov[RX_IOVS + 1] = { { n->frame, sizeof(n->frame) } };
	const uint8_t *held = fits ? NULL : n->frame;
	uint8_t spare; /* touched by a frame that is too long */
	unsigned nr = 1;
	ssize_t len;

	if (fits) {
		nr = n->rx.nr_iov + 1;
		memcpy(iov, n->rx.iov, n->rx.nr_iov * sizeof(*iov));
		iov[n->rx.nr_iov] = (struct iovec){ .iov_base = &spare, .iov_len = 1 };
	}
	len = n->peer->ops->receive(n->peer, iov, nr, &held);
	if (len <= 0) {
		if (len == 0 || (errno != EAGAIN && errno != EINTR))
			peer_gone(n);
		return false;
	}
	if (len < (ssize_t)(NET_HDR_LEN + ETH_LEN) || (!held && (size_t)len > n->rx.len)) {
		n->count.rx_dropped++;
	} else if (held) {
		n->held = held;
		n->held_len = (size_t)len;
	} else {
		give_back(n, (size_t)len);
	}
	return true;
}

static void receive(struct net *n)
{
	struct virtqueue *q = &n->d.vq[RX];
	uint64_t end = n->count.rx_bytes + TURN_BYTES;
	unsigned frames;

	if (!n->config.status || !q->is_live)
		return;
	n->wants_buffer = false;
	vq_disable_kicks(q);
	for (frames = 0; frames < TURN_FRAMES && n->count.rx_bytes < end; frames++) {
		bool fits;

		if (!limit_open(&n->limit[RX]))
			break;
		fits = collect(n);
		n->wants_buffer = !n->rx.nr_buf;
		if (n->wants_buffer || (!n->held_len && !receive_frame(n, fits)))
			break;
		n->wants_buffer = n->held_len && !deliver_held(n, collect(n));
		if (n->wants_buffer)
			break;
	}
	if (frames == TURN_FRAMES || n->count.rx_bytes >= end)
		vq_kick_again(q); /* the peer may have read further: no event tells */
	virtio_signal(q);
	watch(n);
}

static void peer_ready(struct source *s, uint32_t events)
{
	struct net *n = container_of(s, struct net, src);

	if (events & (EPOLLERR | EPOLLHUP)) {
		peer_gone(n);
		return;
	}
	if (events & EPOLLOUT)
		transmit(n);
	if (events & EPOLLIN)
		receive(n);
}

static void rx_opened(struct limit *l)
{
	receive(container_of(l, struct net, limit[RX]));
}

static void tx_opened(struct limit *l)
{
	transmit(container_of(l, struct net, limit[TX]));
}

static void net_notify(struct virtio_dev *d, unsigned index)
{
	struct net *n = container_of(d, struct net, d);

	if (n->vhost >= 0)
		vq_kick_again(&d->vq[index]); /* the kernel is to look */
	else if (index == RX)
		receive(n);
	else
		transmit(n);
}

static int net_activate(struct virtio_dev *d, struct err *e)
{
	struct net *n = container_of(d, struct net, d);

	if (!n->config.status)
		return 0;
	if (n->peer->ops->set_offloads && n->peer->ops->set_offloads(n->peer, d->acked, e) < 0)
		return -1;
	if (!n->src.loop && loop_add(&d->m->loop, &n->src, n->peer->fd, 0, peer_ready, e) < 0)
		return -1;
	return n->vhost < 0 ? 0 : net_vhost_start(n->vhost, d, n->vhost_features, n->peer->fd, e);
}

static void net_reset(struct virtio_dev *d)
{
	struct net *n = container_of(d, struct net, d);
	struct err e;

	if (n->vhost >= 0 && net_vhost_stop(n->vhost, d, &e) < 0)
		machine_end(d->m, END_FAILED, "%s", e.msg);
	n->rx.nr_buf = n->rx.nr_iov = 0;
	n->rx.len = 0;
	n->held_len = 0;
	n->wants_room = n->peer->has_rest; /* begun is begun: the stream goes on */
	n->wants_buffer = true;		   /* until the next activation */
	watch(n);
}

static void net_destroy(struct virtio_dev *d)
{
	struct net *n = container_of(d, struct net, d);

	loop_remove(&n->src);
	limit_close(&n->limit[RX]);
	limit_close(&n->limit[TX]);
	free(n->peer);
	free(n);
}

static const struct virtio_ops net_ops = {
	.name = "net",
	.id = VIRTIO_ID_NET,
	.nr_queues = 2,
	.queue_max = VQ_MAX_SIZE,
	.activate = net_activate,
	.notify = net_notify,
	.reset = net_reset,
	.destroy = net_destroy,
};

const struct net_counters *net_counters(const struct virtio_dev *d)
{
	return &container_of(d, const struct net, d)->count;
}

struct limit *net_limit(struct virtio_dev *d, bool is_rx)
{
	return &container_of(d, struct net, d)->limit[is_rx ? RX : TX];
}

static void set_config(struct net *n, const struct spec_nic *nic)
{
	memcpy(n->mac, nic->mac, sizeof(n->mac));
	if (!nic->has_mac && getrandom(n->mac, sizeof(n->mac), 0) == sizeof(n->mac))
		n->mac[0] = (uint8_t)((n->mac[0] & 0xfc) | 2); /* one station, locally made up */
	memcpy(n->config.mac, n->mac, sizeof(n->mac));
	n->config.status = VIRTIO_NET_S_LINK_UP;
	n->config.mtu = nic->mtu;
	n->d.config = &n->config;
	n->d.config_len = offsetof(struct virtio_net_config, mtu) + sizeof(n->config.mtu);
}

struct virtio_dev *net_new(const struct spec_nic *nic, struct net_peer *p, struct loop *l,
			   struct err *e)
{
	struct net *n = xcalloc(1, sizeof(*n));

	n->peer = p;
	n->vhost = nic->vhost.fd;
	set_config(n, nic);
	n->d.ops = &net_ops;
	n->d.features = p->features | BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) |
			BIT(VIRTIO_NET_F_MRG_RXBUF) | (nic->mtu ? BIT(VIRTIO_NET_F_MTU) : 0);
	if (limit_init(&n->limit[RX], l, &nic->rx, rx_opened, e) < 0 ||
	    limit_init(&n->limit[TX], l, &nic->tx, tx_opened, e) < 0) {
		net_destroy(&n->d);
		return NULL;
	}
	if (n->vhost >= 0 && net_vhost_init(n->vhost, &n->vhost_features, e) < 0) {
		net_destroy(&n->d);
		return NULL;
	}
	return &n->d;
}
