/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network device at a stream socket, whose other end is slow, sends in crumbs, goes away or
 * lies: V17 of reference/threats.md, from the other side.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "net_fixture.h"

#define LENGTH 4u
#define LARGEST 65550u

static uint8_t in[LENGTH + 70000];

static void start(uint16_t rx_size)
{
	struct spec_nic nic = a_nic();

	signal(SIGPIPE, SIG_IGN); /* as vpod-vmm does */
	nic.is_stream = true;
	net_make(&nic);
	net_start(OFFLOADS | MERGED, rx_size);
}

static int setup(void **state)
{
	(void)state;
	start(SIZE);
	return 0;
}

/* A frame of @len bytes as guest_has() expects it. Returns the bytes of it and its length. */
static uint32_t put_frame(uint8_t *to, uint32_t len)
{
	uint32_t i, word = htonl(len);

	memcpy(to, &word, LENGTH);
	for (i = 0; i < len; i++)
		to[LENGTH + i] = (uint8_t)(i * 7 + len);
	return LENGTH + len;
}

static void write_all(const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t done = write(wire, p, n);

		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
		rig_turn(&rig);
	}
}

static void peer_sends(uint32_t len)
{
	write_all(frame, put_frame(frame, len));
}

static void read_whole(uint8_t *to, size_t n)
{
	size_t at = 0;
	unsigned tries;

	for (tries = 0; at < n && tries < 100000; tries++) {
		ssize_t r = read(wire, to + at, n - at);

		at += r > 0 ? (size_t)r : 0;
		if (r <= 0)
			rig_turn(&rig);
	}
	assert_int_equal(at, n);
}

/* The next frame that the peer gets is the guest's one of @len bytes, header included. */
static void peer_has(uint32_t len)
{
	uint32_t word;

	read_whole(in, LENGTH);
	memcpy(&word, in, LENGTH);
	assert_int_equal(ntohl(word), len - HDR);
	read_whole(in, len - HDR);
	assert_memory_equal(in, (uint8_t *)rig_at(&rig, TX_DATA, len) + HDR, len - HDR);
}

static bool is_up(void)
{
	return rig_read(&rig, slot, VIRTIO_MMIO_CONFIG + 6, 2) == VIRTIO_NET_S_LINK_UP;
}

/* Nothing keeps the loop busy: a pause of it lasts until it is over. */
static void loop_is_quiet(void)
{
	unsigned i, woken = 0;

	for (i = 0; i < 20; i++) {
		struct epoll_event ev;

		rig_turn(&rig);
		woken += epoll_wait(rig.m.loop.epfd, &ev, 1, 5) > 0;
	}
	assert_true(woken <= 2);
}

static void frames_go_out_behind_their_length(void **state)
{
	static const uint32_t lens[] = { HDR + ETH, HDR + 60, HDR + 1514, HDR + LARGEST };
	unsigned i;

	(void)state;
	for (i = 0; i < nitems(lens); i++) {
		make_frame(lens[i]);
		send_at(TX_DATA, lens[i]);
		peer_has(lens[i]);
	}
	assert_int_equal(net_count()->tx_packets, nitems(lens));
	assert_int_equal(drv_waiting(&tx), nitems(lens));
}

static void a_frame_in_pieces_goes_out_whole(void **state)
{
	unsigned i, n = HDR + 40;

	(void)state;
	make_frame(n);
	for (i = 0; i < n; i++)
		drv_desc(&tx, i, TX_DATA + i, 1, i == n - 1 ? 0 : NEXT, i + 1);
	drv_offer(&tx, 0);
	drv_kick(&tx);
	peer_has(n);
}

static void no_offload_is_offered_or_taken(void **state)
{
	struct virtio_net_hdr_v1 h = { .flags = 1, .csum_start = 34, .csum_offset = 16 };

	(void)state;
	assert_int_equal(rig.m.devs[slot]->features & OFFLOADS, 0);
	assert_true(rig.m.devs[slot]->features & BIT(VIRTIO_NET_F_STATUS));
	memcpy(make_frame(HDR + 100), &h, HDR);
	send_at(TX_DATA, HDR + 100);
	h = (struct virtio_net_hdr_v1){ .gso_type = 1, .gso_size = 1000 };
	memcpy(make_frame(HDR + 100), &h, HDR);
	send_at(TX_DATA, HDR + 100);
	make_frame(HDR + 100)[HDR + 6] ^= 0x40;
	send_at(TX_DATA, HDR + 100);
	assert_int_equal(net_count()->tx_malformed, 2);
	assert_int_equal(net_count()->tx_spoofed, 1);
	make_frame(HDR + 64);
	send_at(TX_DATA, HDR + 64);
	peer_has(HDR + 64);
}

