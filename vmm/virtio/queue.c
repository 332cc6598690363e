/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split virtqueues, virtio 1.2 section 2.7.  Every field of guest memory is read once; every
 * descriptor is copied, checked, and the copy used.
 */
#include <string.h>
#include <unistd.h>

#include "vmm/event.h"
#include "vmm/machine.h"
#include "vmm/virtio/virtio.h"

/* Behind the rings, when VIRTIO_RING_F_EVENT_IDX was taken (2.7.7, 2.7.8). */
static uint16_t *used_event(const struct virtqueue *q)
{
	return &q->avail->ring[q->size];
}

static uint16_t *avail_event(const struct virtqueue *q)
{
	return (uint16_t *)&q->used->ring[q->size];
}

static bool has_event_idx(const struct virtqueue *q)
{
	return virtio_has(q->dev, VIRTIO_RING_F_EVENT_IDX);
}

bool vq_latch(struct virtio_dev *d, unsigned index)
{
	struct virtqueue *q = &d->vq[index];
	const struct guest_mem *m = &d->m->mem;
	uint32_t n = d->regs.q[index].size;
	uint64_t desc = d->regs.q[index].desc, avail = d->regs.q[index].avail,
		 used = d->regs.q[index].used;

	if (!n || n > d->ops->queue_max || n & (n - 1) || desc & 15 || avail & 1 || used & 3)
		return false;
	/* 2.7.6, 2.7.8: two bytes more for the event index, whether it is used or not */
	q->desc = mem_at(m, desc, 16ull * n);
	q->avail = mem_at(m, avail, 6 + 2ull * n);
	q->used = mem_at(m, used, 6 + 8ull * n);
	if (!q->desc || !q->avail || !q->used)
		return false;
	q->size = (uint16_t)n;
	q->next_avail = q->next_used = q->signalled = 0;
	q->is_live = true;
	return true;
}

static struct vring_desc desc_copy(const struct virtqueue *q, uint16_t i)
{
	const volatile struct vring_desc *d = &q->desc[i];

	return (struct vring_desc){
		.addr = d->addr, .len = d->len, .flags = d->flags, .next = d->next
	};
}

static int broken(struct virtqueue *q, const char *id, const char *what)
{
	virtio_violation(q->dev, id, what);
	return -1;
}

/* Puts one checked descriptor into the chain; empty ones are skipped (V04). */
static int chain_add(struct virtqueue *q, struct vq_chain *c, const struct vring_desc *d)
{
	bool is_in = d->flags & VRING_DESC_F_WRITE;
	struct iovec v = { .iov_len = d->len };

	if (d->flags & VRING_DESC_F_INDIRECT)
		return broken(q, "V09", "an indirect descriptor, which was not offered");
	if (!d->len)
		return 0;
	if (!is_in && c->nr_in) {
		c->out_of_order = true;
		return 0;
	}
	v.iov_base = mem_at(&q->dev->m->mem, d->addr, d->len);
	if (!v.iov_base)
		return broken(q, d->addr + d->len < d->addr ? "V05" : "V06",
			      "a descriptor points outside of memory");
	c->iov[c->nr_out + c->nr_in] = v;
	*(is_in ? &c->nr_in : &c->nr_out) += 1;
	*(is_in ? &c->in_len : &c->out_len) += d->len;
	return 0;
}

static int chain_collect(struct virtqueue *q, struct vq_chain *c)
{
	uint16_t i = c->head;
	unsigned steps;

	for (steps = 0; steps < q->size; steps++) {
		struct vring_desc d;

		if (i >= q->size)
			return broken(q, "V08", "a descriptor index outside of its queue");
		d = desc_copy(q, i);
		if (chain_add(q, c, &d) < 0)
			return -1;
		if (c->in_len + c->out_len > UINT32_MAX) /* 2.7.4.1 */
			return broken(q, "V02", "a request of more than 4 GiB");
		if (!(d.flags & VRING_DESC_F_NEXT))
			return 1;
		i = d.next;
	}
	return broken(q, "V01", "a descriptor chain longer than its queue, or a loop");
}

static uint16_t avail_idx(const struct virtqueue *q)
{
	return __atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE);
}

