/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio/net_vhost.h"

#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_net.h>
#include <sys/ioctl.h>

#include "vmm/machine.h"

#define NEEDED                                                          \
	(1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_EVENT_IDX | \
	 1ull << VIRTIO_NET_F_MRG_RXBUF)

static int real_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, (int)request, arg);
}

int (*net_vhost_ioctl)(int fd, unsigned long request, void *arg) = real_ioctl;

static int ask(int fd, unsigned long request, void *arg, struct err *e)
{
	return net_vhost_ioctl(fd, request, arg) < 0
		       ? err_set(e, errno, "cannot set up vhost-net: request 0x%lx", request)
		       : 0;
}

int net_vhost_init(int fd, uint64_t *features, struct err *e)
{
	if (ask(fd, VHOST_SET_OWNER, NULL, e) < 0 || ask(fd, VHOST_GET_FEATURES, features, e) < 0)
		return -1;
	if ((*features & NEEDED) != NEEDED)
		return err_set(e, 0, "cannot use vhost-net: it lacks features");
	*features = NEEDED;
	return 0;
}

static int set_memory(int fd, const struct guest_mem *m, struct err *e)
{
	struct {
		uint32_t nr, padding;
		struct vhost_memory_region regions[MEM_MAX_REGIONS];
	} t = { .nr = m->nr };
	unsigned i;

	for (i = 0; i < m->nr; i++)
		t.regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = m->regions[i].gpa,
			.memory_size = m->regions[i].size,
			.userspace_addr = (uintptr_t)m->regions[i].host,
		};
	return ask(fd, VHOST_SET_MEM_TABLE, &t, e);
}

static int start_queue(int fd, struct virtqueue *q, int call_fd, int tap, struct err *e)
{
	struct vhost_vring_state num = { q->index, q->size }, base = { q->index, 0 };
	struct vhost_vring_addr addr = { .index = q->index,
					 .desc_user_addr = (uintptr_t)q->desc,
					 .used_user_addr = (uintptr_t)q->used,
					 .avail_user_addr = (uintptr_t)q->avail };
	struct vhost_vring_file kick = { q->index, q->kick.fd }, call = { q->index, call_fd },
				backend = { q->index, tap };

	vq_lend(q, true);
	if (ask(fd, VHOST_SET_VRING_NUM, &num, e) < 0 ||
	    ask(fd, VHOST_SET_VRING_BASE, &base, e) < 0 ||
	    ask(fd, VHOST_SET_VRING_ADDR, &addr, e) < 0 ||
	    ask(fd, VHOST_SET_VRING_KICK, &kick, e) < 0 ||
	    ask(fd, VHOST_SET_VRING_CALL, &call, e) < 0)
		return -1;
	return ask(fd, VHOST_NET_SET_BACKEND, &backend, e);
}

int net_vhost_start(int fd, struct virtio_dev *d, uint64_t features, int tap, struct err *e)
{
	unsigned i;

	features &= d->acked;
	if (ask(fd, VHOST_SET_FEATURES, &features, e) < 0 || set_memory(fd, &d->m->mem, e) < 0)
		return -1;
	__atomic_store_n(&d->isr_always, VIRTIO_INT_QUEUE, __ATOMIC_SEQ_CST);
	for (i = 0; i < d->nr_queues; i++) {
		if (d->vq[i].is_live && start_queue(fd, &d->vq[i], d->irq_fd, tap, e) < 0)
			return -1;
	}
	return 0;
}

int net_vhost_stop(int fd, struct virtio_dev *d, struct err *e)
{
	unsigned i;

	for (i = 0; i < d->nr_queues; i++) {
		struct vhost_vring_file backend = { i, VHOST_FILE_UNBIND };

		if (!d->vq[i].is_live)
			continue;
		if (ask(fd, VHOST_NET_SET_BACKEND, &backend, e) < 0)
			return -1;
		vq_lend(&d->vq[i], false);
	}
	__atomic_store_n(&d->isr_always, 0, __ATOMIC_SEQ_CST);
	return 0;
}
