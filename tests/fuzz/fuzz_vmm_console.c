/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ports of the console device, between a driver that does anything and hosts that write, read
 * and go.  What a host gets of the guest, and the guest of a host, is never more than was given.
 */
#include <fcntl.h>
#include <linux/virtio_console.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "vmm/virtio/console.h"
#include "vmm_input.h"

#define NR_QUEUES 8 /* of port 0, which is not there, control, ports 1 and 2 */
#define SIZE 16

static struct vmm_rig rig;
static struct drvq q[NR_QUEUES];
static struct spec_port ports[2];
static int host[2];

static void make(void)
{
	struct virtio_dev *d;
	struct err e;
	unsigned i;
	int sv[2];

	signal(SIGPIPE, SIG_IGN);
	rig_init(&rig, RIG_MEMORY);
	for (i = 0; i < 2; i++) {
		check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) == 0);
		ports[i] = (struct spec_port){ .file = { .fd = sv[0], .number = -1 } };
		ports[i].name[0] = (char)('a' + i);
		host[i] = sv[1];
	}
	d = console_new(ports, 2, &e);
	check(d != NULL);
	rig_add(&rig, d);
}

static void start(struct input *in)
{
	unsigned i;

	drv_negotiate(&rig, 0, take(in, 4));
	for (i = 0; i < NR_QUEUES; i++)
		drv_queue(&q[i], &rig, 0, i, SIZE);
	drv_ok(&rig, 0);
}

/* A control message of the right length. */
static void say(struct input *in)
{
	uint64_t v = take(in, 1);
	struct virtio_console_control m = { .id = v & 3, .event = v >> 2 & 7, .value = v >> 5 };

	memcpy(rig_at(&rig, RIG_DATA + 0x8000, sizeof(m)), &m, sizeof(m));
	drv_desc(&q[3], 0, RIG_DATA + 0x8000, sizeof(m), 0, 0);
	drv_offer(&q[3], 0);
	drv_kick(&q[3]);
}

static void host_step(struct input *in)
{
	static uint8_t buf[65536];
	uint64_t v = take(in, 1);
	int *fd = &host[v & 1];

	if (*fd < 0)
		return;
	switch (v >> 1 & 3) {
	case 0:
		(void)!write(*fd, buf, (v >> 3) * 100);
		break;
	case 1:
		(void)!read(*fd, buf, (v >> 3) * 1000);
		break;
	case 2:
		if ((v >> 3) == 31)
			close_p(fd);
		else if ((v >> 3) == 30)
			shutdown(*fd, SHUT_WR);
		break;
	default:
		break;
	}
	rig_turn(&rig);
}

static void step(struct input *in)
{
	uint64_t what = take(in, 1);

	switch (what >> 3 & 15) {
	case 8:
	case 9:
		host_step(in);
		break;
	case 10:
		say(in);
		break;
	case 11:
		if (what == 0xd8)
			start(in);
		break;
	default:
		ring_step(in, &q[what & 7]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned i;

	make();
	start(&in);
	for (i = 0; in.n && i < 200 && !rig.m.end; i++)
		step(&in);
	rig_write(&rig, 0, VIRTIO_MMIO_STATUS, 0, 4);
	rig_turn(&rig);
	check(rig.m.end == END_NONE || rig.m.end == END_VIOLATION);
	rig_free(&rig);
	for (i = 0; i < 2; i++) {
		close_p(&ports[i].file.fd);
		close_p(&host[i]);
	}
	return 0;
}
