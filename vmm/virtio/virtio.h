/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: virtio devices and their transport (virtio 1.2 sections 2 and 4.2)
 *
 * A device is a constant struct virtio_ops and a struct that embeds struct virtio_dev first.  It
 * lives in the event loop: all of its ops are called there, so that it needs no lock.
 *
 * The transport (mmio.c) answers register accesses in the vCPU's thread, under the lock of its
 * registers.  What changes a device's state, DRIVER_OK, reset and config writes, the vCPU hands to
 * the loop and waits.  Queue geometry lives in registers until DRIVER_OK, is then checked and
 * latched into struct virtqueue, and does not change until reset, whatever the guest writes.
 *
 * Guest to device: ioeventfd per queue -> the loop -> ops->notify.  Device to guest:
 * virtio_interrupt() -> irqfd.
 *
 * No indirect descriptors, no packed rings.  A guest that breaks the rules of a ring ends its
 * machine: virtio_violation(), with the number of reference/threats.md section 2.1.
 */
#ifndef VPOD_VMM_VIRTIO_H
#define VPOD_VMM_VIRTIO_H

#include <linux/virtio_ring.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/loop.h"
#include "vmm/mem.h"

#define VIRTIO_MAX_QUEUES 12
#define VQ_MAX_SIZE 256 /* descriptors, of any queue */

struct machine;
struct virtio_dev;

/* A request: its buffers that the device reads, then those that it writes. */
struct vq_chain {
	uint16_t head;
	unsigned nr_out;  /* iov[0 .. nr_out): device reads */
	unsigned nr_in;	  /* iov[nr_out .. nr_out + nr_in): device writes */
	uint64_t out_len; /* bytes, below 2^32 */
	uint64_t in_len;
	bool out_of_order; /* a readable buffer came behind a writable one (2.7.4.2): no request */
	struct iovec iov[VQ_MAX_SIZE];
};

struct virtqueue {
	struct virtio_dev *dev;
	unsigned index;
	struct source kick; /* the ioeventfd */

	/* Latched at DRIVER_OK; owner: loop. */
	bool is_live;
	uint16_t size; /* a power of two */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_avail; /* of the avail ring, where vq_pop() goes on */
	uint16_t next_used;
	uint16_t signalled; /* next_used at the last interrupt */
};

struct virtio_ops {
	const char *name;
	uint32_t id; /* VIRTIO_ID_* */
	unsigned nr_queues;
	uint16_t queue_max; /* <= VQ_MAX_SIZE */
	/* DRIVER_OK came and the queues are live. */
	int (*activate)(struct virtio_dev *d, struct err *e); /* may be NULL */
	/* The guest says that there are buffers in queue @q. Also called without a reason. */
	void (*notify)(struct virtio_dev *d, unsigned q);
	/* Forgets everything that came from the driver; no I/O in flight afterwards. */
	void (*reset)(struct virtio_dev *d); /* may be NULL */
	/* The guest wrote config; d->config has the bytes already. NULL: writes are ignored. */
	void (*config_written)(struct virtio_dev *d, unsigned offset, unsigned len);
	void (*destroy)(struct virtio_dev *d);
};

struct virtio_dev {
	const struct virtio_ops *ops;
	struct machine *m;
	unsigned nr_queues; /* at most ops->nr_queues */
	uint64_t features;  /* offered; set before the machine starts */
	uint64_t acked;	    /* and taken by the driver; latched at FEATURES_OK */
	void *config;	    /* device config space, little-endian; part of the device's struct */
	unsigned config_len;
	const char *label; /* a disk's serial number; NULL: none */
	bool is_active;	   /* between DRIVER_OK and reset; owner: loop */
	struct virtqueue vq[VIRTIO_MAX_QUEUES];

	/* Of the transport, mmio.c. */
	unsigned slot;
	int irq_fd;	      /* irqfd of its line */
	uint32_t isr;	      /* atomic: VIRTIO_MMIO_INT_* */
	uint32_t isr_always;  /* read as well, whatever was acknowledged: of a lent irq_fd */
	pthread_mutex_t lock; /* of regs */
	struct virtio_regs {
		uint32_t status, features_sel, acked_sel, queue_sel, generation;
		uint64_t acked;
		struct {
			uint32_t size, ready;
			uint64_t desc, avail, used;
		} q[VIRTIO_MAX_QUEUES];
	} regs;
};

static inline bool virtio_has(const struct virtio_dev *d, unsigned bit)
{
	return d->acked >> bit & 1;
}

/* Next request of @q: 1 and *c, 0 when there is none, -1 when the guest broke the ring (reported).
 */
int vq_pop(struct virtqueue *q, struct vq_chain *c);

/* As vq_pop(); when there is none, the driver is asked to notify of the next. */
int vq_pop_or_wait(struct virtqueue *q, struct vq_chain *c);

/* Takes back the last vq_pop(): it will be popped again. */
void vq_unpop(struct virtqueue *q);

/* Gives request @head back with @written bytes, then virtio_signal() after the last of a batch. */
void vq_push(struct virtqueue *q, uint16_t head, uint32_t written);

/* As vq_push() of each, but the driver sees all @n at once. */
void vq_push_all(struct virtqueue *q, const struct vring_used_elem *e, unsigned n);

/* Interrupts unless the driver asked for none. */
void virtio_signal(struct virtqueue *q);

/* No notifications of @q wanted (a wish), or wanted again: then true if requests came meanwhile. */
void vq_disable_kicks(struct virtqueue *q);
bool vq_enable_kicks(struct virtqueue *q);

/* Another process or the kernel takes the notifications of @q, or they come back to the loop. */
void vq_lend(struct virtqueue *q, bool is_lent);

/* As if the guest had notified: for a device that leaves requests to the loop's next turn. */
void vq_kick_again(struct virtqueue *q);

/* Tells the driver that the config space changed. Loop. */
void virtio_config_changed(struct virtio_dev *d);

/* The guest broke a rule: ends the machine with guest-violation:@id, once. Any thread. */
void virtio_violation(struct virtio_dev *d, const char *id, const char *what);

/* Takes the first @skip bytes of @n buffers away. Returns how many buffers are left. */
unsigned iov_skip(struct iovec **iov, unsigned n, uint64_t skip);

/* Copies @buf to @n buffers, from @offset on. Returns the bytes copied. */
size_t iov_write(const struct iovec *iov, unsigned n, size_t offset, const void *buf, size_t len);

/* Copies between a chain's buffers and @buf, from @offset on. Return the bytes copied. */
size_t chain_read(const struct vq_chain *c, size_t offset, void *buf, size_t len);
size_t chain_write(const struct vq_chain *c, size_t offset, const void *buf, size_t len);

/* Latches queue @index from the registers. False: its geometry is not sound. */
bool vq_latch(struct virtio_dev *d, unsigned index);

#endif
