/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm_fixture.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/sandbox.h"

void rig_fail(const char *why)
{
	fprintf(stderr, "vmm_fixture: %s\n", why);
	abort();
}

static void woken(struct source *s, uint32_t events)
{
	uint64_t n;

	(void)events;
	if (read(s->fd, &n, sizeof(n)) != sizeof(n))
		rig_fail("the waker sleeps");
	loop_stop(s->loop);
}

void rig_init(struct vmm_rig *r, uint64_t memory)
{
	struct err e;
	int fd = eventfd(0, EFD_CLOEXEC);

	sandbox_disable();
	memset(r, 0, sizeof(*r));
	r->m.spec = &r->spec;
	r->m.kvm_fd = r->m.vm_fd = -1;
	r->m.end_source.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop_init(&r->m.loop, &e) < 0 || mem_init(&r->m.mem, memory, false, &e) < 0 ||
	    loop_add(&r->m.loop, &r->waker, fd, EPOLLIN, woken, &e) < 0)
		rig_fail(e.msg);
}

void rig_free(struct vmm_rig *r)
{
	unsigned i;

	for (i = 0; i < r->m.nr_devs; i++) {
		virtio_mmio_detach(r->m.devs[i]);
		r->m.devs[i]->ops->destroy(r->m.devs[i]);
	}
	io_engine_free(r->m.engine);
	close(r->waker.fd);
	close(r->m.end_source.fd);
	loop_close(&r->m.loop);
	mem_free(&r->m.mem);
}

unsigned rig_add(struct vmm_rig *r, struct virtio_dev *d)
{
	struct err e;

	if (machine_add(&r->m, d, &e) < 0)
		rig_fail(e.msg);
	return d->slot;
}

unsigned rig_add_disk(struct vmm_rig *r, const struct spec_disk *disk, enum spec_io which)
{
	struct virtio_dev *d;
	struct err e;

	r->m.engine = io_engine_new(&r->m.loop, BLK_MAX_IN_FLIGHT);
	d = blk_new(r->m.engine, &r->m.loop, disk, &e);
	if (!d || io_engine_start(r->m.engine, which, &e) < 0)
		rig_fail(e.msg);
	return rig_add(r, d);
}

void rig_turn(struct vmm_rig *r)
{
	uint64_t one = 1;
	struct err e;

	r->m.loop.stop = false;
	if (write(r->waker.fd, &one, sizeof(one)) != sizeof(one) || loop_run(&r->m.loop, &e) < 0)
		rig_fail("the loop does not turn");
}

void rig_pause(struct vmm_rig *r)
{
	struct pollfd p = { .fd = r->m.loop.epfd, .events = POLLIN };

	(void)poll(&p, 1, 10);
}

const char *rig_violation(const struct vmm_rig *r)
{
	return r->m.end == END_VIOLATION ? r->m.end_text : "";
}

void *rig_at(struct vmm_rig *r, uint64_t gpa, uint64_t len)
{
	void *p = mem_at(&r->m.mem, gpa, len);

	if (!p)
		rig_fail("the test's own address is outside of memory");
	return p;
}

uint64_t rig_read(struct vmm_rig *r, unsigned slot, uint64_t offset, unsigned len)
{
	uint8_t data[8] = { 0 };
	uint64_t v;

	if (!virtio_mmio_access(&r->m, VIRTIO_BASE + slot * VIRTIO_STRIDE + offset, data, len,
				false))
		memset(data, 0xff, sizeof(data));
	memcpy(&v, data, sizeof(v));
	return v;
}

void rig_write(struct vmm_rig *r, unsigned slot, uint64_t offset, uint64_t v, unsigned len)
{
	uint8_t data[8];

	memcpy(data, &v, sizeof(data));
	virtio_mmio_access(&r->m, VIRTIO_BASE + slot * VIRTIO_STRIDE + offset, data, len, true);
}

static void set(struct vmm_rig *r, unsigned slot, unsigned reg, uint64_t v)
{
	rig_write(r, slot, reg, v, 4);
}

void drv_negotiate(struct vmm_rig *r, unsigned slot, uint64_t features)
{
	uint64_t want = (features | RIG_VERSION_1) & r->m.devs[slot]->features;

	set(r, slot, VIRTIO_MMIO_STATUS, 0);
	set(r, slot, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	set(r, slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	set(r, slot, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)want);
	set(r, slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set(r, slot, VIRTIO_MMIO_DRIVER_FEATURES, want >> 32);
	set(r, slot, VIRTIO_MMIO_STATUS,
	    VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK);
}

void drv_queue(struct drvq *q, struct vmm_rig *r, unsigned slot, unsigned index, uint16_t size)
{
	uint64_t at = RIG_RINGS + index * 0x4000ull;

	*q = (struct drvq){ .r = r, .slot = slot, .index = index, .size = size };
	q->desc = rig_at(r, at, 0x4000);
	q->avail = rig_at(r, at + 0x2000, 0x1000);
	q->used = rig_at(r, at + 0x3000, 0x1000);
	memset(q->desc, 0, 0x4000);
	set(r, slot, VIRTIO_MMIO_QUEUE_SEL, index);
	set(r, slot, VIRTIO_MMIO_QUEUE_NUM, size);
	set(r, slot, VIRTIO_MMIO_QUEUE_DESC_LOW, at);
	set(r, slot, VIRTIO_MMIO_QUEUE_AVAIL_LOW, at + 0x2000);
	set(r, slot, VIRTIO_MMIO_QUEUE_USED_LOW, at + 0x3000);
	set(r, slot, VIRTIO_MMIO_QUEUE_READY, 1);
}

void drv_ok(struct vmm_rig *r, unsigned slot)
{
	set(r, slot, VIRTIO_MMIO_STATUS, 15);
}

void drv_start(struct drvq *q, struct vmm_rig *r, unsigned slot, uint64_t features, uint16_t size)
{
	drv_negotiate(r, slot, features);
	drv_queue(q, r, slot, 0, size);
	drv_ok(r, slot);
}

void drv_desc(struct drvq *q, unsigned i, uint64_t gpa, uint32_t len, unsigned flags, unsigned next)
{
	q->desc[i] = (struct vring_desc){
		.addr = gpa, .len = len, .flags = (uint16_t)flags, .next = (uint16_t)next
	};
}

void drv_offer(struct drvq *q, uint16_t head)
{
	q->avail->ring[q->avail->idx & (q->size - 1)] = head;
	__atomic_store_n(&q->avail->idx, (uint16_t)(q->avail->idx + 1), __ATOMIC_RELEASE);
}

void drv_kick(struct drvq *q)
{
	uint64_t one = 1;

	if (write(q->r->m.devs[q->slot]->vq[q->index].kick.fd, &one, sizeof(one)) != sizeof(one))
		rig_fail("the queue has no event file");
	rig_turn(q->r);
}

uint16_t drv_waiting(const struct drvq *q)
{
	return (uint16_t)(__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) - q->seen);
}

struct vring_used_elem drv_take(struct drvq *q)
{
	return q->used->ring[q->seen++ & (q->size - 1)];
}
