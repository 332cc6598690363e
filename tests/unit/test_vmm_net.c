/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the network device sends for a driver that lies: V10, V11, V17 and V20 of
 * reference/threats.md.
 */

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "net_fixture.h"

static void config_tells_address_link_and_mtu(void **state)
{
	uint64_t v = rig_read(&rig, slot, VIRTIO_MMIO_CONFIG, 8);

	(void)state;
	assert_memory_equal(&v, mac, 6);
	assert_int_equal(v >> 48, VIRTIO_NET_S_LINK_UP);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG + 10, 2), 1400);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG + 12, 4), 0); /* V14: the end */
}

static void a_nic_without_address_gets_one(void **state)
{
	struct spec_nic nic = { .vhost = { .fd = -1 } };
	uint64_t v;

	(void)state;
	net_make(&nic);
	v = rig_read(&rig, slot, VIRTIO_MMIO_CONFIG, 8);
	assert_int_equal(v & 3, 2); /* local, of one station */
	assert_true((v & 0xffffffffff00) != 0);
}

static void a_frame_goes_out_as_it_is(void **state)
{
	uint8_t *p = make_frame(HDR + 600);

	(void)state;
	send_at(TX_DATA, HDR + 600);
	assert_int_equal(arrives(), HDR + 600);
	assert_memory_equal(got, p, HDR + 600);
	assert_int_equal(drv_waiting(&tx), 1);
	assert_int_equal(net_count()->tx_packets, 1);
	assert_int_equal(net_count()->tx_bytes, 600);
}

/* V20: one byte in each buffer. */
static void a_frame_in_crumbs_goes_out_whole(void **state)
{
	uint8_t *p = make_frame(HDR + 40);
	unsigned i, n = HDR + 40;

	(void)state;
	for (i = 0; i < n; i++)
		drv_desc(&tx, i, TX_DATA + i, 1, i == n - 1 ? 0 : NEXT, i + 1);
	drv_offer(&tx, 0);
	drv_kick(&tx);
	assert_int_equal(arrives(), n);
	assert_memory_equal(got, p, n);
	net_goes_on();
}

static void segmentation_is_left_to_the_host(void **state)
{
	static const struct virtio_net_hdr_v1 good[] = {
		{ .flags = 1, .csum_start = 34, .csum_offset = 16 },
		{ .flags = 1, .gso_type = 1, .gso_size = 1448, .hdr_len = 54, .csum_start = 34 },
		{ .flags = 1, .gso_type = 4, .gso_size = 1428, .hdr_len = 74, .csum_start = 54 },
		{ .flags = 1, .gso_type = 5, .gso_size = 1200, .hdr_len = 42, .csum_start = 34 },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < nitems(good); i++) {
		memcpy(make_frame(HDR + 65000), &good[i], HDR);
		send_at(TX_DATA, HDR + 65000);
		assert_int_equal(arrives(), HDR + 65000);
		assert_memory_equal(got, &good[i], HDR);
	}
	assert_int_equal(net_count()->tx_malformed, 0);
}

