/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "net_fixture.h"

const uint8_t mac[6] = { 2, 0, 0, 1, 2, 3 };

struct vmm_rig rig;
unsigned slot;
int tap, wire;
struct drvq rx, tx;
uint8_t got[70000], frame[70000];

/* As a tap, but of its offloads nobody is told. */
static struct net_peer *as_tap(int fd)
{
	static struct net_peer_ops ops;
	struct net_peer *p = xcalloc(1, sizeof(*p));

	ops = tap_ops;
	ops.set_offloads = NULL;
	*p = (struct net_peer){ .ops = &ops, .fd = fd, .features = OFFLOADS };
	return p;
}

void net_make(const struct spec_nic *nic)
{
	int type = nic->is_stream ? SOCK_STREAM : SOCK_SEQPACKET, sv[2];
	struct net_peer *p;
	struct virtio_dev *d;
	struct err e;

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, sv), 0);
	tap = sv[0];
	wire = sv[1];
	p = nic->is_stream ? net_stream_new(tap, &e) : as_tap(tap);
	assert_non_null(p);
	rig_init(&rig, RIG_MEMORY);
	d = net_new(nic, p, &rig.m.loop, &e);
	assert_non_null(d);
	slot = rig_add(&rig, d);
}

void net_start(uint64_t features, uint16_t rx_size)
{
	drv_negotiate(&rig, slot, features);
	drv_queue(&rx, &rig, slot, 0, rx_size);
	drv_queue(&tx, &rig, slot, 1, SIZE);
	drv_ok(&rig, slot);
}

struct spec_nic a_nic(void)
{
	struct spec_nic nic = { .has_mac = true, .mtu = 1400, .vhost = { .fd = -1 } };

	memcpy(nic.mac, mac, sizeof(mac));
	return nic;
}

int net_setup(void **state)
{
	struct spec_nic nic = a_nic();

	(void)state;
	net_make(&nic);
	net_start(OFFLOADS | MERGED, SIZE);
	return 0;
}

int net_teardown(void **state)
{
	(void)state;
	rig_free(&rig);
	close_p(&tap);
	close_p(&wire);
	return 0;
}

const struct net_counters *net_count(void)
{
	return net_counters(rig.m.devs[slot]);
}

void net_goes_on(void)
{
	assert_string_equal(rig_violation(&rig), "");
}

uint8_t *make_frame(uint32_t len)
{
	uint8_t *p = rig_at(&rig, TX_DATA, 70000);
	uint32_t i;

	memset(p, 0, HDR);
	for (i = HDR; i < len; i++)
		p[i] = (uint8_t)(i * 13);
	memcpy(p + HDR + 6, mac, 6);
	return p;
}

void send_at(uint64_t gpa, uint32_t len)
{
	uint16_t i = tx.avail->idx % SIZE;

	drv_desc(&tx, i, gpa, len, 0, 0);
	drv_offer(&tx, i);
	drv_kick(&tx);
}

ssize_t arrives(void)
{
	return read(wire, got, sizeof(got));
}

void give_buffers(unsigned n, uint32_t len)
{
	while (n--) {
		uint16_t i = rx.avail->idx % rx.size;

		drv_desc(&rx, i, RX_DATA + i * BUF, len, WRITE, 0);
		drv_offer(&rx, i);
	}
	drv_kick(&rx);
}

void host_sends(uint32_t len)
{
	uint32_t i;

	memset(frame, 0, HDR);
	for (i = 0; i < len; i++)
		frame[HDR + i] = (uint8_t)(i * 7 + len);
	assert_int_equal(write(wire, frame, HDR + len), HDR + len);
	rig_turn(&rig);
}

void guest_has(uint32_t len, unsigned nr)
{
	uint32_t at = 0;
	unsigned i;

	assert_int_equal(drv_waiting(&rx) >= nr, 1);
	for (i = 0; i < nr; i++) {
		struct vring_used_elem u = drv_take(&rx);

		memcpy(got + at, rig_at(&rig, rx.desc[u.id].addr, u.len), u.len);
		at += u.len;
	}
	assert_int_equal(at, HDR + len);
	assert_int_equal(((struct virtio_net_hdr_v1 *)got)->num_buffers, nr);
	for (i = 0; i < len; i++)
		assert_int_equal(got[HDR + i], (uint8_t)(i * 7 + len));
}
