/* SPDX-License-Identifier: Apache-2.0 */
/* A disk driven by hand; the command line says how, see blk.t. The disk has byte(at) everywhere. */
#include "lib.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#define CMDLINE ((const char *)0x20000) /* NOLINT: where the monitor puts it */
#define DEPTH 32
#define CHUNK 4096u

static struct queue q;
static unsigned slot;
static struct virtio_blk_outhdr *hdr;
static uint8_t *status, *data;

static uint8_t byte(uint64_t at)
{
	return (uint8_t)(at / 512 * 3 + 1); /* by sector: fast to make and to compare */
}

static bool asked(const char *word)
{
	const char *c = CMDLINE;

	for (; *word; word++, c++) {
		if (*c != *word)
			return false;
	}
	return true;
}

/* Request @i, in descriptors 4 * i and on. */
static void send(unsigned i, uint32_t type, uint64_t sector, void *p, uint32_t len)
{
	bool is_in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	unsigned at = 4 * i;

	hdr[i].type = type;
	hdr[i].sector = sector;
	status[i] = 0xee;
	queue_desc(&q, at, &hdr[i], 16, VRING_DESC_F_NEXT, (uint16_t)(len ? at + 1 : at + 2));
	queue_desc(&q, at + 1, p, len, VRING_DESC_F_NEXT | (is_in ? VRING_DESC_F_WRITE : 0),
		   (uint16_t)(at + 2));
	queue_desc(&q, at + 2, &status[i], 1, VRING_DESC_F_WRITE, 0);
	queue_offer(&q, (uint16_t)at);
}

static uint8_t request(uint32_t type, uint64_t sector, void *p, uint32_t len)
{
	send(0, type, sector, p, len);
	queue_kick(&q);
	queue_wait(&q, NULL);
	return *(volatile uint8_t *)&status[0];
}

static void must(uint8_t got, uint8_t wanted, const char *what)
{
	if (got != wanted)
		fail(what);
}

static void check(const uint8_t *p, uint64_t at, uint32_t len)
{
	for (; len; p += 512, at += 512, len -= 512) {
		if (p[0] != byte(at) || p[511] != byte(at))
			fail("wrong data");
	}
}

static void start(void)
{
	slot = find_device(VIRTIO_ID_BLOCK, 0);
	driver_start(slot, features_get(slot) & ~(1ull << VIRTIO_RING_F_EVENT_IDX));
	if (!hdr) {
		hdr = alloc(4096);
		status = alloc(4096);
		data = alloc(DEPTH * CHUNK);
	}
	queue_init(&q, slot, 0, 256);
	driver_ok(slot);
}

static void read_write(void)
{
	struct virtio_blk_discard_write_zeroes *r = alloc(4096);
	unsigned i;

	must(request(VIRTIO_BLK_T_GET_ID, 0, data, 20), VIRTIO_BLK_S_OK, "no id");
	if (!same(data, "live-disk", 10))
		fail("wrong id");
	for (i = 0; i < DEPTH; i++) /* all at once */
		send(i, VIRTIO_BLK_T_IN, i * CHUNK / 512, data + i * CHUNK, CHUNK);
	queue_kick(&q);
	for (i = 0; i < DEPTH; i++)
		queue_wait(&q, NULL);
	for (i = 0; i < DEPTH; i++)
		must(status[i], VIRTIO_BLK_S_OK, "cannot read");
	check(data, 0, DEPTH * CHUNK);
	memset(data, 0x99, 8192);
	must(request(VIRTIO_BLK_T_OUT, 16, data, 8192), VIRTIO_BLK_S_OK, "cannot write");
	must(request(VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK, "cannot flush");
	*r = (struct virtio_blk_discard_write_zeroes){ .sector = 64, .num_sectors = 16 };
	must(request(VIRTIO_BLK_T_DISCARD, 0, r, 16), VIRTIO_BLK_S_OK, "cannot discard");
	*r = (struct virtio_blk_discard_write_zeroes){ .sector = 101, .num_sectors = 3 };
	must(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, r, 16), VIRTIO_BLK_S_OK, "cannot zero");
	must(request(VIRTIO_BLK_T_IN, 100, data, 2560), VIRTIO_BLK_S_OK, "cannot read again");
	check(data, 51200, 512);
	if (data[512] || data[2047])
		fail("not zeros");
	check(data + 2048, 53248, 512);
	pass();
}

static void read_only(void)
{
	must(request(VIRTIO_BLK_T_OUT, 0, data, 512), VIRTIO_BLK_S_IOERR, "could write");
	must(request(VIRTIO_BLK_T_DISCARD, 0, data, 16), VIRTIO_BLK_S_IOERR, "could discard");
	must(request(VIRTIO_BLK_T_IN, 0, data, 512), VIRTIO_BLK_S_OK, "cannot read");
	check(data, 0, 512);
	pass();
}

/* V18: the machine goes on and the file stays. */
static void wrong(void)
{
	static const uint64_t sectors[] = { 2048, 2047, 1ull << 55, 1ull << 63, ~0ull };
	unsigned i;

	for (i = 0; i < 5; i++) {
		must(request(VIRTIO_BLK_T_IN, sectors[i], data, 1024), VIRTIO_BLK_S_IOERR, "in");
		must(request(VIRTIO_BLK_T_OUT, sectors[i], data, 1024), VIRTIO_BLK_S_IOERR, "out");
	}
	for (i = 0; i < 300; i++)
		must(request(VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK, "flush");
	must(request(77, 0, NULL, 0), VIRTIO_BLK_S_UNSUPP, "type");
	must(request(VIRTIO_BLK_T_OUT, 0, data, 1), VIRTIO_BLK_S_IOERR, "one byte");
	must(request(VIRTIO_BLK_T_GET_ID, 0, data, 3), VIRTIO_BLK_S_IOERR, "short id");
	pass();
}

/* V16: resets with requests in flight. */
static void resets(void)
{
	unsigned i, k;

	for (k = 0; k < 50; k++) {
		for (i = 0; i < DEPTH; i++)
			send(i, k & 1 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, 512, data, CHUNK);
		queue_kick(&q);
		reg_set(slot, VIRTIO_MMIO_STATUS, 0);
		heap_at -= 3 * 4096;		      /* the same rings again */
		memset((void *)heap_at, 0, 3 * 4096); /* NOLINT */
		start();
	}
	must(request(VIRTIO_BLK_T_IN, 0, data, 512), VIRTIO_BLK_S_OK, "cannot read");
	check(data, 0, 512);
	pass();
}

/* Writes, flushes, says so, and waits to be killed. */
static void flushed(void)
{
	memset(data, 0x42, CHUNK);
	must(request(VIRTIO_BLK_T_OUT, 8, data, CHUNK), VIRTIO_BLK_S_OK, "cannot write");
	must(request(VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK, "cannot flush");
	say("flushed");
	for (;;)
		__asm__ volatile("hlt");
}

/* 16 MiB, for a clock outside; then 300 operations. */
static void paced(void)
{
	unsigned i;

	say("begin");
	for (i = 0; i < 256; i++)
		must(request(VIRTIO_BLK_T_IN, 0, data, 65536), VIRTIO_BLK_S_OK, "cannot read");
	say("end");
	pass();
}

void guest_main(void)
{
	start();
	if (asked("readonly"))
		read_only();
	if (asked("wrong"))
		wrong();
	if (asked("resets"))
		resets();
	if (asked("flushed"))
		flushed();
	if (asked("paced"))
		paced();
	read_write();
}
