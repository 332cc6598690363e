/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Console ports between a driver and a stream, either of which may be slow, gone or lie: V11, V17,
 * V22 and V24 of reference/threats.md.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/virtio_console.h>

#include "base/cleanup.h"
#include "vmm/virtio/console.h"
#include "vmm_fixture.h"

#define WRITE VRING_DESC_F_WRITE
#define MULTIPORT (1ull << VIRTIO_CONSOLE_F_MULTIPORT)
#define SIZE 16
#define BUF 4096u
#define CHUNK 0x8000u

static struct vmm_rig rig;
static unsigned slot;
static struct spec_port ports[SPEC_MAX_PORTS];
static int host[SPEC_MAX_PORTS]; /* the streams' other ends */
static struct drvq control_in, control_out, in, out;
static uint8_t zeros[CHUNK], got[65536];

/* Buffers of queue @index: requests of up to CHUNK bytes share them. */
static uint64_t buf_at(unsigned index, unsigned i)
{
	return RIG_DATA + index * 0x20000ull + i * 0x1000ull;
}

/* @pairs: (ours, the other end) of each port; NULL: socket pairs. */
static void make(unsigned nr, const char *const *names, const int (*pairs)[2])
{
	struct virtio_dev *d;
	struct err e;
	unsigned i;
	int sv[2];

	rig_init(&rig, RIG_MEMORY);
	for (i = 0; i < nr; i++) {
		if (pairs)
			memcpy(sv, pairs[i], sizeof(sv));
		else
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
		ports[i] = (struct spec_port){ .file = { .fd = sv[0], .number = -1 } };
		strncpy(ports[i].name, names[i], SPEC_NAME - 1);
		host[i] = sv[1];
		fcntl(sv[1], F_SETFL, fcntl(sv[1], F_GETFL) | O_NONBLOCK);
	}
	d = console_new(ports, nr, &e);
	assert_non_null(d);
	slot = rig_add(&rig, d);
}

/* A driver with MULTIPORT, and the queues of port @id. */
static void start(unsigned id)
{
	drv_negotiate(&rig, slot, MULTIPORT);
	drv_queue(&control_in, &rig, slot, 2, SIZE);
	drv_queue(&control_out, &rig, slot, 3, SIZE);
	drv_queue(&in, &rig, slot, id ? 2 * id + 2 : 0, SIZE);
	drv_queue(&out, &rig, slot, id ? 2 * id + 3 : 1, SIZE);
	drv_ok(&rig, slot);
}

static int setup_bare(void **state)
{
	unsigned i;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < SPEC_MAX_PORTS; i++)
		ports[i].file.fd = host[i] = -1;
	return 0;
}

static int setup(void **state)
{
	setup_bare(state);
	make(1, (const char *const[]){ "vpod.control" }, NULL);
	start(1);
	return 0;
}

static int teardown(void **state)
{
	unsigned i;

	(void)state;
	rig_free(&rig);
	for (i = 0; i < SPEC_MAX_PORTS; i++) {
		close_p(&ports[i].file.fd);
		close_p(&host[i]);
	}
	return 0;
}

static void send_bytes(struct drvq *q, const void *p, uint32_t len)
{
	uint16_t i = q->avail->idx % SIZE;

	memcpy(rig_at(&rig, buf_at(q->index, i), len), p, len);
	drv_desc(q, i, buf_at(q->index, i), len, 0, 0);
	drv_offer(q, i);
	drv_kick(q);
}

static void give_buffer(struct drvq *q, uint32_t len)
{
	uint16_t i = q->avail->idx % SIZE;

	drv_desc(q, i, buf_at(q->index, i), len, WRITE, 0);
	drv_offer(q, i);
	drv_kick(q);
}

static bool is_drained(const struct drvq *q)
{
	return q->avail->idx == q->used->idx;
}

static void say(uint32_t id, uint16_t event, uint16_t value)
{
	struct virtio_console_control m = { .id = id, .event = event, .value = value };

	send_bytes(&control_out, &m, sizeof(m));
	assert_int_equal(drv_waiting(&control_out), 1);
	drv_take(&control_out);
}

/* The next control message, which must be there, and @text behind it. */
static void hear(uint32_t id, uint16_t event, uint16_t value, const char *text)
{
	struct virtio_console_control m;
	struct vring_used_elem u;
	const char *p;

	if (is_drained(&control_in) && !drv_waiting(&control_in))
		give_buffer(&control_in, BUF);
	assert_int_equal(drv_waiting(&control_in), 1);
	u = drv_take(&control_in);
	p = rig_at(&rig, buf_at(2, u.id), BUF);
	memcpy(&m, p, sizeof(m));
	assert_int_equal(m.id, id);
	assert_int_equal(m.event, event);
	assert_int_equal(m.value, value);
	assert_int_equal(u.len, sizeof(m) + (text ? strlen(text) + 1 : 0));
	if (text)
		assert_string_equal(p + sizeof(m), text);
}

/* The buffer stays for the next message. */
static void hear_nothing(void)
{
	if (is_drained(&control_in))
		give_buffer(&control_in, BUF);
	assert_int_equal(drv_waiting(&control_in), 0);
}

