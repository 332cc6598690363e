/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The balloon (virtio 1.2 section 5.5)
 *
 * Inflated and reported pages go back to the host at once; the guest finds zeros, or what a mapped
 * kernel file has there, when it touches them again.  So deflating needs no action.
 *
 * Queues 0 and 1 inflate and deflate.  The numbers of the others depend on the driver: Linux before
 * 6.11 numbers only those whose feature it took, the specification numbers them all.  We offer no
 * free-page hints, whose queue would be 3, so that either way is understood: see role().
 */
#include "vmm/virtio/balloon.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "vmm/machine.h"

#define PAGE 4096ull
#define MAX_PFNS 4096u /* of one request; Linux sends 256 */
#define MAX_STATS 32u  /* of one report */

struct balloon {
	struct virtio_dev dev;
	struct virtio_balloon_config config;
	uint64_t target; /* pages */
	bool has_buffer; /* the guest's for statistics, that we keep until we ask */
	uint16_t buffer;
	uint64_t told_at;
	struct balloon_stats stats;
};

enum role { INFLATE, DEFLATE, STATS, REPORTING };

static enum role role(const struct virtio_dev *d, unsigned index)
{
	if (index < 2)
		return index ? DEFLATE : INFLATE;
	return index == 2 && virtio_has(d, VIRTIO_BALLOON_F_STATS_VQ) ? STATS : REPORTING;
}

/* [host, host + len) of guest memory, whole pages, goes back to the host. */
static void discard(struct balloon *b, uint8_t *host, uint64_t len)
{
	int how = b->dev.m->mem.fd < 0 ? MADV_DONTNEED : MADV_REMOVE;

	if (len && madvise(host, len, how) == 0)
		b->stats.discarded += len;
}

/* A list of page numbers; neighbours are discarded together. */
static int inflate(struct balloon *b, const struct vq_chain *c)
{
	uint8_t *start = NULL, *end = NULL;
	uint32_t pfns[256];
	size_t i, n, offset = 0;

	while (offset < MAX_PFNS * sizeof(*pfns) &&
	       (n = chain_read(c, offset, pfns, sizeof(pfns)) / sizeof(*pfns)) > 0) {
		offset += n * sizeof(*pfns);
		for (i = 0; i < n; i++) {
			uint8_t *page = mem_at(&b->dev.m->mem, pfns[i] * PAGE, PAGE);

			if (!page) {
				virtio_violation(&b->dev, "V06", "a page that is not in memory");
				return -1;
			}
			if (start && page == end) {
				end += PAGE;
			} else if (start && page + PAGE == start) {
				start = page;
			} else {
				discard(b, start, (uint64_t)(end - start));
				start = page;
				end = page + PAGE;
			}
		}
	}
	discard(b, start, (uint64_t)(end - start));
	return 0;
}

/* The buffers themselves are the free pages (5.5.6.6). */
static void report(struct balloon *b, const struct vq_chain *c)
{
	unsigned i;

	for (i = 0; i < c->nr_in; i++) {
		const struct iovec *v = &c->iov[c->nr_out + i];
		uint8_t *base = v->iov_base;
		size_t skip = -(uintptr_t)base & (PAGE - 1);

		if (v->iov_len > skip)
			discard(b, base + skip, (v->iov_len - skip) & ~(PAGE - 1));
	}
}

static void take_stats(struct balloon *b, const struct vq_chain *c)
{
	struct virtio_balloon_stat s[MAX_STATS];
	size_t i, n = chain_read(c, 0, s, sizeof(s)) / sizeof(*s);

	for (i = 0; i < n; i++) {
		if (s[i].tag >= VIRTIO_BALLOON_S_NR)
			continue;
		b->stats.guest[s[i].tag] = s[i].val;
		b->stats.told |= 1u << s[i].tag;
	}
	b->told_at = now_ns();
}

static void ask_stats(struct balloon *b)
{
	if (!b->has_buffer)
		return;
	b->has_buffer = false;
	vq_push(&b->dev.vq[2], b->buffer, 0);
	virtio_signal(&b->dev.vq[2]);
}

static int handle(struct balloon *b, struct virtqueue *q, const struct vq_chain *c)
{
	switch (role(&b->dev, q->index)) {
	case INFLATE:
		if (inflate(b, c) < 0)
			return -1;
		break;
	case DEFLATE:
		break;
	case REPORTING:
		report(b, c);
		break;
	case STATS:
		take_stats(b, c);
		ask_stats(b); /* one is enough to keep */
		b->has_buffer = true;
		b->buffer = c->head;
		return 0;
	}
	vq_push(q, c->head, 0);
	return 0;
}

static void balloon_notify(struct virtio_dev *d, unsigned index)
{
	struct balloon *b = container_of(d, struct balloon, dev);
	struct virtqueue *q = &d->vq[index];
	struct vq_chain c;
	unsigned n;

	for (n = 0; n < q->size; n++) {
		if (vq_pop(q, &c) <= 0 || handle(b, q, &c) < 0)
			break;
	}
	virtio_signal(q);
	if (n == q->size || vq_enable_kicks(q))
		vq_kick_again(q);
}

static void balloon_reset(struct virtio_dev *d)
{
	struct balloon *b = container_of(d, struct balloon, dev);

	b->has_buffer = false;
	b->config.actual = 0;
}

/* Only how much it gave is the driver's to write. */
static void balloon_config_written(struct virtio_dev *d, unsigned offset, unsigned len)
{
	struct balloon *b = container_of(d, struct balloon, dev);

	(void)offset;
	(void)len;
	b->config.num_pages = (uint32_t)b->target;
}

static void balloon_destroy(struct virtio_dev *d)
{
	free(container_of(d, struct balloon, dev));
}

static const struct virtio_ops balloon_ops = {
	.name = "balloon",
	.id = VIRTIO_ID_BALLOON,
	.nr_queues = 5,
	.queue_max = 128,
	.notify = balloon_notify,
	.reset = balloon_reset,
	.config_written = balloon_config_written,
	.destroy = balloon_destroy,
};

struct virtio_dev *balloon_new(const struct spec_balloon *spec)
{
	struct balloon *b = xcalloc(1, sizeof(*b));

	b->dev.ops = &balloon_ops;
	b->dev.config = &b->config;
	b->dev.config_len = offsetof(struct virtio_balloon_config, free_page_hint_cmd_id);
	b->dev.features = 1ull << VIRTIO_BALLOON_F_DEFLATE_ON_OOM;
	if (spec->has_stats)
		b->dev.features |= 1ull << VIRTIO_BALLOON_F_STATS_VQ;
	if (spec->has_reporting)
		b->dev.features |= 1ull << VIRTIO_BALLOON_F_REPORTING;
	b->target = spec->target / PAGE;
	b->config.num_pages = (uint32_t)b->target;
	return &b->dev;
}

void balloon_set_target(struct virtio_dev *d, uint64_t bytes)
{
	struct balloon *b = container_of(d, struct balloon, dev);

	b->target = (bytes < d->m->mem.size ? bytes : d->m->mem.size) / PAGE;
	__atomic_store_n(&b->config.num_pages, (uint32_t)b->target, __ATOMIC_SEQ_CST);
	virtio_config_changed(d);
}

void balloon_stats(struct virtio_dev *d, struct balloon_stats *out)
{
	struct balloon *b = container_of(d, struct balloon, dev);

	*out = b->stats;
	out->target = b->target * PAGE;
	out->actual = b->config.actual * PAGE;
	out->age = b->told_at ? now_ns() - b->told_at : UINT64_MAX;
	ask_stats(b);
}
