/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the network device receives for a driver that is slow or lies: V10, V16 and V17 of
 * reference/threats.md; and its rates.
 */
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
#include "net_fixture.h"

static void frames_come_in_in_as_many_buffers_as_they_need(void **state)
{
	(void)state;
	give_buffers(48, BUF);
	host_sends(100);
	guest_has(100, 1);
	host_sends(BUF - HDR);
	guest_has(BUF - HDR, 1);
	host_sends(BUF - HDR + 1);
	guest_has(BUF - HDR + 1, 2);
	give_buffers(4, BUF);
	host_sends(65000);
	guest_has(65000, 32);
	assert_int_equal(net_count()->rx_packets, 4);
	assert_int_equal(net_count()->rx_dropped, 0);
	assert_int_equal(drv_waiting(&rx), 0);
}

/* V17: no buffers: the tap keeps what it has. Later all of it comes. */
static void without_buffers_the_tap_is_not_read(void **state)
{
	unsigned n = 0, i;

	(void)state;
	memset(frame, 0, HDR + 100);
	while (write(wire, frame, HDR + 100) > 0)
		n++;
	for (i = 0; i < 100; i++)
		rig_turn(&rig);
	assert_true(write(wire, frame, HDR + 100) < 0);
	for (i = 0; i < n; i++) {
		give_buffers(1, BUF);
		rig_until(&rig, drv_waiting(&rx) == 1);
		drv_take(&rx);
	}
	assert_int_equal(net_count()->rx_packets, n);
	assert_int_equal(net_count()->rx_dropped, 0);
	net_goes_on();
}

/* Fewer buffers than the largest frame needs: what fits goes in, what does not waits. */
static void few_buffers_are_enough_for_small_frames(void **state)
{
	(void)state;
	give_buffers(2, BUF);
	host_sends(1000);
	guest_has(1000, 1);
	host_sends(5000); /* needs three, one is there */
	assert_int_equal(drv_waiting(&rx), 0);
	host_sends(20);
	assert_int_equal(drv_waiting(&rx), 0);
	give_buffers(1, BUF);
	assert_int_equal(drv_waiting(&rx), 0);
	give_buffers(1, BUF);
	guest_has(5000, 3);
	give_buffers(1, BUF);
	guest_has(20, 1);
	assert_int_equal(net_count()->rx_dropped, 0);
}

/* All that the guest can give is not enough: the frame is dropped, the next one comes. */
static void frames_larger_than_the_ring_are_dropped(void **state)
{
	(void)state;
	net_start(OFFLOADS | MERGED, 4);
	give_buffers(4, BUF);
	host_sends(9000);
	assert_int_equal(net_count()->rx_dropped, 1);
	host_sends(8000);
	guest_has(8000, 4);
}

static void without_merging_a_frame_has_one_buffer(void **state)
{
	(void)state;
	net_start(0, SIZE);
	give_buffers(3, 1526);
	host_sends(1514);
	guest_has(1514, 1);
	host_sends(1515); /* truncated: nothing of it is shown */
	assert_int_equal(drv_waiting(&rx), 0);
	assert_int_equal(net_count()->rx_dropped, 1);
	host_sends(20);
	guest_has(20, 1);
}

/* V10: readable, or too small for the header. */
static void wrong_receive_buffers_are_given_back(void **state)
{
	(void)state;
	drv_desc(&rx, 0, RX_DATA, BUF, 0, 0);
	drv_offer(&rx, 0);
	drv_desc(&rx, 1, RX_DATA, HDR - 1, WRITE, 0);
	drv_offer(&rx, 1);
	drv_desc(&rx, 2, RX_DATA, 100, NEXT, 3);
	drv_desc(&rx, 3, RX_DATA, BUF, WRITE, 0);
	drv_offer(&rx, 2);
	drv_kick(&rx);
	assert_int_equal(drv_waiting(&rx), 3);
	assert_int_equal(drv_take(&rx).len, 0);
	assert_int_equal(drv_take(&rx).len, 0);
	assert_int_equal(drv_take(&rx).len, 0);
	host_sends(60);
	assert_int_equal(drv_waiting(&rx), 0);
	drv_desc(&rx, 3, RX_DATA + 3 * BUF, BUF, WRITE, 0);
	drv_offer(&rx, 3);
	drv_kick(&rx);
	guest_has(60, 1);
	net_goes_on();
}

