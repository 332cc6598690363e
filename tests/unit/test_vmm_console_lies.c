/* SPDX-License-Identifier: Apache-2.0 */
/* Console ports and drivers that lie: V10, V11, V16, V17 and V24 of reference/threats.md. */
#include "console_fixture.h"

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