/* V20: dropped and counted. */
static void headers_that_cannot_be_are_dropped(void **state)
{
	static const struct virtio_net_hdr_v1 bad[] = {
		{ .flags = 1, .csum_start = 99 },
		{ .flags = 1, .csum_start = 65535, .csum_offset = 65535 },
		{ .flags = 1, .csum_start = 60, .csum_offset = 39 },
		{ .gso_type = 1, .gso_size = 1000 },
		{ .flags = 1, .gso_type = 1 },
		{ .flags = 1, .gso_type = 1, .gso_size = 47 },
		{ .flags = 1, .gso_type = 4, .gso_size = 1 },
		{ .flags = 1, .gso_type = 1, .gso_size = 1000, .hdr_len = 101 },
		{ .flags = 1, .gso_type = 0x81, .gso_size = 1000 }, /* ECN was not offered */
		{ .flags = 1, .gso_type = 0x80, .gso_size = 1000 },
		{ .flags = 1, .gso_type = 2, .gso_size = 1000 },
		{ .flags = 1, .gso_type = 3, .gso_size = 1000 }, /* UFO neither */
		{ .flags = 1, .gso_type = 6, .gso_size = 1000 },
		{ .flags = 1, .gso_type = 0x7f, .gso_size = 1000 },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < nitems(bad); i++) {
		memcpy(make_frame(HDR + 100), &bad[i], HDR);
		send_at(TX_DATA, HDR + 100);
		assert_int_equal(net_count()->tx_malformed, i + 1);
	}
	memcpy(make_frame(HDR + 65000),
	       &(struct virtio_net_hdr_v1){ .flags = 1, .gso_type = 5, .gso_size = 100 }, HDR);
	send_at(TX_DATA, HDR + 65000); /* 650 datagrams of one */
	assert_int_equal(net_count()->tx_malformed, i + 1);
	assert_int_equal(drv_waiting(&tx), i + 1); /* all are given back */
	assert_true(arrives() < 0);
	net_goes_on();
}

/* V20: nothing, less than a header, less than Ethernet, more than there can be. */
static void lengths_that_cannot_be_are_dropped(void **state)
{
	static const uint32_t bad[] = { 0, 1, 11, 12, 13, 25, HDR + 65551, 0x100000 };
	unsigned i;

	(void)state;
	make_frame(HDR + 100);
	for (i = 0; i < nitems(bad); i++)
		send_at(TX_DATA, bad[i]);
	assert_int_equal(net_count()->tx_malformed, nitems(bad));
	send_at(TX_DATA, HDR + ETH);
	assert_int_equal(arrives(), HDR + ETH);
	send_at(TX_DATA, HDR + 65550);
	assert_int_equal(arrives(), HDR + 65550);
	assert_true(arrives() < 0);
	net_goes_on();
}

static void offloads_not_negotiated_are_dropped(void **state)
{
	static const struct virtio_net_hdr_v1 h[] = {
		{ .flags = 1, .csum_start = 34 },
		{ .flags = 1, .gso_type = 1, .gso_size = 1000 },
		{ .flags = 1, .gso_type = 5, .gso_size = 1000 },
	};
	unsigned i;

	(void)state;
	net_start(MERGED, SIZE);
	for (i = 0; i < nitems(h); i++) {
		memcpy(make_frame(HDR + 100), &h[i], HDR);
		send_at(TX_DATA, HDR + 100);
	}
	assert_int_equal(net_count()->tx_malformed, nitems(h));
	assert_true(arrives() < 0);
}

/* What means nothing does not reach the host's kernel. */
static void stray_bits_of_the_header_are_cleared(void **state)
{
	static const struct virtio_net_hdr_v1 h = { .flags = 0xfe,
						    .hdr_len = 65535,
						    .gso_size = 99,
						    .csum_start = 65535,
						    .csum_offset = 9,
						    .num_buffers = 77 };
	static const uint8_t zeros[HDR];

	(void)state;
	memcpy(make_frame(HDR + 100), &h, HDR);
	send_at(TX_DATA, HDR + 100);
	assert_int_equal(arrives(), HDR + 100);
	assert_memory_equal(got, zeros, HDR);
}

/* V20: spoofed source. */
static void another_stations_address_is_dropped(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		make_frame(HDR + 100)[HDR + 6 + i] ^= 0x40;
		send_at(TX_DATA, HDR + 100);
	}
	assert_int_equal(net_count()->tx_spoofed, 6);
	assert_true(arrives() < 0);
	net_goes_on();
}

/* V10: a writable buffer, in front or behind. */
static void requests_with_writable_buffers_are_dropped(void **state)
{
	(void)state;
	make_frame(HDR + 100);
	drv_desc(&tx, 0, TX_DATA, HDR + 100, NEXT, 1);
	drv_desc(&tx, 1, TX_DATA, 100, WRITE, 0);
	drv_offer(&tx, 0);
	drv_desc(&tx, 2, TX_DATA, 100, WRITE | NEXT, 3);
	drv_desc(&tx, 3, TX_DATA, HDR + 100, 0, 0);
	drv_offer(&tx, 2);
	drv_kick(&tx);
	assert_int_equal(net_count()->tx_malformed, 2);
	assert_int_equal(drv_waiting(&tx), 2);
	assert_true(arrives() < 0);
}

