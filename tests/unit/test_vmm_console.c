/* SPDX-License-Identifier: Apache-2.0 */
/* Console ports at streams that are slow, one-way or gone: V22 of reference/threats.md. */
#include "console_fixture.h"

static void ports_are_announced_as_by_virtio_serial(void **state)
{
	(void)state;
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG + 4, 4), 2);
	open_port();
	hear_nothing();
	goes_on();
}

static void a_port_without_a_name_is_console_0(void **state)
{
	(void)state;
	make(3, (const char *const[]){ "one", "", "two" }, NULL);
	start(0);
	assert_int_equal(rig_read(&rig, slot, VIRTIO_MMIO_CONFIG + 4, 4), 3);
	say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	hear(0, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	hear(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	hear(2, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	say(2, VIRTIO_CONSOLE_PORT_READY, 1);
	say(0, VIRTIO_CONSOLE_PORT_READY, 1);
	hear(0, VIRTIO_CONSOLE_CONSOLE_PORT, 1, NULL);
	hear(0, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	hear(2, VIRTIO_CONSOLE_PORT_NAME, 1, "two");
	hear(2, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
}

static void bytes_go_both_ways(void **state)
{
	struct vring_used_elem u;

	(void)state;
	open_port();
	send_bytes(&out, "to the host", 11);
	assert_int_equal(host_reads(), 11);
	assert_memory_equal(got, "to the host", 11);
	assert_int_equal(drv_waiting(&out), 1);
	give_buffer(&in, 6);
	assert_int_equal(drv_waiting(&in), 0);
	assert_int_equal(write(host[0], "to the guest", 12), 12);
	rig_turn(&rig);
	assert_int_equal(drv_waiting(&in), 1);
	u = drv_take(&in);
	assert_int_equal(u.len, 6);
	assert_memory_equal(rig_at(&rig, buf_at(4, u.id), 6), "to the", 6);
	give_buffer(&in, 100);
	u = drv_take(&in);
	assert_int_equal(u.len, 6);
	assert_memory_equal(rig_at(&rig, buf_at(4, u.id), 6), " guest", 6);
}

/* V22: what the host does not read stays in the queue, and comes out to the byte. */
static void output_waits_for_the_host(void **state)
{
	static uint8_t chunk[CHUNK];
	uint64_t sent = 0, received = 0;
	unsigned i;

	(void)state;
	open_port();
	while (is_drained(&out)) {
		for (i = 0; i < sizeof(chunk); i++)
			chunk[i] = (uint8_t)((sent + i) * 7 >> 4);
		send_bytes(&out, chunk, sizeof(chunk));
		sent += sizeof(chunk);
		assert_true(sent < 64u << 20);
	}
	for (i = 0; i < 100; i++)
		drv_kick(&out); /* changes nothing */
	while (received < sent) {
		ssize_t n = host_reads(), j;

		for (j = 0; j < n; j++)
			assert_int_equal(got[j], (uint8_t)((received + (uint64_t)j) * 7 >> 4));
		received += n > 0 ? (uint64_t)n : 0;
		rig_turn(&rig);
	}
	assert_true(is_drained(&out));
	goes_on();
}

/* V22: what the guest does not read stays in the host's socket. */
static void input_waits_for_the_guest(void **state)
{
	uint64_t written = 0, seen = 0;
	ssize_t n;
	int i;

	(void)state;
	open_port();
	while ((n = write(host[0], zeros, sizeof(zeros))) > 0)
		written += (uint64_t)n;
	for (i = 0; i < 100; i++)
		rig_turn(&rig);
	assert_true(write(host[0], zeros, 1) < 0); /* nothing was taken */
	while (seen < written) {
		give_buffer(&in, BUF);
		assert_int_equal(drv_waiting(&in), 1);
		seen += drv_take(&in).len;
	}
	goes_on();
}

static void nothing_is_read_while_the_port_is_closed(void **state)
{
	(void)state;
	open_port();
	say(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	give_buffer(&in, BUF);
	assert_int_equal(write(host[0], "x", 1), 1);
	rig_turn(&rig);
	assert_int_equal(drv_waiting(&in), 0);
	say(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	assert_int_equal(drv_waiting(&in), 1);
}

/* What the host said before it went is read first, then the guest is told. */
static void host_that_goes_is_told_after_its_last_words(void **state)
{
	(void)state;
	open_port();
	assert_int_equal(write(host[0], "last", 4), 4);
	close_p(&host[0]);
	rig_turn(&rig);
	hear_nothing();
	give_buffer(&in, BUF);
	assert_int_equal(drv_take(&in).len, 4);
	give_buffer(&in, BUF);
	assert_int_equal(drv_waiting(&in), 0);
	hear(1, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL);
	send_bytes(&out, "nobody", 6);
	assert_int_equal(drv_waiting(&out), 1); /* thrown away */
	goes_on();
}

/* V24: half closed. */
static void host_that_stops_talking_still_listens(void **state)
{
	(void)state;
	open_port();
	give_buffer(&in, BUF);
	shutdown(host[0], SHUT_WR);
	rig_turn(&rig);
	rig_turn(&rig);
	send_bytes(&out, "still", 5);
	assert_int_equal(host_reads(), 5);
	assert_int_equal(drv_waiting(&in), 0);
	hear_nothing();
	close_p(&host[0]);
	rig_turn(&rig);
	hear(1, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL);
}

static void host_that_goes_during_a_wait_frees_the_queue(void **state)
{
	(void)state;
	open_port();
	while (is_drained(&out))
		send_bytes(&out, zeros, sizeof(zeros));
	close_p(&host[0]);
	rig_until(&rig, is_drained(&out));
	goes_on();
}

static void pipes_are_one_way(void **state)
{
	int a[2], b[2];

	(void)state;
	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	make(2, (const char *const[]){ "out", "in" },
	     (const int[][2]){ { a[1], a[0] }, { b[0], b[1] } });
	start(2);
	say(2, VIRTIO_CONSOLE_PORT_OPEN, 1);
	give_buffer(&in, BUF);
	assert_int_equal(write(host[1], "two", 3), 3);
	rig_turn(&rig);
	assert_int_equal(drv_take(&in).len, 3);
	send_bytes(&out, "nowhere", 7);
	assert_int_equal(drv_waiting(&out), 1);
	start(1);
	say(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	give_buffer(&in, BUF);
	send_bytes(&out, "one", 3);
	assert_int_equal(host_reads(), 3);
	say(1, VIRTIO_CONSOLE_PORT_READY, 1);
	hear(1, VIRTIO_CONSOLE_PORT_NAME, 1, "out");
	hear(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	close_p(&host[0]); /* no reader: the kernel tells it as an error, not as a hang-up */
	rig_turn(&rig);
	hear(1, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL);
	goes_on();
}

static void a_regular_file_is_refused(void **state)
{
	struct spec_port p = { .name = "log", .file = { .fd = memfd_create("log", MFD_CLOEXEC) } };
	struct err e;

	(void)state;
	assert_null(console_new(&p, 1, &e));
	assert_non_null(strstr(e.msg, "cannot use console port 'log'"));
	close(p.file.fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define B(f) cmocka_unit_test_setup_teardown(f, setup_bare, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ports_are_announced_as_by_virtio_serial),
		B(a_port_without_a_name_is_console_0),
		T(bytes_go_both_ways),
		T(output_waits_for_the_host),
		T(input_waits_for_the_guest),
		T(nothing_is_read_while_the_port_is_closed),
		T(host_that_goes_is_told_after_its_last_words),
		T(host_that_stops_talking_still_listens),
		T(host_that_goes_during_a_wait_frees_the_queue),
		B(pipes_are_one_way),
		cmocka_unit_test(a_regular_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
