/* SPDX-License-Identifier: Apache-2.0 */
/* The portable parts of vpod-init: its end of the stream, and users of an image. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "guest-init/mux.h"
#include "guest-init/user.h"

#define HDR sizeof(struct proto_hdr)

static struct mux mux;
static int peer, ours;
static unsigned nr_frames;
static size_t frame_bytes;

static void on_frame(void *ctx, const struct proto_hdr *h, const uint8_t *payload)
{
	(void)ctx;
	(void)payload;
	nr_frames++;
	frame_bytes += h->len;
}

static int set_up(void **state)
{
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
	ours = sv[0];
	peer = sv[1];
	nr_frames = 0;
	frame_bytes = 0;
	mux_init(&mux, ours, on_frame, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close_p(&ours);
	close_p(&peer);
	return 0;
}

/* A pipe with @n bytes of a pattern in it, closed behind them. */
static int pattern_pipe(size_t n)
{
	int p[2];

	assert_int_equal(pipe(p), 0);
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)(i * 31);

		assert_int_equal(write(p[1], &c, 1), 1);
	}
	close(p[1]);
	return p[0];
}

/* Checks that the peer gets DATA frames with the pattern from @from on; returns their bytes. */
static size_t take_pattern(size_t from)
{
	uint8_t p[PROTO_MAX_PAYLOAD];
	struct proto_hdr h;
	size_t sum = 0;

	while (recv(peer, &h, HDR, 0) == (ssize_t)HDR) {
		assert_int_equal(h.type, PROTO_DATA);
		assert_int_equal(h.session, 3);
		assert_int_equal(h.stream, PROTO_STDERR);
		assert_true(h.len >= 1 && h.len <= PROTO_MAX_PAYLOAD);
		assert_int_equal(recv(peer, p, h.len, MSG_WAITALL), h.len);
		for (uint32_t i = 0; i < h.len; i++)
			assert_int_equal(p[i], (uint8_t)((from + sum + i) * 31));
		sum += h.len;
	}
	return sum;
}