static void open_port(void)
{
	say(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	hear(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	say(1, VIRTIO_CONSOLE_PORT_READY, 1);
	hear(1, VIRTIO_CONSOLE_PORT_NAME, 1, "vpod.control");
	hear(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	say(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

static void goes_on(void)
{
	assert_string_equal(rig_violation(&rig), "");
}

static ssize_t host_reads(void)
{
	return read(host[0], got, sizeof(got));
}

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

/* V24: short header: the machine ends. */
static void short_control_message_ends_the_machine(void **state)
{
	(void)state;
	send_bytes(&control_out, "1234567", 7);
	assert_memory_equal(rig_violation(&rig), "V24 console", 11);
}

/* V24: events that cannot be, ports that are not: the port that is does not change. */
static void senseless_control_messages_have_no_effect(void **state)
{
	static const uint32_t ids[] = { 0, 2, 5, 9, 0x80000001, UINT32_MAX };
	unsigned i, event;

	(void)state;
	for (i = 0; i < nitems(ids); i++) {
		for (event = 1; event < 12; event++)
			say(ids[i], (uint16_t)event, 1);
		say(ids[i], UINT16_MAX, 1);
	}
	say(1, VIRTIO_CONSOLE_PORT_READY, 0);
	say(1, VIRTIO_CONSOLE_PORT_ADD, 1);
	say(1, VIRTIO_CONSOLE_PORT_NAME, 1);
	say(1, VIRTIO_CONSOLE_DEVICE_READY, 0);
	hear_nothing();
	open_port();
	goes_on();
}

/* V17, V24: opened and closed for ever without one buffer for answers: nothing grows. */
static void control_flood_is_a_set_of_bits(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		say(i & 2, VIRTIO_CONSOLE_DEVICE_READY, 1);
		say(1, VIRTIO_CONSOLE_PORT_READY, 1);
		say(1, VIRTIO_CONSOLE_PORT_OPEN, i & 1);
	}
	hear(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	hear(1, VIRTIO_CONSOLE_PORT_NAME, 1, "vpod.control");
	hear(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	hear_nothing();
}

static void small_control_buffers_get_what_fits(void **state)
{
	(void)state;
	say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	hear(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	say(1, VIRTIO_CONSOLE_PORT_READY, 1);
	give_buffer(&control_in, 3);
	assert_int_equal(drv_take(&control_in).len, 3);
	hear(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
}

/* V04, V10: buffers of the wrong kind are given back and change nothing. */
static void wrong_buffers_are_given_back(void **state)
{
	(void)state;
	open_port();
	give_buffer(&out, BUF);
	assert_int_equal(drv_take(&out).len, 0);
	assert_true(host_reads() < 0);
	assert_int_equal(write(host[0], "abc", 3), 3);
	drv_desc(&in, 0, buf_at(4, 0), BUF, 0, 0);
	drv_offer(&in, 0);
	drv_kick(&in);
	assert_int_equal(drv_take(&in).len, 0);
	give_buffer(&in, BUF);
	assert_int_equal(drv_take(&in).len, 3);
	goes_on();
}

/* V11: the guest shortens a request of which a part is out. */
static void request_that_shrinks_is_over(void **state)
{
	uint16_t last;

	(void)state;
	open_port();
	while (is_drained(&out))
		send_bytes(&out, zeros, sizeof(zeros));
	last = (uint16_t)(out.avail->idx - 1) % SIZE;
	drv_desc(&out, last, RIG_DATA, 1, 0, 0);
	while (host_reads() > 0)
		rig_turn(&rig);
	assert_true(is_drained(&out));
	goes_on();
}

/* V16: reset with output waiting and messages due; then everything works. */
static void reset_forgets_the_driver(void **state)
{
	(void)state;
	open_port();
	while (is_drained(&out))
		send_bytes(&out, zeros, sizeof(zeros));
	say(1, VIRTIO_CONSOLE_PORT_READY, 1);
	rig_write(&rig, slot, VIRTIO_MMIO_STATUS, 0, 4);
	while (host_reads() > 0)
		rig_turn(&rig);
	start(1);
	hear_nothing();
	open_port();
	send_bytes(&out, "anew", 4);
	assert_int_equal(host_reads(), 4);
	goes_on();
}

static void queues_without_a_port_are_drained(void **state)
{
	(void)state;
	start(0); /* port 0 is not there */
	send_bytes(&out, "nobody", 6);
	give_buffer(&in, BUF);
	assert_int_equal(drv_waiting(&out), 1);
	assert_int_equal(drv_waiting(&in), 0);
}

static void without_multiport_console_0_works(void **state)
{
	(void)state;
	make(1, (const char *const[]){ "" }, NULL);
	drv_negotiate(&rig, slot, 0);
	drv_queue(&in, &rig, slot, 0, SIZE);
	drv_queue(&out, &rig, slot, 1, SIZE);
	drv_ok(&rig, slot);
	send_bytes(&out, "hvc", 3);
	assert_int_equal(host_reads(), 3);
	give_buffer(&in, BUF);
	assert_int_equal(write(host[0], "in", 2), 2);
	rig_turn(&rig);
	assert_int_equal(drv_take(&in).len, 2);
}

/* V17: a driver that never lets the queue run dry does not keep the loop for itself. */
static void a_flood_leaves_the_turn_to_others(void **state)
{
	unsigned i;

	(void)state;
	open_port();
	for (i = 0; i < SIZE; i++) {
		drv_desc(&out, i, RIG_DATA, CHUNK, 0, 0);
		out.avail->ring[i] = (uint16_t)i;
	}
	for (i = 0; i < 1000; i++) {
		uint16_t before = out.used->idx;

		out.avail->idx = (uint16_t)(out.used->idx + SIZE);
		drv_kick(&out);
		assert_true((uint16_t)(out.used->idx - before) <= 131072 / CHUNK);
		assert_true(host_reads() > 0);
	}
	goes_on();
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
		T(short_control_message_ends_the_machine),
		T(senseless_control_messages_have_no_effect),
		T(control_flood_is_a_set_of_bits),
		T(small_control_buffers_get_what_fits),
		T(wrong_buffers_are_given_back),
		T(request_that_shrinks_is_over),
		T(reset_forgets_the_driver),
		T(queues_without_a_port_are_drained),
		B(without_multiport_console_0_works),
		T(a_flood_leaves_the_turn_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
