/* SPDX-License-Identifier: Apache-2.0 */
/* The entropy device, virtio 1.2 section 5.4: the simplest device, a model for others. */
#include "vmm/virtio/rng.h"

#include <linux/virtio_ids.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "vmm/ratelimit.h"

/* Of one request; a guest that wants more asks again (V21). */
#define RNG_MAX 4096u

/* Unless the description says otherwise: more than a guest needs, less than would load the host. */
#define RNG_RATE (1u << 20)

struct rng {
	struct virtio_dev dev;
	struct limit limit;
};

static void rng_notify(struct virtio_dev *d, unsigned index)
{
	struct rng *r = container_of(d, struct rng, dev);
	struct virtqueue *q = &d->vq[index];
	struct vq_chain c;
	uint8_t buf[RNG_MAX];
	unsigned n;

	/* A request counts as 64 bytes at least, and a turn ends after a queue full. */
	for (n = 0; n < q->size && limit_open(&r->limit) && vq_pop(q, &c) > 0; n++) {
		size_t want = c.in_len < RNG_MAX ? c.in_len : RNG_MAX;
		ssize_t got = c.out_of_order ? 0 : getrandom(buf, want, 0);

		limit_charge(&r->limit, want < 64 ? 64 : want, 1);
		vq_push(q, c.head, got > 0 ? (uint32_t)chain_write(&c, 0, buf, (size_t)got) : 0);
	}
	virtio_signal(q);
	if (limit_open(&r->limit) && (n == q->size || vq_enable_kicks(q)))
		vq_kick_again(q);
}

static void opened(struct limit *l)
{
	rng_notify(&container_of(l, struct rng, limit)->dev, 0);
}

static void rng_destroy(struct virtio_dev *d)
{
	struct rng *r = container_of(d, struct rng, dev);

	limit_close(&r->limit);
	free(r);
}

static const struct virtio_ops rng_ops = {
	.name = "rng",
	.id = VIRTIO_ID_RNG,
	.nr_queues = 1,
	.queue_max = 64,
	.notify = rng_notify,
	.destroy = rng_destroy,
};

struct virtio_dev *rng_new(struct loop *l, const struct spec_limit *limit, struct err *e)
{
	struct spec_limit most = *limit;
	struct rng *r = xcalloc(1, sizeof(*r));

	r->dev.ops = &rng_ops;
	if (!most.bytes)
		most.bytes = RNG_RATE;
	if (limit_init(&r->limit, l, &most, opened, e) < 0) {
		free(r);
		return NULL;
	}
	return &r->dev;
}