static void mux_pump_makes_a_batch_of_frames(void **state)
{
	cleanup_close int fd = pattern_pipe(60000);
	size_t sum = 0;
	ssize_t n;

	(void)state;
	while ((n = mux_pump(&mux, fd, 3, PROTO_STDERR, PROTO_WINDOW)) > 0) {
		assert_true((size_t)n <= MUX_BATCH);
		assert_int_equal(mux_flush(&mux), 0);
		assert_false(mux.is_full);
		assert_int_equal(take_pattern(sum), n);
		sum += (size_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(sum, 60000);
}

static void mux_pump_keeps_to_the_credit(void **state)
{
	static const size_t credits[] = { 1, 7, 4095, 4096, 4097, 8192, 10000 };
	cleanup_close int fd = pattern_pipe(60000);
	size_t sum = 0;

	(void)state;
	for (size_t i = 0; i < nitems(credits); i++) {
		assert_int_equal(mux_pump(&mux, fd, 3, PROTO_STDERR, credits[i]), credits[i]);
		assert_int_equal(mux_flush(&mux), 0);
		assert_int_equal(take_pattern(sum), credits[i]);
		sum += credits[i];
	}
}

static void mux_batches_fill_up_exactly(void **state)
{
	cleanup_close int fd = pattern_pipe(60000);
	size_t room;

	(void)state;
	assert_int_equal(mux_pump(&mux, fd, 3, PROTO_STDERR, 5000), 5000);
	while ((room = mux_room(&mux)))
		assert_int_equal(mux_pump(&mux, fd, 3, PROTO_STDERR, room < 3000 ? room : 3000),
				 room < 3000 ? room : 3000);
	assert_true(mux.out_to <= MUX_BATCH);
	assert_true(mux.out_to + HDR >= MUX_BATCH);
	/* control still fits */
	for (unsigned i = 0; i < PROTO_MAX_APPS; i++) {
		struct proto_failed f = { .code = 125 };

		mux_send(&mux, PROTO_FAILED, i, 0, &f, sizeof(f));
	}
	assert_true(mux.out_to >=
		    MUX_BATCH - HDR + PROTO_MAX_APPS * (HDR + sizeof(struct proto_failed)));
}

static void mux_survives_a_full_stream(void **state)
{
	static uint8_t sink[1 << 16];
	cleanup_close int fd = pattern_pipe(60000);
	size_t taken = 0, wrote = 0;
	ssize_t n;
	int size = 4096;

	(void)state;
	assert_int_equal(setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	for (int i = 0; i < 1000 && wrote < 60000; i++) {
		if (mux_room(&mux)) {
			n = mux_pump(&mux, fd, 3, PROTO_STDERR, 9999);
			wrote += n > 0 ? (size_t)n : 0;
		}
		assert_int_equal(mux_flush(&mux), 0);
		n = recv(peer, sink, 777, 0);
		taken += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(wrote, 60000);
	while (mux.is_full || taken < 60000) {
		assert_int_equal(mux_flush(&mux), 0);
		n = recv(peer, sink, sizeof(sink), 0);
		if (n <= 0 && !mux.is_full)
			break;
		taken += n > 0 ? (size_t)n : 0;
	}
	assert_true(taken > 60000 && taken < 60000 + 3000); /* with headers */
}

static void mux_receives_frames_in_any_cut(void **state)
{
	uint8_t all[3 * (HDR + 100)];
	struct proto_hdr h = { .type = PROTO_DATA, .len = 100 };
	struct err e;

	(void)state;
	memset(all, 'x', sizeof(all));
	for (size_t i = 0; i < 3; i++)
		memcpy(all + i * (HDR + 100), &h, HDR);
	for (size_t i = 0; i < sizeof(all); i++) {
		assert_int_equal(write(peer, all + i, 1), 1);
		assert_int_equal(mux_receive(&mux, &e), 0);
	}
	assert_int_equal(nr_frames, 3);
	assert_int_equal(frame_bytes, 300);
}

static void mux_refuses_oversized_frames_and_the_end(void **state)
{
	struct proto_hdr h = { .type = PROTO_DATA, .len = PROTO_MAX_PAYLOAD + 1 };
	struct err e;

	(void)state;
	assert_int_equal(write(peer, &h, HDR), HDR);
	assert_int_equal(mux_receive(&mux, &e), -1);
	assert_non_null(strstr(e.msg, "4097 bytes"));
	mux_init(&mux, ours, on_frame, NULL);
	close_p(&peer);
	assert_int_equal(mux_receive(&mux, &e), -1);
	assert_non_null(strstr(e.msg, "hung up"));
	assert_int_equal(nr_frames, 0);
}

/* ---- users ---------------------------------------------------------------------------------- */

static void user_passwd_is_read_leniently(void **state)
{
	char text[] =
		"# comment\n\nbroken\nroot:x:0:0:root:/root:/bin/sh\n"
		"bad:x:-1:5:::\nhuge:x:99999999999:5:::\nwww:x:33:34:web:/srv:/bin/ash:more\nlast:x:7:8::/:";
	char again[sizeof(text)];
	struct user u = { 0 };

	(void)state;
	memcpy(again, text, sizeof(text));
	assert_int_equal(user_find_passwd(again, "www", 0, &u), 0);
	assert_int_equal(u.uid, 33);
	assert_int_equal(u.gid, 34);
	assert_string_equal(u.home, "/srv");
	memcpy(again, text, sizeof(text));
	assert_int_equal(user_find_passwd(again, NULL, 7, &u), 0);
	assert_string_equal(u.name, "last");
	assert_string_equal(u.shell, "");
	memcpy(again, text, sizeof(text));
	assert_int_equal(user_find_passwd(again, "bad", 0, &u), -1);
	memcpy(again, text, sizeof(text));
	assert_int_equal(user_find_passwd(again, "", 0, &u), -1);
}

static void user_long_fields_are_cut(void **state)
{
	char text[3000];
	struct user u = { 0 };

	(void)state;
	memset(text, 'h', sizeof(text));
	memcpy(text, "w:x:1:2::/", 10);
	memcpy(text + 2900, ":/bin/sh", 9);
	assert_int_equal(user_find_passwd(text, "w", 0, &u), 0);
	assert_int_equal(strlen(u.home), sizeof(u.home) - 1);
}

static void user_groups_by_name_and_member(void **state)
{
	char text[] =
		"root:x:0:\nweb:x:34:\nextra:x:77:bob,www\nother:x:78:bob\nwwwx:x:79:wwwx,xwww\n"
		"short:x\nlast:x:80:www";
	char again[sizeof(text)];
	struct user u = { 0 };
	gid_t gid = 0;

	(void)state;
	memcpy(again, text, sizeof(text));
	assert_int_equal(user_find_group(again, "web", &gid), 0);
	assert_int_equal(gid, 34);
	memcpy(again, text, sizeof(text));
	assert_int_equal(user_find_group(again, "none", &gid), -1);
	memcpy(again, text, sizeof(text));
	user_add_member_groups(again, "www", &u);
	assert_int_equal(u.nr_groups, 2);
	assert_int_equal(u.groups[0], 77);
	assert_int_equal(u.groups[1], 80);
}

static void mux_waits_for_room_whoever_flushes(void **state)
{
	struct source port = { .fd = -1 };
	static char chunk[65536];
	struct loop l = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(loop_init(&l, &e), 0);
	assert_int_equal(loop_add(&l, &port, ours, EPOLLIN, NULL, &e), 0);
	mux.port = &port;
	while (write(ours, chunk, sizeof(chunk)) > 0)
		;
	mux_send(&mux, PROTO_READY, PROTO_POD, 0, NULL, 0);
	assert_int_equal(mux_flush(&mux), 0);
	assert_true(mux.is_full);
	assert_int_equal(port.events, EPOLLIN | EPOLLOUT);
	while (read(peer, chunk, sizeof(chunk)) > 0)
		;
	assert_int_equal(mux_flush(&mux), 0);
	assert_false(mux.is_full);
	assert_int_equal(port.events, EPOLLIN);
	loop_remove(&port);
	loop_close(&l);
}

int main(void)
{
#define MUX(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		MUX(mux_pump_makes_a_batch_of_frames),
		MUX(mux_pump_keeps_to_the_credit),
		MUX(mux_batches_fill_up_exactly),
		MUX(mux_survives_a_full_stream),
		MUX(mux_waits_for_room_whoever_flushes),
		MUX(mux_receives_frames_in_any_cut),
		MUX(mux_refuses_oversized_frames_and_the_end),
		cmocka_unit_test(user_passwd_is_read_leniently),
		cmocka_unit_test(user_long_fields_are_cut),
		cmocka_unit_test(user_groups_by_name_and_member),
	};

	return cmocka_run_group_tests_name("guest_init", tests, NULL, NULL);
}
