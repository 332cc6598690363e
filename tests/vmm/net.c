/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network interface, seen from a guest: a frame each way, segmentation left to the host both
 * ways, and frames that must not reach the wire.  tests/vmm/net.t is the other end.  The command
 * line "t" only sends, as fast as it can: for measurements.  At a stream, "s" sends back what comes
 * until that is "the end" and then waits for the link to go down, and "a" asks for an address.
 */
#include "lib.h"

#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>

#define HDR sizeof(struct virtio_net_hdr_v1)
#define ETH 14u
#define TCP_HEAD 54u
#define PAYLOAD 20000u
#define RX_BUF 2048u
#define NR_RX 48u
#define NR_FLOOD 32768u

static unsigned slot;
static struct queue rx, tx;
static uint8_t *rx_buf;
static uint8_t mac[6];

static const char *const cmdline = (const char *)0x20000;

struct frame {
	struct virtio_net_hdr_v1 h;
	uint8_t eth[ETH];
	uint8_t data[PAYLOAD + 65536];
} __attribute__((packed));

static struct frame *f;

static void give_buffer(unsigned i)
{
	queue_desc(&rx, i, rx_buf + i * RX_BUF, RX_BUF, VRING_DESC_F_WRITE, 0);
	queue_offer(&rx, (uint16_t)i);
}

#define OFFLOADS                                                       \
	(1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_GUEST_CSUM | \
	 1ull << VIRTIO_NET_F_HOST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_TSO4)

static void start(bool is_stream)
{
	uint64_t wanted = 1ull << VIRTIO_NET_F_MRG_RXBUF | 1ull << VIRTIO_NET_F_MAC |
			  1ull << VIRTIO_NET_F_STATUS | 1ull << VIRTIO_NET_F_MTU;
	unsigned i;

	slot = find_device(VIRTIO_ID_NET, 0);
	if (!is_stream)
		wanted |= OFFLOADS;
	else if (features_get(slot) & OFFLOADS)
		fail("a stream with offloads");
	if ((features_get(slot) & wanted) != wanted)
		fail("features are missing");
	driver_start(slot, wanted);
	for (i = 0; i < 6; i++)
		mac[i] = config_get(slot, i);
	if (config_get(slot, 6) != VIRTIO_NET_S_LINK_UP || config_get(slot, 10) != (1400 & 255))
		fail("not the status or the MTU");
	queue_init(&rx, slot, 0, 64);
	queue_init(&tx, slot, 1, 64);
	rx_buf = alloc((size_t)NR_RX * RX_BUF);
	f = alloc(sizeof(*f));
	driver_ok(slot);
	for (i = 0; i < NR_RX; i++)
		give_buffer(i);
	queue_kick(&rx);
}

/* A frame with @text, to everybody. */
static void make_frame(const char *text)
{
	memset(f, 0, HDR + ETH + 60);
	memset(f->eth, 0xff, 6);
	memcpy(f->eth + 6, mac, 6);
	f->eth[12] = 0x88; /* IEEE 802: local experiments */
	f->eth[13] = 0xb5;
	memcpy(f->data, text, 16);
}

static void send_frame(uint32_t len)
{
	queue_send(&tx, f, len, NULL, 0);
	queue_wait(&tx, NULL);
}

/* TCP over IPv4 in one frame of PAYLOAD bytes, segments to be of 1000. */
static void make_tcp(void)
{
	uint32_t total = 40 + PAYLOAD;

	make_frame("");
	f->eth[12] = 0x08;
	f->eth[13] = 0;
	f->data[0] = 0x45;
	f->data[2] = (uint8_t)(total >> 8);
	f->data[3] = (uint8_t)total;
	f->data[8] = 64;
	f->data[9] = 6;
	f->data[12] = f->data[16] = 10;
	f->data[32] = 0x50; /* data offset */
	f->h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	f->h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	f->h.hdr_len = TCP_HEAD;
	f->h.gso_size = 1000;
	f->h.csum_start = 34;
	f->h.csum_offset = 16;
}

/* The next frame, however many buffers it lies in: copied to @to. Returns its length. */
static uint32_t receive(uint8_t *to, struct virtio_net_hdr_v1 *h)
{
	uint32_t at = 0, nr = 1, i, len;
	uint16_t head;

	for (i = 0; i < nr; i++) {
		len = queue_wait(&rx, &head);
		memcpy(to + at, rx_buf + head * RX_BUF, len);
		at += len;
		if (!i) {
			memcpy(h, to, HDR);
			nr = h->num_buffers;
		}
		give_buffer(head);
	}
	queue_kick(&rx);
	return at;
}