int vq_pop(struct virtqueue *q, struct vq_chain *c)
{
	uint16_t waiting;

	if (!q->is_live)
		return 0;
	waiting = (uint16_t)(avail_idx(q) - q->next_avail);
	if (!waiting)
		return 0;
	if (waiting > q->size)
		return broken(q, "V03", "the available index jumped");
	c->head = *(volatile uint16_t *)&q->avail->ring[q->next_avail & (q->size - 1)];
	c->nr_out = c->nr_in = 0;
	c->out_len = c->in_len = 0;
	c->out_of_order = false;
	q->next_avail++;
	return chain_collect(q, c);
}

void vq_unpop(struct virtqueue *q)
{
	q->next_avail--;
}

void vq_push_all(struct virtqueue *q, const struct vring_used_elem *e, unsigned n)
{
	unsigned i;

	if (!q->is_live)
		return;
	for (i = 0; i < n; i++) {
		volatile struct vring_used_elem *u = &q->used->ring[q->next_used++ & (q->size - 1)];

		u->id = e[i].id;
		u->len = e[i].len;
	}
	__atomic_store_n(&q->used->idx, q->next_used, __ATOMIC_RELEASE);
}

void vq_push(struct virtqueue *q, uint16_t head, uint32_t written)
{
	struct vring_used_elem e = { .id = head, .len = written };

	vq_push_all(q, &e, 1);
}

static bool wants_interrupt(struct virtqueue *q)
{
	uint16_t old = q->signalled, event;

	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* used.idx is out before the wish is read */
	q->signalled = q->next_used;
	if (!has_event_idx(q))
		return !(*(volatile uint16_t *)&q->avail->flags & VRING_AVAIL_F_NO_INTERRUPT);
	event = *(volatile uint16_t *)used_event(q);
	return vring_need_event(event, q->next_used, old);
}

void virtio_signal(struct virtqueue *q)
{
	if (q->is_live && q->signalled != q->next_used && wants_interrupt(q))
		virtio_interrupt(q->dev, VIRTIO_INT_QUEUE);
}

void vq_disable_kicks(struct virtqueue *q)
{
	if (q->is_live && !has_event_idx(q))
		*(volatile uint16_t *)&q->used->flags = VRING_USED_F_NO_NOTIFY;
}

bool vq_enable_kicks(struct virtqueue *q)
{
	if (!q->is_live)
		return false;
	if (has_event_idx(q))
		*(volatile uint16_t *)avail_event(q) = q->next_avail;
	else
		*(volatile uint16_t *)&q->used->flags = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return avail_idx(q) != q->next_avail;
}

int vq_pop_or_wait(struct virtqueue *q, struct vq_chain *c)
{
	int r;

	do
		r = vq_pop(q, c);
	while (r == 0 && vq_enable_kicks(q));
	return r;
}

void vq_lend(struct virtqueue *q, bool is_lent)
{
	loop_set_events(&q->kick, is_lent ? 0 : EPOLLIN);
}

void vq_kick_again(struct virtqueue *q)
{
	if (q->is_live)
		event_tell(q->kick.fd);
}

unsigned iov_skip(struct iovec **iov, unsigned n, uint64_t skip)
{
	for (; n && skip >= (*iov)->iov_len; n--)
		skip -= (*iov)++->iov_len;
	if (n) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + skip;
		(*iov)->iov_len -= skip;
	}
	return n;
}

/* Copies up to @len bytes from @offset on in @n buffers; @to_buf says which way. */
static size_t iov_copy(const struct iovec *iov, unsigned n, size_t offset, uint8_t *buf, size_t len,
		       bool to_buf)
{
	size_t done = 0;
	unsigned i;

	for (i = 0; i < n && done < len; i++) {
		size_t part = iov[i].iov_len;
		uint8_t *at = iov[i].iov_base;

		if (offset >= part) {
			offset -= part;
			continue;
		}
		at += offset;
		part -= offset;
		offset = 0;
		if (part > len - done)
			part = len - done;
		memcpy(to_buf ? buf + done : at, to_buf ? at : buf + done, part);
		done += part;
	}
	return done;
}

size_t iov_write(const struct iovec *iov, unsigned n, size_t offset, const void *buf, size_t len)
{
	return iov_copy(iov, n, offset, (uint8_t *)(uintptr_t)buf, len, false);
}

size_t chain_read(const struct vq_chain *c, size_t offset, void *buf, size_t len)
{
	return iov_copy(c->iov, c->nr_out, offset, buf, len, true);
}

size_t chain_write(const struct vq_chain *c, size_t offset, const void *buf, size_t len)
{
	return iov_write(c->iov + c->nr_out, c->nr_in, offset, buf, len);
}