/* What the socket took of a frame is followed by the rest, and then by the next. */
static void a_full_socket_makes_the_queue_wait(void **state)
{
	unsigned i;

	(void)state;
	make_frame(HDR + 61001);
	for (i = 0; i < SIZE; i++)
		send_at(TX_DATA, HDR + 61001);
	assert_true(drv_waiting(&tx) < SIZE);
	loop_is_quiet();
	for (i = 0; i < SIZE; i++)
		peer_has(HDR + 61001);
	rig_until(&rig, drv_waiting(&tx) == SIZE);
	assert_int_equal(net_count()->tx_packets, SIZE);
	assert_int_equal(net_count()->tx_dropped, 0);
	loop_is_quiet();
}

/* V16, and the stream is not torn. */
static void reset_keeps_what_was_begun(void **state)
{
	unsigned i, sent;

	(void)state;
	make_frame(HDR + 61001);
	for (i = 0; i < SIZE; i++)
		send_at(TX_DATA, HDR + 61001);
	sent = (unsigned)net_count()->tx_packets;
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
	for (i = 0; i < sent; i++)
		peer_has(HDR + 61001);
	loop_is_quiet();
	assert_true(arrives() < 0);
	net_start(MERGED, SIZE);
	make_frame(HDR + 77);
	send_at(TX_DATA, HDR + 77);
	peer_has(HDR + 77);
}

static void frames_come_in_with_an_empty_header(void **state)
{
	static const uint8_t zeros[HDR - 2];

	(void)state;
	give_buffers(48, BUF);
	peer_sends(60);
	guest_has(60, 1);
	assert_memory_equal(got, zeros, sizeof(zeros));
	peer_sends(1514);
	guest_has(1514, 1);
	assert_memory_equal(got, zeros, sizeof(zeros));
	give_buffers(2, BUF);
	peer_sends(LARGEST);
	guest_has(LARGEST, 33);
	assert_memory_equal(got, zeros, sizeof(zeros));
	assert_int_equal(net_count()->rx_packets, 3);
	assert_int_equal(net_count()->rx_bytes, 60 + 1514 + LARGEST);
}

static void frames_in_crumbs_come_in_whole(void **state)
{
	uint32_t n = put_frame(frame, 60), i;

	(void)state;
	n += put_frame(frame + n, 333);
	give_buffers(48, BUF);
	for (i = 0; i < n; i++)
		write_all(frame + i, 1);
	guest_has(60, 1);
	guest_has(333, 1);
	assert_int_equal(drv_waiting(&rx), 0);
}

/* More than one turn takes, in one read: no event tells of what lies in our buffer. */
static void many_frames_at_once_all_come_in(void **state)
{
	uint32_t n = 0, i;

	(void)state;
	for (i = 0; i < 300; i++)
		n += put_frame(frame + n, 100 + i % 7);
	assert_int_equal(write(wire, frame, n), n);
	for (i = 0; i < 300; i++) {
		if (i % 32 == 0)
			give_buffers(32, BUF);
		rig_until(&rig, drv_waiting(&rx) > 0);
		guest_has(100 + i % 7, 1);
	}
	net_start(OFFLOADS | MERGED, 256); /* and with room for all */
	rx.size = 256;
	n = 0;
	for (i = 0; i < 200; i++)
		n += put_frame(frame + n, 50);
	assert_int_equal(write(wire, frame, n), n);
	give_buffers(200, 512);
	rig_until(&rig, drv_waiting(&rx) == 200);
	loop_is_quiet();
}

/* V17: what the guest has no room for stays in the socket, but for one buffer of ours. */
static void without_buffers_the_socket_is_not_read(void **state)
{
	unsigned n = 0, i, len = put_frame(frame, 1000);

	(void)state;
	for (i = 0; i < 10000 && write(wire, frame, len) == (ssize_t)len; i++)
		n++;
	assert_true(n < 10000);
	loop_is_quiet();
	assert_true(write(wire, frame, len) < (ssize_t)len);
	for (i = 0; i < n; i++) {
		give_buffers(1, BUF);
		rig_until(&rig, drv_waiting(&rx) == 1);
		guest_has(1000, 1);
	}
	assert_int_equal(net_count()->rx_dropped, 0);
	assert_true(is_up());
}

static void a_frame_waits_for_enough_buffers(void **state)
{
	(void)state;
	give_buffers(2, BUF);
	peer_sends(5000);
	assert_int_equal(drv_waiting(&rx), 0);
	give_buffers(1, BUF);
	guest_has(5000, 3);
}

/* No merging: one buffer for each, and what does not fit is dropped. */
static void without_merging_a_frame_has_one_buffer(void **state)
{
	(void)state;
	net_start(0, SIZE);
	give_buffers(3, 1526);
	peer_sends(1514);
	guest_has(1514, 1);
	peer_sends(1515);
	assert_int_equal(drv_waiting(&rx), 0);
	assert_int_equal(net_count()->rx_dropped, 1);
	peer_sends(20);
	guest_has(20, 1);
}

static void what_is_no_frame_is_dropped(void **state)
{
	uint32_t i;

	(void)state;
	give_buffers(48, BUF);
	for (i = 0; i < ETH; i++)
		peer_sends(i);
	assert_int_equal(drv_waiting(&rx), 0);
	assert_int_equal(net_count()->rx_dropped, ETH);
	peer_sends(ETH);
	guest_has(ETH, 1);
	assert_true(is_up());
}