static void both_ways(void)
{
	static uint8_t got[PAYLOAD + 4096];
	struct virtio_net_hdr_v1 h;
	uint32_t n;

	make_frame("from the guest  ");
	send_frame(HDR + 60);
	n = receive(got, &h);
	if (n != HDR + 60 || h.gso_type || h.num_buffers != 1 || !same(got + HDR, mac, 6) ||
	    !same(got + HDR + ETH, "from the host   ", 16))
		fail("not the host's frame");
	make_tcp();
	send_frame(HDR + TCP_HEAD + PAYLOAD);
	n = receive(got, &h);
	if (n != HDR + TCP_HEAD + PAYLOAD || h.gso_type != VIRTIO_NET_HDR_GSO_TCPV4 ||
	    h.gso_size != 1000 || !(h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || h.num_buffers != 10)
		fail("not the host's large frame");
	for (n = 0; n < PAYLOAD; n += 997) {
		if (got[HDR + TCP_HEAD + n] != 'x')
			fail("the host's large frame is not whole");
	}
}

/* V20: none may arrive. */
static void lies(void)
{
	static const struct virtio_net_hdr_v1 bad[] = {
		{ .gso_type = 1, .gso_size = 1000 },		    /* no checksum asked for */
		{ .flags = 1, .csum_start = 65535 },		    /* beyond the frame */
		{ .flags = 1, .csum_start = 50, .csum_offset = 9 }, /* by one byte */
		{ .flags = 1, .gso_type = 1, .gso_size = 0 },	    /* no segment */
		{ .flags = 1, .gso_type = 1, .gso_size = 1 },	    /* one byte each */
		{ .flags = 1, .gso_type = 4, .gso_size = 1000 },    /* not negotiated */
		{ .flags = 1, .gso_type = 0x81, .gso_size = 1000 }, /* not negotiated */
		{ .flags = 1, .gso_type = 3, .gso_size = 1000 },    /* unknown */
		{ .flags = 1, .gso_type = 1, .gso_size = 99, .hdr_len = 999 }, /* beyond */
	};
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		make_frame("a bad header    ");
		f->h = bad[i];
		send_frame(HDR + 60);
	}
	make_frame("another's name  ");
	f->eth[11] ^= 1;
	send_frame(HDR + 60);
	make_frame("too short       ");
	send_frame(1);
	send_frame(HDR);
	send_frame(HDR + ETH - 1);
	send_frame(HDR + 65536 + 15);
	make_frame("the end         ");
	send_frame(HDR + 60);
}

static void flood(void)
{
	uint32_t i;

	for (i = 0; i < 64; i++) {
		queue_desc(&tx, i, f, HDR + TCP_HEAD + 60000, 0, 0);
		tx.avail->ring[i] = (uint16_t)i;
	}
	make_tcp();
	f->h.gso_size = 1448;
	f->data[2] = (60040 >> 8);
	f->data[3] = 60040 & 255;
	say("begin\n");
	for (i = 0; i < NR_FLOOD; i += 32) {
		tx.avail->idx = (uint16_t)(tx.avail->idx + 32);
		queue_kick(&tx);
		while ((uint16_t)(tx.avail->idx - tx.used->idx) > 32)
			;
	}
	while (tx.avail->idx != tx.used->idx)
		;
	say("finished\n");
}

/* Each frame goes back to who sent it. */
static void echo(void)
{
	struct virtio_net_hdr_v1 h;
	uint32_t len;

	do {
		len = receive((uint8_t *)f, &h);
		if (h.flags || h.gso_type)
			fail("a header that asks for something");
		memcpy(f->eth, f->eth + 6, 6);
		memcpy(f->eth + 6, mac, 6);
		f->h.num_buffers = 0;
		send_frame(len);
	} while (!same(f->data, "the end", 7));
	while (config_get(slot, 6) == VIRTIO_NET_S_LINK_UP)
		;
	make_frame("into the void   ");
	send_frame(HDR + 60);
}

/* Who has 10.9.0.1?  ARP is answered by passt itself. */
static void ask_address(void)
{
	static const uint8_t arp[] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	static const uint8_t us[] = { 10, 9, 0, 2 }, gateway[] = { 10, 9, 0, 1 };
	struct virtio_net_hdr_v1 h;

	make_frame("");
	f->eth[12] = 8;
	f->eth[13] = 6;
	memcpy(f->data, arp, sizeof(arp));
	memcpy(f->data + 8, mac, 6);
	memcpy(f->data + 14, us, 4);
	memcpy(f->data + 24, gateway, 4);
	send_frame(HDR + 60);
	do
		receive((uint8_t *)f, &h);
	while (f->eth[12] != 8 || f->eth[13] != 6 || f->data[7] != 2);
	if (!same(f->eth, mac, 6) || !same(f->data + 14, gateway, 4) || !same(f->data + 24, us, 4))
		fail("not the answer");
}

void guest_main(void)
{
	start(cmdline[0] == 's' || cmdline[0] == 'a');
	say("ready\n");
	if (cmdline[0] == 's') {
		echo();
		pass();
	}
	if (cmdline[0] == 'a') {
		ask_address();
		pass();
	}
	if (cmdline[0] == 't') {
		flood();
		pass();
	}
	both_ways();
	lies();
	pass();
}
