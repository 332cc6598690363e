/* SPDX-License-Identifier: Apache-2.0 */
/* Accesses of any width to anywhere in the window of the devices, and kicks in between. */
#include <sys/socket.h>

#include "vmm/virtio/balloon.h"
#include "vmm/virtio/console.h"
#include "vmm/virtio/rng.h"
#include "vmm_input.h"

#define NR 3

static struct vmm_rig rig;

static void make(void)
{
	static const struct spec_balloon balloon = { .has_stats = true, .has_reporting = true };
	static struct spec_port port = { .name = "p" };
	int sv[2];
	struct err e;

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
	port.file.fd = sv[0];
	rig_init(&rig, RIG_MEMORY);
	rig_add(&rig, rng_new(&rig.m.loop, &(struct spec_limit){ .bytes = 1ull << 40 }, &e));
	rig_add(&rig, balloon_new(&balloon));
	rig_add(&rig, console_new(&port, 1, &e));
	check(rig.m.nr_devs == NR);
}

/* To a register that is there, a value that a driver writes. */
static void plausible(struct input *in, unsigned slot)
{
	static const uint16_t regs[] = {
		VIRTIO_MMIO_STATUS,	     VIRTIO_MMIO_STATUS,
		VIRTIO_MMIO_DRIVER_FEATURES, VIRTIO_MMIO_DRIVER_FEATURES_SEL,
		VIRTIO_MMIO_QUEUE_SEL,	     VIRTIO_MMIO_QUEUE_NUM,
		VIRTIO_MMIO_QUEUE_READY,     VIRTIO_MMIO_QUEUE_DESC_LOW,
		VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_MMIO_QUEUE_USED_LOW,
		VIRTIO_MMIO_INTERRUPT_ACK,   VIRTIO_MMIO_QUEUE_NOTIFY,
	};
	uint16_t reg = regs[take(in, 1) % (sizeof(regs) / sizeof(*regs))];
	uint64_t v = take(in, 1);

	if (reg >= VIRTIO_MMIO_QUEUE_DESC_LOW && reg <= VIRTIO_MMIO_QUEUE_USED_LOW)
		v = RIG_RINGS + (v << 8);
	rig_write(&rig, slot, reg, v, 4);
}

static void step(struct input *in)
{
	uint64_t what = take(in, 1), offset, one = 1;
	unsigned slot = (unsigned)(what >> 4) % (NR + 1), len, queue;
	uint8_t data[16];

	switch (what & 7) {
	case 0:
	case 1:
		offset = take(in, 2);
		len = 1 + (unsigned)take(in, 1) % 8;
		memset(data, (int)take(in, 1), sizeof(data));
		virtio_mmio_access(&rig.m, VIRTIO_BASE + slot * VIRTIO_STRIDE + offset, data, len,
				   what & 1);
		break;
	case 2:
		offset = take(in, 8);
		virtio_mmio_access(&rig.m, offset, data, 4, false);
		break;
	case 3:
		queue = (unsigned)take(in, 1) % VIRTIO_MAX_QUEUES;
		if (slot < NR && rig.m.devs[slot]->vq[queue].kick.loop)
			check(write(rig.m.devs[slot]->vq[queue].kick.fd, &one, 8) == 8);
		rig_turn(&rig);
		break;
	case 4: /* memory that may be a ring */
		memset(rig_at(&rig, RIG_RINGS + (take(in, 2) & 0xfff0), 16), (int)take(in, 1), 16);
		break;
	default:
		plausible(in, slot);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_made;
	struct input in = { data, size };
	unsigned i;

	if (!is_made) {
		make();
		is_made = true;
	}
	rig_again(&rig);
	memset(rig_at(&rig, RIG_RINGS, 0x10000), 0, 0x10000);
	for (i = 0; in.n && i < 300 && !rig.m.end; i++)
		step(&in);
	rig_turn(&rig);
	check(rig.m.end == END_NONE || rig.m.end == END_VIOLATION);
	for (i = 0; i < NR; i++)
		rig_write(&rig, i, VIRTIO_MMIO_STATUS, 0, 4);
	return 0;
}
