/* SPDX-License-Identifier: Apache-2.0 */
/* The answers of a vhost-user backend: the input lies in the socket, and then the backend goes. */
#include <signal.h>
#include <sys/socket.h>

#include "vmm/virtio/fs.h"
#include "vmm_input.h"

static struct vmm_rig rig;

static void start(struct drvq *q, unsigned slot)
{
	unsigned i;

	drv_negotiate(&rig, slot, UINT64_MAX);
	for (i = 0; i < 3; i++)
		drv_queue(&q[i], &rig, slot, i, 16);
	drv_ok(&rig, slot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spec_fs spec = { .tag = "t", .nr_queues = 2 };
	struct virtio_dev *d;
	struct drvq q[3];
	struct err e;
	int sv[2], i;

	signal(SIGPIPE, SIG_IGN);
	if (size > 4096)
		return 0;
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
	check(size == 0 || write(sv[1], data, size) == (ssize_t)size);
	shutdown(sv[1], SHUT_WR);
	spec.file.fd = sv[0];
	rig_init(&rig, RIG_MEMORY);
	mem_free(&rig.m.mem);
	check(mem_init(&rig.m.mem, RIG_MEMORY, true, &e) == 0);
	d = fs_new(&spec, &e);
	if (d) {
		rig_add(&rig, d);
		for (i = 0; i < 3 && !rig.m.end; i++) {
			start(q, d->slot);
			rig_turn(&rig);
			if (!rig.m.end)
				rig_write(&rig, d->slot, VIRTIO_MMIO_STATUS, 0, 4);
		}
		check(rig.m.end == END_NONE || rig.m.end == END_FAILED);
	}
	rig_free(&rig);
	close(sv[0]);
	close(sv[1]);
	return 0;
}
