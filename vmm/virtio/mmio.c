/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MMIO transport, virtio 1.2 section 4.2.2 (version 2).  Register accesses run in vCPU threads
 * under the device's lock; see virtio.h for what goes to the loop.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/event.h"
#include "vmm/machine.h"
#include "vmm/virtio/virtio.h"

#define MMIO_MAGIC 0x74726976u	/* "virt" */
#define MMIO_VENDOR 0x646f7076u /* "vpod" */

void virtio_interrupt(struct virtio_dev *d, uint32_t bits)
{
	__atomic_fetch_or(&d->isr, bits, __ATOMIC_SEQ_CST);
	event_tell(d->irq_fd);
}

void virtio_config_changed(struct virtio_dev *d)
{
	__atomic_fetch_add(&d->regs.generation, 1, __ATOMIC_SEQ_CST);
	if (d->is_active)
		virtio_interrupt(d, VIRTIO_INT_CONFIG);
}

void virtio_violation(struct virtio_dev *d, const char *id, const char *what)
{
	machine_end(d->m, END_VIOLATION, "%s %s: %s", id, d->ops->name, what);
}

static uint32_t queue_read(const struct virtio_dev *d, uint64_t offset)
{
	uint32_t q = d->regs.queue_sel;

	if (q >= d->nr_queues)
		return 0;
	return offset == VIRTIO_MMIO_QUEUE_NUM_MAX ? d->ops->queue_max : d->regs.q[q].ready;
}

static uint32_t reg_read(struct virtio_dev *d, uint64_t offset)
{
	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MMIO_MAGIC;
	case VIRTIO_MMIO_VERSION:
		return 2;
	case VIRTIO_MMIO_DEVICE_ID:
		return d->ops->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return MMIO_VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return d->regs.features_sel > 1
			       ? 0
			       : (uint32_t)(d->features >> (32 * d->regs.features_sel));
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
	case VIRTIO_MMIO_QUEUE_READY:
		return queue_read(d, offset);
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return __atomic_load_n(&d->isr, __ATOMIC_SEQ_CST) |
		       __atomic_load_n(&d->isr_always, __ATOMIC_SEQ_CST);
	case VIRTIO_MMIO_STATUS:
		return d->regs.status;
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return __atomic_load_n(&d->regs.generation, __ATOMIC_SEQ_CST);
	default:
		return 0; /* write-only, or not there */
	}
}

static void set_half(uint64_t *v, uint32_t half, bool is_high)
{
	*v = is_high ? (*v & 0xffffffffull) | (uint64_t)half << 32 : (*v & ~0xffffffffull) | half;
}

/* Geometry may be written until DRIVER_OK, later writes are ignored (V12). */
static void queue_write(struct virtio_dev *d, uint64_t offset, uint32_t v)
{
	uint32_t i = d->regs.queue_sel;

	if (i >= d->nr_queues || d->regs.status & VIRTIO_CONFIG_S_DRIVER_OK)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		d->regs.q[i].size = v;
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		d->regs.q[i].ready = v & 1;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&d->regs.q[i].desc, v, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&d->regs.q[i].avail, v, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&d->regs.q[i].used, v, offset == VIRTIO_MMIO_QUEUE_USED_HIGH);
		break;
	default:
		break;
	}
}

/* In the loop. */
static void device_reset(void *arg)
{
	struct virtio_dev *d = arg;
	unsigned i;

	if (d->is_active && d->ops->reset)
		d->ops->reset(d);
	d->is_active = false;
	for (i = 0; i < VIRTIO_MAX_QUEUES; i++)
		d->vq[i].is_live = false;
	d->acked = 0;
	__atomic_store_n(&d->isr, 0, __ATOMIC_SEQ_CST);
}

/* In the loop: latches the queues and wakes the device. */
static void device_start(void *arg)
{
	struct virtio_dev *d = arg;
	struct err e;
	unsigned i;

	d->acked = d->regs.acked;
	for (i = 0; i < d->nr_queues; i++) {
		if (d->regs.q[i].ready && !vq_latch(d, i)) {
			virtio_violation(d, "V13", "a queue that is not in memory or ill-sized");
			return;
		}
	}
	d->is_active = true;
	if (d->ops->activate && d->ops->activate(d, &e) < 0) {
		machine_end(d->m, END_FAILED, "%s", e.msg);
		return;
	}
	for (i = 0; i < d->nr_queues; i++) {
		if (d->vq[i].is_live)
			d->ops->notify(d, i);
	}
}

/* 3.1.1. Bits are only ever added, but for reset. */
static void status_write(struct virtio_dev *d, uint32_t v)
{
	uint32_t added = v & ~d->regs.status & 0xff;

	if (!v) {
		machine_call(d->m, device_reset, d);
		d->regs = (struct virtio_regs){ .generation = d->regs.generation };
		return;
	}
	if (added & VIRTIO_CONFIG_S_FEATURES_OK &&
	    (d->regs.acked & ~d->features || !(d->regs.acked >> VIRTIO_F_VERSION_1 & 1)))
		added &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	if (added & VIRTIO_CONFIG_S_DRIVER_OK &&
	    !((d->regs.status | added) & VIRTIO_CONFIG_S_FEATURES_OK))
		added &= ~(uint32_t)VIRTIO_CONFIG_S_DRIVER_OK;
	d->regs.status |= added;
	if (added & VIRTIO_CONFIG_S_DRIVER_OK)
		machine_call(d->m, device_start, d);
}