/* Buffers of crumbs: the count of merged buffers is written across them. */
static void buffers_may_be_in_pieces(void **state)
{
	(void)state;
	drv_desc(&rx, 0, RX_DATA, 11, WRITE | NEXT, 1);
	drv_desc(&rx, 1, RX_DATA + 11, 1, WRITE | NEXT, 2);
	drv_desc(&rx, 2, RX_DATA + 12, 70000, WRITE, 0);
	drv_offer(&rx, 0);
	drv_kick(&rx);
	host_sends(30000);
	assert_int_equal(drv_waiting(&rx), 1);
	rx.desc[0].addr = RX_DATA; /* it lies there in a row */
	guest_has(30000, 1);
}

/* V16: reset with buffers collected and a frame held. */
static void reset_forgets_the_guests_buffers(void **state)
{
	static const uint8_t zeros[BUF];

	(void)state;
	give_buffers(2, BUF);
	host_sends(5000);
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
	memset(rig_at(&rig, RX_DATA, 2 * BUF), 0, 2 * BUF);
	host_sends(99);
	assert_memory_equal(rig_at(&rig, RX_DATA, BUF), zeros, BUF);
	net_start(OFFLOADS | MERGED, SIZE);
	give_buffers(40, BUF);
	guest_has(99, 1);
	net_goes_on();
}

static void a_tap_that_is_taken_away_is_a_link_that_is_down(void **state)
{
	(void)state;
	give_buffers(40, BUF);
	close_p(&wire);
	rig_turn(&rig);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG + 6, 2), 0);
	assert_true(rig_read(&rig, slot, VIRTIO_MMIO_INTERRUPT_STATUS, 4) & VIRTIO_INT_CONFIG);
	make_frame(HDR + 100);
	send_at(TX_DATA, HDR + 100);
	assert_int_equal(net_count()->tx_dropped, 1);
	assert_int_equal(drv_waiting(&tx), 1);
	net_start(MERGED, SIZE);
	give_buffers(1, BUF);
	net_goes_on();
}

/* 500 KB at 1 MB/s, 100 KB of which may come at once. */
static void rates_hold(void **state)
{
	struct spec_nic nic = a_nic();
	uint64_t begun, took;
	unsigned i, n = 0;

	(void)state;
	nic.tx = (struct spec_limit){ .bytes = 1000000, .bytes_burst = 100000 };
	nic.rx = (struct spec_limit){ .ops = 100, .ops_burst = 10 };
	net_make(&nic);
	net_start(OFFLOADS | MERGED, SIZE);
	make_frame(HDR + 9988);
	begun = now_ns();
	for (i = 0; i < 50; i++)
		send_at(TX_DATA, HDR + 9988);
	while (n < 50) {
		n += arrives() > 0;
		rig_turn(&rig);
		rig_pause(&rig);
	}
	took = (now_ns() - begun) / 1000000;
	assert_in_range(took, 370, 1000);
	give_buffers(48, BUF);
	begun = now_ns();
	for (i = 0; i < 40; i++)
		host_sends(100);
	rig_until(&rig, net_count()->rx_packets == 40);
	took = (now_ns() - begun) / 1000000;
	assert_in_range(took, 280, 1000);
}

#define T(f) cmocka_unit_test_setup_teardown(f, net_setup, net_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(frames_come_in_in_as_many_buffers_as_they_need),
		T(without_buffers_the_tap_is_not_read),
		T(few_buffers_are_enough_for_small_frames),
		T(frames_larger_than_the_ring_are_dropped),
		T(without_merging_a_frame_has_one_buffer),
		T(wrong_receive_buffers_are_given_back),
		T(buffers_may_be_in_pieces),
		T(reset_forgets_the_guests_buffers),
		T(a_tap_that_is_taken_away_is_a_link_that_is_down),
		cmocka_unit_test_teardown(rates_hold, net_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
