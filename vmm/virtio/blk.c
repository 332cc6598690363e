/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: Disks (virtio 1.2 section 5.2)
 *
 * A request moves between guest memory and the file without a copy.  It goes forward in
 * steps, blk_step(): up to the end of a file, or as far as a short read came; most need one.
 *
 * What a request needs lies in the disk's own struct, so that nothing is allocated while the
 * machine runs: a slot, and for its buffers some consecutive units of the pool of iovecs.  A driver
 * that keeps the rules never uses up the pool; for others the queue waits.
 *
 * The cache is write-back: done means that the host's kernel has it; a flush means that the storage
 * has it.  A driver that does not take VIRTIO_BLK_F_FLUSH gets write-through (5.2.6.2).
 *
 * A request that breaks the rules of the disk gets an error status (V18, V19); one that breaks
 * those of the ring ends the machine, see queue.c.
 */
#include "vmm/virtio/blk.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "vmm/machine.h"
#include "vmm/ratelimit.h"
#include "vmm/virtio/blk_disk.h"

#define SECTOR 512u
#define SEG_MAX 126u		     /* two such requests fill the queue */
#define RANGE_MAX_SECTORS (1u << 22) /* of one discard or write-zeroes request: 2 GiB */
#define UNIT 8u			     /* iovecs */
#define MAX_TRIES 8

#define F(bit) (1ull << (bit))

struct request {
	struct io io;
	struct blk *b;
	uint64_t at, left; /* of the disk: bytes yet to be done */
	uint64_t cut;	   /* what blk_step() took off the last iovec of io */
	uint64_t len;
	uint8_t *status; /* in guest memory */
	uint32_t type, written;
	uint16_t head;
	uint8_t unit, nr_units, tries;
	bool is_synced;
};

struct blk {
	struct virtio_dev dev;
	struct virtio_blk_config config;
	struct io_engine *engine;
	struct io_client client;
	struct limit limit;
	struct blk_stats stats;
	struct disk disk;
	bool is_starved; /* the queue waits for a slot or units */
	char serial[VIRTIO_BLK_ID_BYTES];
	uint64_t used_slots, used_units; /* bit maps */
	struct request slots[BLK_MAX_IN_FLIGHT];
	struct iovec iovs[64 * UNIT];
};

_Static_assert(BLK_MAX_IN_FLIGHT == 64 && VQ_MAX_SIZE <= 32 * UNIT,
	       "a bit per slot and unit; the longest chain takes half of the units");

static struct virtqueue *queue(struct blk *b)
{
	return &b->dev.vq[0];
}

/* The answer of a request: its status byte, and its place in the used ring. */
static void answer(struct blk *b, uint16_t head, uint8_t *status, uint8_t code, uint32_t written)
{
	*(volatile uint8_t *)status = code;
	b->stats.errors += code != VIRTIO_BLK_S_OK;
	vq_push(queue(b), head, code == VIRTIO_BLK_S_OK ? written : 1);
	b->client.has_news = true;
}

static void finish(struct request *r, uint8_t code)
{
	struct blk *b = r->b;

	if (code == VIRTIO_BLK_S_OK) {
		b->stats.reads += r->type == VIRTIO_BLK_T_IN;
		b->stats.writes += r->type == VIRTIO_BLK_T_OUT;
		b->stats.flushes += r->type == VIRTIO_BLK_T_FLUSH;
		b->stats.others += r->type > VIRTIO_BLK_T_FLUSH;
		b->stats.read_bytes += r->type == VIRTIO_BLK_T_IN ? r->len : 0;
		b->stats.written_bytes += r->type == VIRTIO_BLK_T_OUT ? r->len : 0;
	}
	b->used_units &= ~(((1ull << r->nr_units) - 1) << r->unit);
	b->used_slots &= ~(1ull << (r - b->slots));
	answer(b, r->head, r->status, code, r->written);
}

static void submit(struct request *r, enum io_op op)
{
	r->io.op = op;
	io_submit(r->b->engine, &r->io);
}

/* The first @n bytes of the buffers are done. */
static void advance(struct request *r, uint64_t n)
{
	r->at += n;
	r->left -= n;
	while (n) {
		struct iovec *v = r->io.iov;
		size_t part = v->iov_len < n ? v->iov_len : n;

		v->iov_base = (uint8_t *)v->iov_base + part;
		v->iov_len -= part;
		n -= part;
		if (!v->iov_len)
			r->io.iov++;
	}
}

static void fill_zeros(struct request *r, uint64_t n)
{
	while (n) {
		const struct iovec *v = r->io.iov;
		size_t part = v->iov_len < n ? v->iov_len : n;

		memset(v->iov_base, 0, part);
		advance(r, part);
		n -= part;
	}
}