/* A flood of nothing ends each turn in time, and all of it. */
static void empty_frames_do_not_keep_the_loop(void **state)
{
	uint64_t before = 0;
	unsigned i;

	(void)state;
	give_buffers(48, BUF);
	memset(frame, 0, sizeof(frame));
	assert_int_equal(write(wire, frame, 4 * 16000), 4 * 16000);
	for (i = 0; i < 10000 && net_count()->rx_dropped < 16000; i++) {
		rig_turn(&rig);
		assert_true(net_count()->rx_dropped - before <= 128);
		before = net_count()->rx_dropped;
	}
	assert_int_equal(net_count()->rx_dropped, 16000);
	loop_is_quiet();
}

static void link_goes_down(void)
{
	rig_until(&rig, !is_up());
	assert_true(rig_read(&rig, slot, VIRTIO_MMIO_INTERRUPT_STATUS, 4) & VIRTIO_INT_CONFIG);
	make_frame(HDR + 100);
	send_at(TX_DATA, HDR + 100);
	assert_true(net_count()->tx_dropped >= 1);
	loop_is_quiet();
	net_start(MERGED, SIZE); /* nor does a new driver bring it up */
	give_buffers(1, BUF);
	make_frame(HDR + 100);
	send_at(TX_DATA, HDR + 100);
	assert_false(is_up());
	assert_int_equal(drv_waiting(&tx), 1);
	loop_is_quiet();
	net_goes_on();
}

static void a_length_that_cannot_be_takes_the_link_down(void **state)
{
	static const uint32_t bad[] = { LARGEST + 1, 0x00ffffff, 0x7fffffff,
					0x80000000,  0xfffffff0, 0xffffffff };
	unsigned i;

	for (i = 0; i < nitems(bad); i++) {
		uint32_t n = put_frame(frame, 60), word = htonl(bad[i]);

		memcpy(frame + n, &word, LENGTH);
		give_buffers(48, BUF);
		write_all(frame, n + 2000);
		guest_has(60, 1); /* what came before is good */
		link_goes_down();
		net_teardown(state);
		start(SIZE);
	}
}

static void a_peer_that_goes_takes_the_link_down(void **state)
{
	(void)state;
	give_buffers(48, BUF);
	peer_sends(60);
	write_all((const uint8_t *)"\0\0\1", 3); /* in the middle of a length */
	close_p(&wire);
	link_goes_down();
}

static void a_peer_that_goes_while_frames_wait_takes_the_link_down(void **state)
{
	unsigned i;

	(void)state;
	make_frame(HDR + 61001);
	for (i = 0; i < SIZE; i++)
		send_at(TX_DATA, HDR + 61001);
	close_p(&wire);
	link_goes_down();
}

/* It stays, but takes no more: the socket is always writable, and writing fails. */
static void a_peer_that_stops_reading_takes_the_link_down(void **state)
{
	unsigned i;

	(void)state;
	make_frame(HDR + 61001);
	for (i = 0; i < SIZE; i++)
		send_at(TX_DATA, HDR + 61001);
	assert_int_equal(shutdown(wire, SHUT_RD), 0);
	loop_is_quiet();
	while (arrives() > 0) /* what was under way makes room */
		;
	link_goes_down();
}

static void a_peer_that_stops_writing_takes_the_link_down(void **state)
{
	(void)state;
	give_buffers(4, BUF);
	assert_int_equal(shutdown(wire, SHUT_WR), 0);
	link_goes_down();
}

static void what_is_no_stream_is_refused(void **state)
{
	struct err e;
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), 0);
	assert_null(net_stream_new(sv[0], &e));
	assert_non_null(strstr(e.msg, "as a network stream: not a stream socket"));
	close(sv[0]);
	close(sv[1]);
	sv[0] = open("/dev/null", O_RDWR);
	assert_null(net_stream_new(sv[0], &e));
	assert_non_null(strstr(e.msg, "as a network stream: Socket operation on non-socket"));
	close(sv[0]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, net_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(frames_go_out_behind_their_length),
		T(a_frame_in_pieces_goes_out_whole),
		T(no_offload_is_offered_or_taken),
		T(a_full_socket_makes_the_queue_wait),
		T(reset_keeps_what_was_begun),
		T(frames_come_in_with_an_empty_header),
		T(frames_in_crumbs_come_in_whole),
		T(many_frames_at_once_all_come_in),
		T(without_buffers_the_socket_is_not_read),
		T(a_frame_waits_for_enough_buffers),
		T(without_merging_a_frame_has_one_buffer),
		T(what_is_no_frame_is_dropped),
		T(empty_frames_do_not_keep_the_loop),
		T(a_length_that_cannot_be_takes_the_link_down),
		T(a_peer_that_goes_takes_the_link_down),
		T(a_peer_that_goes_while_frames_wait_takes_the_link_down),
		T(a_peer_that_stops_reading_takes_the_link_down),
		T(a_peer_that_stops_writing_takes_the_link_down),
		cmocka_unit_test(what_is_no_stream_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
