/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Console ports, seen from a guest: finds its port by name, echoes lines with upper case, and ends
 * when the host is gone.
 */
#include "lib.h"

#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>

#define BUF 4096u

static struct queue control_in, control_out, in, out;
static unsigned slot;

static void control_send(uint32_t id, uint16_t event, uint16_t value)
{
	static struct virtio_console_control m;

	m = (struct virtio_console_control){ .id = id, .event = event, .value = value };
	queue_send(&control_out, &m, sizeof(m), NULL, 0);
	queue_wait(&control_out, NULL);
}

/* The next message must be this one. Its text, if any, stays in *text. */
static void control_expect(uint32_t id, uint16_t event, uint16_t value, const char **text)
{
	static uint8_t buf[64];
	struct virtio_console_control m;
	uint32_t len;

	memset(buf, 0, sizeof(buf));
	queue_send(&control_in, NULL, 0, buf, sizeof(buf) - 1);
	len = queue_wait(&control_in, NULL);
	memcpy(&m, buf, sizeof(m));
	if (len < sizeof(m) || m.id != id || m.event != event || m.value != value)
		fail("another control message than expected");
	if (text)
		*text = (const char *)buf + sizeof(m);
}

static void start(bool has_host)
{
	const char *name;

	slot = find_device(VIRTIO_ID_CONSOLE, 0);
	driver_start(slot, 1ull << VIRTIO_CONSOLE_F_MULTIPORT);
	if (config_get(slot, 4) != 2)
		fail("not the number of ports of QEMU");
	queue_init(&control_in, slot, 2, 32);
	queue_init(&control_out, slot, 3, 32);
	queue_init(&in, slot, 4, 128);
	queue_init(&out, slot, 5, 128);
	driver_ok(slot);
	control_send(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	control_expect(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	control_send(1, VIRTIO_CONSOLE_PORT_READY, 1);
	control_expect(1, VIRTIO_CONSOLE_PORT_NAME, 1, &name);
	if (!same(name, "vpod.control", 13))
		fail("not the port's name");
	if (has_host)
		control_expect(1, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	control_send(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

/* Until "bye". */
static void echo(void)
{
	uint8_t *buf = alloc(BUF);
	uint32_t n, i;

	for (;;) {
		queue_send(&in, NULL, 0, buf, BUF);
		n = queue_wait(&in, NULL);
		if (n >= 3 && same(buf, "bye", 3))
			return;
		for (i = 0; i < n; i++)
			buf[i] = (uint8_t)(buf[i] - (buf[i] >= 'a' && buf[i] <= 'z' ? 32 : 0));
		queue_send(&out, buf, n, NULL, 0);
		queue_wait(&out, NULL);
	}
}

/* The command line "t": 10 GiB, as fast as it can. */
static void flood_long(void)
{
	uint8_t *buf = alloc(65536);
	uint32_t i;

	for (i = 0; i < 163840; i++) {
		queue_send(&out, buf, 65536, NULL, 0);
		queue_wait(&out, NULL);
	}
}

/* 16 MiB and the host is slow: every byte comes, in order. Each 64 KiB begins with its number. */
static void flood(void)
{
	uint8_t *buf = alloc(65536);
	uint32_t i;

	for (i = 0; i < 256; i++) {
		memset(buf, (int)i, 65536);
		queue_send(&out, buf, 65536, NULL, 0);
		queue_wait(&out, NULL);
	}
}

void guest_main(void)
{
	start(true);
	say("ready\n");
	if (*(const char *)0x20000 == 't') {
		flood_long();
		pass();
	}
	echo();
	flood();
	queue_send(&in, NULL, 0, alloc(BUF), BUF); /* there may be something left to read */
	control_expect(1, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL); /* the host went away */
	queue_send(&out, "nobody", 6, NULL, 0);		      /* is thrown away */
	queue_wait(&out, NULL);
	start(false); /* after a reset all is said again, but that the host is there */
	pass();
}