/* At most @max bytes of what is left. */
static void submit_data(struct request *r, const struct disk_part *p, uint64_t max)
{
	uint64_t want = r->left < max ? r->left : max, sum = 0;
	unsigned n = 0;

	while (sum < want)
		sum += r->io.iov[n++].iov_len;
	r->cut = sum - want;
	r->io.iov[n - 1].iov_len -= r->cut;
	r->io.nr_iov = n;
	r->io.file = p->file;
	r->io.offset = r->at - p->start;
	submit(r, r->type == VIRTIO_BLK_T_IN ? IO_READ : IO_WRITE);
}

static void blk_step(struct request *r)
{
	while (r->left) {
		const struct disk_part *p = disk_part_at(&r->b->disk, r->at);
		uint64_t in_part = r->at - p->start, pad;

		if (in_part < p->size) {
			submit_data(r, p, p->size - in_part);
			return;
		}
		pad = DISK_ALIGN - in_part % DISK_ALIGN;
		fill_zeros(r, pad < r->left ? pad : r->left);
	}
	if (r->type == VIRTIO_BLK_T_OUT && !virtio_has(&r->b->dev, VIRTIO_BLK_F_FLUSH) &&
	    !r->is_synced) {
		r->is_synced = true;
		submit(r, IO_SYNC);
		return;
	}
	finish(r, VIRTIO_BLK_S_OK);
}

static void io_done(struct io *io)
{
	struct request *r = container_of(io, struct request, io);
	int64_t n = io->result;

	if ((n == -EINTR || n == -EAGAIN) && r->tries++ < MAX_TRIES) {
		submit(r, io->op);
		return;
	}
	if (n == -EOPNOTSUPP && io->op == IO_ZERO) { /* a hole reads as zeros, too */
		submit(r, IO_PUNCH);
		return;
	}
	if (io->op != IO_READ && io->op != IO_WRITE) {
		finish(r, n == 0	     ? VIRTIO_BLK_S_OK
			  : n == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP
					     : VIRTIO_BLK_S_IOERR);
		return;
	}
	if (n <= 0) { /* 0: the file is shorter than it was */
		finish(r, VIRTIO_BLK_S_IOERR);
		return;
	}
	io->iov[io->nr_iov - 1].iov_len += r->cut;
	advance(r, (uint64_t)n);
	blk_step(r);
}

/* @n consecutive units, or -1. */
static int take_units(struct blk *b, unsigned n)
{
	uint64_t mask = (1ull << n) - 1;
	unsigned i;

	for (i = 0; i + n <= 64; i++) {
		if (!(b->used_units >> i & mask)) {
			b->used_units |= mask << i;
			return (int)i;
		}
	}
	return -1;
}

/* Bytes [skip, skip + r->len) of @n buffers become the request's. False: no room now. */
static bool take_buffers(struct blk *b, struct request *r, struct iovec *v, unsigned n,
			 uint64_t skip)
{
	uint64_t left = r->len, part;
	int unit;
	struct iovec *to;

	r->nr_units = (uint8_t)((n + UNIT - 1) / UNIT);
	unit = take_units(b, r->nr_units);
	if (unit < 0)
		return false;
	r->unit = (uint8_t)unit;
	r->io.iov = to = &b->iovs[(unsigned)unit * UNIT];
	iov_skip(&v, n, skip);
	for (; left; v++, left -= part) {
		part = v->iov_len < left ? v->iov_len : left;
		*to++ = (struct iovec){ v->iov_base, part };
	}
	return true;
}

static bool is_in_disk(const struct blk *b, uint64_t sector, uint64_t nr)
{
	return sector <= b->config.capacity && nr <= b->config.capacity - sector;
}

struct header { /* what the driver asks for, copied once */
	uint32_t type;
	uint64_t sector;
	struct virtio_blk_discard_write_zeroes range;
	uint64_t len; /* of the data */
};