static bool racing;

/* Another vCPU: turns good headers into bad ones and back. */
static void *flip(void *arg)
{
	volatile uint8_t *p = arg;

	while (__atomic_load_n(&racing, __ATOMIC_RELAXED)) {
		p[HDR + 6] ^= 0x40; /* source */
		p[0] ^= 1;	    /* checksum, ... */
		p[7] ^= 0xff;	    /* ... far away */
		p[1] ^= 0x7f;	    /* segmentation */
	}
	return NULL;
}

/* V11: whatever the guest changes meanwhile, what arrives was checked. */
static void nothing_changes_between_check_and_use(void **state)
{
	uint8_t *p = make_frame(HDR + 100);
	unsigned i, n = 0;
	pthread_t t;

	(void)state;
	racing = true;
	assert_int_equal(pthread_create(&t, NULL, flip, p), 0);
	for (i = 0; i < 30000; i++) {
		send_at(TX_DATA, HDR + 100);
		while (arrives() > 0) {
			const struct virtio_net_hdr_v1 *h = (const void *)got;

			n++;
			assert_memory_equal(got + HDR + 6, mac, 6);
			assert_true(!h->flags || h->csum_start + h->csum_offset + 2 <= 100);
			assert_int_equal(h->gso_type, 0);
		}
	}
	__atomic_store_n(&racing, false, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	assert_int_equal(net_count()->tx_packets, n);
	assert_int_equal(n + net_count()->tx_malformed + net_count()->tx_spoofed, 30000);
	net_goes_on();
}

static void a_full_tap_makes_the_queue_wait(void **state)
{
	unsigned i;

	(void)state;
	make_frame(HDR + 60000);
	for (i = 0; i < SIZE; i++)
		send_at(TX_DATA, HDR + 60000);
	assert_true(drv_waiting(&tx) < SIZE);
	assert_int_equal(net_count()->tx_dropped, 0);
	for (i = 0; i < SIZE;) {
		if (arrives() > 0)
			i++;
		else
			rig_turn(&rig);
	}
	rig_until(&rig, drv_waiting(&tx) == SIZE);
	assert_int_equal(net_count()->tx_packets, SIZE);
}

/* V17: a driver that never lets the queue run dry. */
static void a_flood_leaves_the_turn_to_others(void **state)
{
	uint64_t before = 0;
	unsigned i;

	(void)state;
	for (i = 0; i < SIZE; i++) {
		drv_desc(&tx, i, TX_DATA, 5, 0, 0);
		tx.avail->ring[i] = (uint16_t)i;
	}
	for (i = 0; i < 1000; i++) {
		tx.avail->idx = (uint16_t)(tx.used->idx + SIZE);
		drv_kick(&tx);
		assert_true(net_count()->tx_malformed - before <= 2 * SIZE);
		before = net_count()->tx_malformed;
	}
	net_goes_on();
}

#define T(f) cmocka_unit_test_setup_teardown(f, net_setup, net_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(config_tells_address_link_and_mtu),
		cmocka_unit_test_teardown(a_nic_without_address_gets_one, net_teardown),
		T(a_frame_goes_out_as_it_is),
		T(a_frame_in_crumbs_goes_out_whole),
		T(segmentation_is_left_to_the_host),
		T(headers_that_cannot_be_are_dropped),
		T(lengths_that_cannot_be_are_dropped),
		T(offloads_not_negotiated_are_dropped),
		T(stray_bits_of_the_header_are_cleared),
		T(another_stations_address_is_dropped),
		T(requests_with_writable_buffers_are_dropped),
		T(nothing_changes_between_check_and_use),
		T(a_full_tap_makes_the_queue_wait),
		T(a_flood_leaves_the_turn_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
