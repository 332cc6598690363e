/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The file system device, virtio 1.2 section 5.11
 *
 * Nothing of FUSE is here.  An external server, virtiofsd, has the guest's memory and the queues;
 * the guest's notifications go to it by the queues' ioeventfds, its interrupts go to the guest by
 * the device's irqfd.  While it works, this process sees neither: so the interrupt status says
 * "a queue" all the time (d->isr_always), and a driver that looks finds used buffers or none.
 *
 * The rings' contents are between guest and server; their place in memory was checked by
 * vq_latch().  A server that goes away or does not answer ends the machine: its guest would hang.
 */
#include "vmm/virtio/fs.h"

#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "vmm/machine.h"
#include "vmm/virtio/vhost_user.h"

struct fs {
	struct virtio_dev d;
	struct virtio_fs_config config;
	struct vhost_user backend;
	struct source src; /* its socket, from the first activation on */
};

static void fs_failed(struct fs *f, const char *why)
{
	machine_end(f->d.m, END_FAILED, "cannot go on with shared directory '%.36s': %s",
		    (const char *)f->config.tag, why);
}

/* The server says nothing without being asked: this is its end, or a breach. */
static void backend_ready(struct source *s, uint32_t events)
{
	struct fs *f = container_of(s, struct fs, src);

	loop_remove(s);
	fs_failed(f, events & EPOLLHUP ? "its server went away" : "its server broke the protocol");
}

static int fs_activate(struct virtio_dev *d, struct err *e)
{
	struct fs *f = container_of(d, struct fs, d);
	unsigned i;

	if (vhost_user_start(&f->backend, &d->m->mem, d->acked, e) < 0)
		return -1;
	__atomic_store_n(&d->isr_always, VIRTIO_INT_QUEUE, __ATOMIC_SEQ_CST);
	for (i = 0; i < d->nr_queues; i++) {
		if (!d->vq[i].is_live)
			continue;
		vq_lend(&d->vq[i], true);
		if (vhost_user_start_queue(&f->backend, &d->vq[i], d->irq_fd, e) < 0)
			return -1;
	}
	return f->src.loop
		       ? 0
		       : loop_add(&d->m->loop, &f->src, f->backend.fd, EPOLLIN, backend_ready, e);
}

/* Only from vq_kick_again() and at activation: the server is to look. */
static void fs_notify(struct virtio_dev *d, unsigned index)
{
	vq_kick_again(&d->vq[index]);
}

static void fs_reset(struct virtio_dev *d)
{
	struct fs *f = container_of(d, struct fs, d);
	struct err e;
	unsigned i;

	for (i = 0; i < d->nr_queues; i++) {
		if (!d->vq[i].is_live)
			continue;
		if (vhost_user_stop_queue(&f->backend, &d->vq[i], &e) < 0)
			fs_failed(f, e.msg); /* it may still write to memory: no way back */
		vq_lend(&d->vq[i], false);
	}
	__atomic_store_n(&d->isr_always, 0, __ATOMIC_SEQ_CST);
}

static void fs_destroy(struct virtio_dev *d)
{
	struct fs *f = container_of(d, struct fs, d);

	loop_remove(&f->src);
	free(f);
}

static const struct virtio_ops fs_ops = {
	.name = "fs",
	.id = VIRTIO_ID_FS,
	.nr_queues = 1 + SPEC_MAX_FS_QUEUES,
	.queue_max = VQ_MAX_SIZE,
	.activate = fs_activate,
	.notify = fs_notify,
	.reset = fs_reset,
	.destroy = fs_destroy,
};

struct virtio_dev *fs_new(const struct spec_fs *s, struct err *e)
{
	struct fs *f = xcalloc(1, sizeof(*f));
	uint64_t features;

	f->d.ops = &fs_ops;
	f->d.nr_queues = 1 + s->nr_queues; /* the first one is for urgent requests */
	f->d.config = &f->config;
	f->d.config_len = sizeof(f->config);
	memcpy(f->config.tag, s->tag, strlen(s->tag));
	f->config.num_request_queues = s->nr_queues;
	if (vhost_user_init(&f->backend, s->file.fd, f->d.nr_queues, &features, e) < 0) {
		free(f);
		return NULL;
	}
	return &f->d;
}