static void features_write(struct virtio_dev *d, uint32_t v)
{
	if (d->regs.acked_sel > 1 || d->regs.status & VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	set_half(&d->regs.acked, v, d->regs.acked_sel);
	d->regs.acked &= d->features; /* what was not offered has no effect (V16) */
}

static void reg_write(struct virtio_dev *d, uint64_t offset, uint32_t v)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		d->regs.features_sel = v;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		d->regs.acked_sel = v;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		features_write(d, v);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		d->regs.queue_sel = v;
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		__atomic_fetch_and(&d->isr, ~v, __ATOMIC_SEQ_CST);
		break;
	case VIRTIO_MMIO_STATUS:
		status_write(d, v);
		break;
	default: /* QUEUE_NOTIFY is an ioeventfd; others have no effect */
		queue_write(d, offset, v);
		break;
	}
}

struct config_write {
	struct virtio_dev *d;
	unsigned offset, len;
	const void *data;
};

/* In the loop. */
static void config_write(void *arg)
{
	struct config_write *w = arg;

	memcpy((uint8_t *)w->d->config + w->offset, w->data, w->len);
	w->d->ops->config_written(w->d, w->offset, w->len);
}

/* Any width at any offset: what is not there reads as zeros (V14). */
static void config_access(struct virtio_dev *d, uint64_t offset, void *data, unsigned len,
			  bool is_write)
{
	struct config_write w = { .d = d, .offset = (unsigned)offset, .len = len, .data = data };
	unsigned n;

	if (is_write) {
		if (offset <= d->config_len && len <= d->config_len - offset &&
		    d->ops->config_written)
			machine_call(d->m, config_write, &w);
		return;
	}
	memset(data, 0, len);
	if (offset >= d->config_len)
		return;
	n = d->config_len - (unsigned)offset;
	memcpy(data, (uint8_t *)d->config + offset, n < len ? n : len);
}

static void reg_access(struct virtio_dev *d, uint64_t offset, void *data, unsigned len,
		       bool is_write)
{
	uint32_t v = 0;

	if (len != 4 || offset & 3) { /* 4.2.2.2: 32 bits wide and aligned */
		if (!is_write)
			memset(data, 0, len);
		return;
	}
	pthread_mutex_lock(&d->lock);
	if (is_write) {
		memcpy(&v, data, 4);
		reg_write(d, offset, v);
	} else {
		v = offset == VIRTIO_MMIO_SHM_LEN_LOW || offset == VIRTIO_MMIO_SHM_LEN_HIGH
			    ? 0xffffffffu
			    : reg_read(d, offset);
		memcpy(data, &v, 4);
	}
	pthread_mutex_unlock(&d->lock);
}

bool virtio_mmio_access(struct machine *m, uint64_t gpa, void *data, unsigned len, bool is_write)
{
	uint64_t slot = (gpa - VIRTIO_BASE) / VIRTIO_STRIDE, offset = gpa % VIRTIO_STRIDE;
	struct virtio_dev *d;

	if (gpa < VIRTIO_BASE || slot >= m->nr_devs || offset + len > VIRTIO_STRIDE)
		return false;
	d = m->devs[slot];
	if (offset >= VIRTIO_MMIO_CONFIG)
		config_access(d, offset - VIRTIO_MMIO_CONFIG, data, len, is_write);
	else
		reg_access(d, offset, data, len, is_write);
	return true;
}

static void kicked(struct source *s, uint32_t events)
{
	struct virtqueue *q = container_of(s, struct virtqueue, kick);

	(void)events;
	if (event_take(s) && q->is_live)
		q->dev->ops->notify(q->dev, q->index);
}

/* One eventfd per queue, written by KVM when the guest writes the queue's number to QueueNotify. */
static int attach_queue(struct machine *m, struct virtio_dev *d, unsigned i, struct err *e)
{
	struct virtqueue *q = &d->vq[i];

	*q = (struct virtqueue){ .dev = d, .index = i };
	if (event_watch(&m->loop, &q->kick, kicked, e) < 0)
		return err_wrap(e, "cannot watch a queue of %s", d->ops->name);
	return machine_ioeventfd(m,
				 VIRTIO_BASE + d->slot * VIRTIO_STRIDE + VIRTIO_MMIO_QUEUE_NOTIFY,
				 i, q->kick.fd, e);
}

int virtio_mmio_attach(struct machine *m, struct virtio_dev *d, struct err *e)
{
	unsigned i;

	d->m = m;
	d->features |= 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_EVENT_IDX;
	if (!d->nr_queues)
		d->nr_queues = d->ops->nr_queues;
	pthread_mutex_init(&d->lock, NULL);
	d->irq_fd = machine_irqfd(m, VIRTIO_FIRST_GSI + d->slot % VIRTIO_NR_GSI, e);
	if (d->irq_fd < 0)
		return -1;
	for (i = 0; i < d->nr_queues; i++) {
		if (attach_queue(m, d, i, e) < 0)
			return -1;
	}
	return 0;
}

void virtio_mmio_detach(struct virtio_dev *d)
{
	unsigned i;

	for (i = 0; i < VIRTIO_MAX_QUEUES; i++)
		event_unwatch(&d->vq[i].kick);
	close_p(&d->irq_fd);
	pthread_mutex_destroy(&d->lock);
}
