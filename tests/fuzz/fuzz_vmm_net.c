/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network device between a driver that does anything and a wire, as a tap or a stream.  What
 * reaches the wire has the NIC's address, a length that can be, and a header that the host's kernel
 * can use; a stream's other end may do anything, too.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <linux/virtio_net.h>
#include <sys/socket.h>

#include "vmm/virtio/net.h"
#include "vmm_input.h"

#define HDR sizeof(struct virtio_net_hdr_v1)
#define OFFLOADS \
	(1ull << 0 | 1ull << 1 | 1ull << 7 | 1ull << 8 | 1ull << 11 | 1ull << 12 | 7ull << 54)

static struct vmm_rig rig;
static struct drvq q[2];
static int ours, wire;
static bool is_stream;
static uint8_t got[80000];
static size_t nr_got; /* of a stream: bytes of a frame that is not whole */
static const struct spec_nic nic = {
	.has_mac = true, .mac = { 2, 1, 2, 3, 4, 5 }, .mtu = 1500, .vhost = { .fd = -1 }
};

static struct net_peer *as_tap(int fd)
{
	static struct net_peer_ops ops;
	struct net_peer *p = calloc(1, sizeof(*p));

	check(p != NULL);
	ops = tap_ops;
	ops.set_offloads = NULL;
	*p = (struct net_peer){ .ops = &ops, .fd = fd, .features = OFFLOADS };
	return p;
}

static void make(void)
{
	struct virtio_dev *d;
	struct net_peer *p;
	struct err e;
	int sv[2];

	signal(SIGPIPE, SIG_IGN);
	check(socketpair(AF_UNIX, (is_stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_NONBLOCK, 0,
			 sv) == 0);
	ours = sv[0];
	wire = sv[1];
	nr_got = 0;
	p = is_stream ? net_stream_new(ours, &e) : as_tap(ours);
	check(p != NULL);
	rig_init(&rig, RIG_MEMORY);
	d = net_new(&nic, p, &rig.m.loop, &e);
	check(d != NULL);
	rig_add(&rig, d);
}

/* Whole frames behind their lengths. Returns the bytes of them. */
static size_t check_frames(void)
{
	size_t at = 0;
	uint32_t len;

	while (nr_got - at >= sizeof(len)) {
		memcpy(&len, got + at, sizeof(len));
		len = ntohl(len);
		check(len >= 14 && len <= 65550);
		if (nr_got - at - sizeof(len) < len)
			break;
		check(memcmp(got + at + sizeof(len) + 6, nic.mac, 6) == 0);
		at += sizeof(len) + len;
	}
	return at;
}

static void check_stream(void)
{
	ssize_t n;

	while ((n = read(wire, got + nr_got, sizeof(got) - nr_got)) > 0) {
		size_t done;

		nr_got += (size_t)n;
		done = check_frames();
		nr_got -= done;
		memmove(got, got + done, nr_got);
	}
}

static void check_wire(void)
{
	struct virtio_net_hdr_v1 h;
	ssize_t n;

	if (is_stream) {
		check_stream();
		return;
	}
	while ((n = read(wire, got, sizeof(got))) > 0) {
		size_t len = (size_t)n - HDR;

		check(n >= (ssize_t)HDR + 14 && len <= 65550);
		check(memcmp(got + HDR + 6, nic.mac, 6) == 0);
		memcpy(&h, got, HDR);
		check(!(h.flags & ~1) && h.num_buffers == 0);
		check(!h.flags || (size_t)h.csum_start + h.csum_offset + 2 <= len);
		check(h.gso_type == 0 || h.gso_type == 1 || h.gso_type == 4 || h.gso_type == 5);
		check(!h.gso_type || (h.flags && h.gso_size && h.hdr_len <= len));
		check(h.gso_type == 5 || !h.gso_type || h.gso_size >= 48);
	}
}

/* A frame of a sensible form, with a header of the input's. */
static void send_frame(struct input *in)
{
	struct virtio_net_hdr_v1 h = { 0 };
	uint8_t *p = rig_at(&rig, RIG_DATA + 0x10000, 70000);
	uint32_t len = (uint32_t)take(in, 2) + 26;

	h.flags = (uint8_t)take(in, 1);
	h.gso_type = (uint8_t)take(in, 1);
	h.hdr_len = (uint16_t)take(in, 1);
	h.gso_size = (uint16_t)take(in, 2);
	h.csum_start = (uint16_t)take(in, 2);
	h.csum_offset = (uint16_t)take(in, 1);
	memcpy(p, &h, HDR);
	memcpy(p + HDR + 6, nic.mac, 6);
	drv_desc(&q[1], 0, RIG_DATA + 0x10000, 20, VRING_DESC_F_NEXT, 1);
	drv_desc(&q[1], 1, RIG_DATA + 0x10000 + 20, len - 20, 0, 0);
	drv_offer(&q[1], 0);
	drv_kick(&q[1]);
}

/* A stream's: a length, mostly that of what comes, the input's bytes, or its end. */
static void wire_says(struct input *in)
{
	static uint8_t frame[66000];
	uint64_t kind = take(in, 1);
	size_t n = take(in, 2), some;
	uint32_t len = htonl(kind & 8 ? (uint32_t)take(in, 4) : (uint32_t)n);

	some = n < in->n ? n : in->n;

	if (is_stream && kind == 0xff) {
		shutdown(wire, in->n & 1 ? SHUT_WR : SHUT_RDWR);
	} else if (is_stream && kind & 1) {
		(void)!write(wire, in->p, some);
		(void)take(in, some < 8 ? some : 8);
	} else {
		memcpy(frame, &len, is_stream ? sizeof(len) : 0);
		(void)!write(wire, frame, is_stream ? n + sizeof(len) : n);
	}
	rig_turn(&rig);
}

static void step(struct input *in)
{
	uint64_t what = take(in, 1);

	switch (what >> 1 & 7) {
	case 5:
		send_frame(in);
		break;
	case 6: /* from the wire */
		wire_says(in);
		break;
	case 7:
		if (what == 0xff) {
			drv_negotiate(&rig, 0, take(in, 8));
			drv_queue(&q[0], &rig, 0, 0, 32);
			drv_queue(&q[1], &rig, 0, 1, 32);
			drv_ok(&rig, 0);
		}
		break;
	default:
		ring_step(in, &q[what & 1]);
	}
	check_wire();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	const struct net_counters *c;
	uint64_t features = take(&in, 8);
	unsigned i;

	is_stream = features >> 63;
	make();
	c = net_counters(rig.m.devs[0]);
	drv_negotiate(&rig, 0, features);
	for (i = 0; i < 2; i++)
		drv_queue(&q[i], &rig, 0, i, 32);
	drv_ok(&rig, 0);
	for (i = 0; in.n && i < 200 && !rig.m.end; i++)
		step(&in);
	rig_write(&rig, 0, VIRTIO_MMIO_STATUS, 0, 4);
	check_wire();
	check(rig.m.end == END_NONE || rig.m.end == END_VIOLATION);
	check(c->tx_bytes <= c->tx_packets * 65550);
	rig_free(&rig);
	close(wire);
	close(ours);
	return 0;
}