/* Copies and checks the request; a status if it is over already, or -1. */
static int check_request(struct blk *b, const struct vq_chain *c, struct header *h)
{
	struct virtio_blk_outhdr hdr;
	bool is_out;

	if (c->out_of_order || chain_read(c, 0, &hdr, sizeof(hdr)) < sizeof(hdr))
		return VIRTIO_BLK_S_IOERR;
	*h = (struct header){ .type = hdr.type, .sector = hdr.sector };
	is_out = h->type == VIRTIO_BLK_T_OUT || h->type == VIRTIO_BLK_T_DISCARD ||
		 h->type == VIRTIO_BLK_T_WRITE_ZEROES;
	h->len = is_out ? c->out_len - sizeof(hdr) : c->in_len - 1;
	if (is_out ? c->in_len != 1 : c->out_len != sizeof(hdr))
		return VIRTIO_BLK_S_IOERR;
	if (is_out && b->disk.is_readonly) /* V19 */
		return VIRTIO_BLK_S_IOERR;
	switch (h->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return h->len % SECTOR || !is_in_disk(b, h->sector, h->len / SECTOR)
			       ? VIRTIO_BLK_S_IOERR
			       : -1;
	case VIRTIO_BLK_T_FLUSH:
		return virtio_has(&b->dev, VIRTIO_BLK_F_FLUSH) ? -1 : VIRTIO_BLK_S_UNSUPP;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		if (!virtio_has(&b->dev, h->type == VIRTIO_BLK_T_DISCARD
						 ? VIRTIO_BLK_F_DISCARD
						 : VIRTIO_BLK_F_WRITE_ZEROES))
			return VIRTIO_BLK_S_UNSUPP;
		break;
	case VIRTIO_BLK_T_GET_ID:
		return h->len < sizeof(b->serial) ||
				       chain_write(c, 0, b->serial, sizeof(b->serial)) !=
					       sizeof(b->serial)
			       ? VIRTIO_BLK_S_IOERR
			       : VIRTIO_BLK_S_OK;
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
	/* one range: max_discard_seg and max_write_zeroes_seg are 1 */
	if (h->len != sizeof(h->range) ||
	    chain_read(c, sizeof(hdr), &h->range, sizeof(h->range)) != sizeof(h->range))
		return VIRTIO_BLK_S_IOERR;
	if (h->range.flags &
	    ~(h->type == VIRTIO_BLK_T_DISCARD ? 0u : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP))
		return VIRTIO_BLK_S_UNSUPP;
	if (h->range.num_sectors > RANGE_MAX_SECTORS ||
	    !is_in_disk(b, h->range.sector, h->range.num_sectors))
		return VIRTIO_BLK_S_IOERR;
	return h->range.num_sectors ? -1 : VIRTIO_BLK_S_OK;
}

/* False: there are no units for its buffers now. There is a slot. */
static bool start(struct blk *b, struct vq_chain *c)
{
	const struct iovec *last;
	unsigned slot = (unsigned)__builtin_ctzll(~b->used_slots);
	struct request *r = &b->slots[slot];
	struct header h;
	uint8_t *status;
	int over;

	if (!c->nr_in) { /* not even a place for an error */
		b->stats.errors++;
		vq_push(queue(b), c->head, 0);
		return true;
	}
	last = &c->iov[c->nr_out + c->nr_in - 1];
	status = (uint8_t *)last->iov_base + last->iov_len - 1;
	over = check_request(b, c, &h);
	if (over >= 0) {
		limit_charge(&b->limit, 0, 1);
		answer(b, c->head, status, (uint8_t)over, (uint32_t)c->in_len);
		return true;
	}
	*r = (struct request){
		.b = b, .type = h.type, .head = c->head, .status = status, .written = 1
	};
	r->io.done = io_done;
	if (h.type == VIRTIO_BLK_T_IN || h.type == VIRTIO_BLK_T_OUT) {
		bool is_in = h.type == VIRTIO_BLK_T_IN;

		r->at = h.sector * SECTOR;
		r->len = r->left = h.len;
		r->written = is_in ? (uint32_t)c->in_len : 1;
		if (!take_buffers(b, r, is_in ? c->iov + c->nr_out : c->iov,
				  is_in ? c->nr_in : c->nr_out,
				  is_in ? 0 : sizeof(struct virtio_blk_outhdr)))
			return false;
	}
	b->used_slots |= 1ull << slot;
	limit_charge(&b->limit, h.len, 1);
	if (h.type == VIRTIO_BLK_T_IN || h.type == VIRTIO_BLK_T_OUT) {
		blk_step(r);
		return true;
	}
	r->io.file = b->disk.parts[0].file;
	r->io.offset = h.range.sector * SECTOR;
	r->io.len = h.range.num_sectors * (uint64_t)SECTOR;
	submit(r, h.type == VIRTIO_BLK_T_FLUSH ? IO_SYNC
		  : h.type == VIRTIO_BLK_T_DISCARD ||
				  h.range.flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP
			  ? IO_PUNCH
			  : IO_ZERO);
	return true;
}

/* As many as may be, at most a queue full. True: the queue is empty. */
static bool take_requests(struct blk *b)
{
	struct vq_chain c;
	unsigned n;
	int got;

	for (n = 0; n < VQ_MAX_SIZE; n++) {
		if (!limit_open(&b->limit))
			return false;
		b->is_starved = !~b->used_slots;
		if (b->is_starved)
			return false;
		got = vq_pop(queue(b), &c);
		if (got <= 0)
			return got == 0;
		if (!start(b, &c)) {
			vq_unpop(queue(b));
			b->is_starved = true;
			return false;
		}
	}
	vq_kick_again(queue(b)); /* others have their turn first */
	return false;
}

static void blk_notify(struct virtio_dev *d, unsigned index)
{
	struct blk *b = container_of(d, struct blk, dev);

	(void)index;
	vq_disable_kicks(queue(b));
	if (take_requests(b) && vq_enable_kicks(queue(b)))
		vq_kick_again(queue(b));
	io_commit(b->engine);
}

static void settled(struct io_client *c)
{
	struct blk *b = container_of(c, struct blk, client);

	virtio_signal(queue(b));
	if (b->is_starved)
		vq_kick_again(queue(b));
}

static void opened(struct limit *l)
{
	blk_notify(&container_of(l, struct blk, limit)->dev, 0);
}

static void blk_reset(struct virtio_dev *d)
{
	struct blk *b = container_of(d, struct blk, dev);

	while (b->used_slots)
		io_wait(b->engine);
	b->is_starved = false;
}

static void blk_destroy(struct virtio_dev *d)
{
	struct blk *b = container_of(d, struct blk, dev);

	blk_reset(d);
	limit_close(&b->limit);
	disk_free(&b->disk, b->engine, &b->client);
	free(b);
}

static const struct virtio_ops blk_ops = {
	.name = "blk",
	.id = VIRTIO_ID_BLOCK,
	.nr_queues = 1,
	.queue_max = VQ_MAX_SIZE,
	.notify = blk_notify,
	.reset = blk_reset,
	.destroy = blk_destroy,
};

static void set_config(struct blk *b)
{
	const struct disk *k = &b->disk;
	struct virtio_blk_config *c = &b->config;

	c->capacity = k->size / SECTOR;
	c->seg_max = SEG_MAX;
	c->blk_size = k->block;
	c->physical_block_exp = (uint8_t)(k->block < 4096 ? __builtin_ctz(4096 / k->block) : 0);
	c->min_io_size = (uint16_t)(1u << c->physical_block_exp);
	b->dev.features = F(VIRTIO_BLK_F_SEG_MAX) | F(VIRTIO_BLK_F_BLK_SIZE) |
			  F(VIRTIO_BLK_F_TOPOLOGY);
	b->dev.features |= k->is_readonly ? F(VIRTIO_BLK_F_RO) : F(VIRTIO_BLK_F_FLUSH);
	if (!k->can_punch)
		return;
	b->dev.features |= F(VIRTIO_BLK_F_DISCARD) | F(VIRTIO_BLK_F_WRITE_ZEROES);
	c->max_discard_sectors = c->max_write_zeroes_sectors = RANGE_MAX_SECTORS;
	c->max_discard_seg = c->max_write_zeroes_seg = 1;
	c->discard_sector_alignment = DISK_ALIGN / SECTOR;
	c->write_zeroes_may_unmap = 1;
}

struct virtio_dev *blk_new(struct io_engine *g, struct loop *l, const struct spec_disk *spec,
			   struct err *e)
{
	struct blk *b = xcalloc(1, sizeof(*b));

	b->dev.ops = &blk_ops;
	b->dev.label = spec->serial;
	b->dev.config = &b->config;
	b->dev.config_len = offsetof(struct virtio_blk_config, max_secure_erase_sectors);
	b->engine = g;
	b->client.settled = settled;
	memcpy(b->serial, spec->serial, strnlen(spec->serial, sizeof(b->serial)));
	if (disk_init(&b->disk, g, &b->client, spec, e) < 0 ||
	    limit_init(&b->limit, l, &spec->limit, opened, e) < 0) {
		blk_destroy(&b->dev);
		err_wrap(e, "cannot use disk '%s'", spec->serial);
		return NULL;
	}
	set_config(b);
	return &b->dev;
}

void blk_set_limit(struct virtio_dev *d, const struct spec_limit *limit)
{
	limit_set(&container_of(d, struct blk, dev)->limit, limit);
}

void blk_stats(const struct virtio_dev *d, struct blk_stats *out)
{
	const struct blk *b = container_of(d, const struct blk, dev);

	*out = b->stats;
	out->throttled = b->limit.closed;
}
