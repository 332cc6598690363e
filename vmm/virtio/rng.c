/* SPDX-License-Identifier: Apache-2.0 */
/* The entropy device, virtio 1.2 section 5.4: the simplest device, a model for others. */
#include "vmm/virtio/rng.h"

#include <linux/virtio_ids.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/strbuf.h"

/* Of one request; a guest that wants more asks again (V21). */
#define RNG_MAX 4096u

static void rng_notify(struct virtio_dev *d, unsigned index)
{
	struct virtqueue *q = &d->vq[index];
	struct vq_chain c;
	uint8_t buf[RNG_MAX];

	while (vq_pop(q, &c) > 0) {
		size_t want = c.in_len < RNG_MAX ? c.in_len : RNG_MAX;
		ssize_t n = c.out_of_order ? 0 : getrandom(buf, want, 0);

		vq_push(q, c.head, n > 0 ? (uint32_t)chain_write(&c, 0, buf, (size_t)n) : 0);
	}
	virtio_signal(q);
}

static void rng_destroy(struct virtio_dev *d)
{
	free(d);
}

static const struct virtio_ops rng_ops = {
	.name = "rng",
	.id = VIRTIO_ID_RNG,
	.nr_queues = 1,
	.queue_max = 64,
	.notify = rng_notify,
	.destroy = rng_destroy,
};

struct virtio_dev *rng_new(void)
{
	struct virtio_dev *d = xcalloc(1, sizeof(*d));

	d->ops = &rng_ops;
	return d;
}
