/* SPDX-License-Identifier: Apache-2.0 */
/* A console device with its ports at streams, and its driver; for the tests of one file each. */
#ifndef VPOD_TESTS_CONSOLE_FIXTURE_H
#define VPOD_TESTS_CONSOLE_FIXTURE_H

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
static inline uint64_t buf_at(unsigned index, unsigned i)
{
	return RIG_DATA + index * 0x20000ull + i * 0x1000ull;
}

/* @pairs: (ours, the other end) of each port; NULL: socket pairs. */
static inline void make(unsigned nr, const char *const *names, const int (*pairs)[2])
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
static inline void start(unsigned id)
{
	drv_negotiate(&rig, slot, MULTIPORT);
	drv_queue(&control_in, &rig, slot, 2, SIZE);
	drv_queue(&control_out, &rig, slot, 3, SIZE);
	drv_queue(&in, &rig, slot, id ? 2 * id + 2 : 0, SIZE);
	drv_queue(&out, &rig, slot, id ? 2 * id + 3 : 1, SIZE);
	drv_ok(&rig, slot);
}

static inline int setup_bare(void **state)
{
	unsigned i;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < SPEC_MAX_PORTS; i++)
		ports[i].file.fd = host[i] = -1;
	return 0;
}

static inline int setup(void **state)
{
	setup_bare(state);
	make(1, (const char *const[]){ "vpod.control" }, NULL);
	start(1);
	return 0;
}

static inline int teardown(void **state)
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

static inline void send_bytes(struct drvq *q, const void *p, uint32_t len)
{
	uint16_t i = q->avail->idx % SIZE;

	memcpy(rig_at(&rig, buf_at(q->index, i), len), p, len);
	drv_desc(q, i, buf_at(q->index, i), len, 0, 0);
	drv_offer(q, i);
	drv_kick(q);
}

static inline void give_buffer(struct drvq *q, uint32_t len)
{
	uint16_t i = q->avail->idx % SIZE;

	drv_desc(q, i, buf_at(q->index, i), len, WRITE, 0);
	drv_offer(q, i);
	drv_kick(q);
}

static inline bool is_drained(const struct drvq *q)
{
	return q->avail->idx == q->used->idx;
}

static inline void say(uint32_t id, uint16_t event, uint16_t value)
{
	struct virtio_console_control m = { .id = id, .event = event, .value = value };

	send_bytes(&control_out, &m, sizeof(m));
	assert_int_equal(drv_waiting(&control_out), 1);
	drv_take(&control_out);
}

/* The next control message, which must be there, and @text behind it. */
static inline void hear(uint32_t id, uint16_t event, uint16_t value, const char *text)
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
static inline void hear_nothing(void)
{
	if (is_drained(&control_in))
		give_buffer(&control_in, BUF);
	assert_int_equal(drv_waiting(&control_in), 0);
}

static inline void open_port(void)
{
	say(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	hear(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	say(1, VIRTIO_CONSOLE_PORT_READY, 1);
	hear(1, VIRTIO_CONSOLE_PORT_NAME, 1, "vpod.control");
	hear(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	say(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

static inline void goes_on(void)
{
	assert_string_equal(rig_violation(&rig), "");
}

static inline ssize_t host_reads(void)
{
	return read(host[0], got, sizeof(got));
}

#endif
