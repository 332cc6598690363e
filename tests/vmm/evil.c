/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that breaks the rules: the command line is "CASE ID QUEUE", a case of the table below and
 * the device (one digit or letter, virtio id 1 to 35) and queue to try it on.  See evil.t for what
 * must come of it.  A case that the machine survives ends with pass().
 */
#include "lib.h"

#define CMDLINE ((const char *)0x20000) /* NOLINT: where the monitor puts it */
#define SIZE 16
#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE

static struct queue q;
static unsigned slot, queue;
static uint8_t *page;

static void put(unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	queue_desc(&q, i, (void *)addr, len, flags, next); /* NOLINT */
}

static void go(uint16_t head)
{
	queue_offer(&q, head);
	queue_kick(&q);
}

/* The machine should end now; a register access is a point at which it may. */
static void wait_for_the_end(void)
{
	unsigned i;

	for (i = 0; i < 3000; i++)
		(void)reg_get(slot, VIRTIO_MMIO_STATUS);
	fail("nothing happened");
}

static void v01_self(void)
{
	put(0, (uintptr_t)page, 16, NEXT, 0);
	go(0);
	wait_for_the_end();
}

static void v01_two(void)
{
	put(0, (uintptr_t)page, 16, NEXT, 1);
	put(1, (uintptr_t)page, 16, NEXT, 0);
	go(0);
	wait_for_the_end();
}

static void v01_empty(void)
{
	put(0, 0, 0, NEXT, 0);
	go(0);
	wait_for_the_end();
}

static void v03(void)
{
	q.avail->idx = SIZE + 1;
	queue_kick(&q);
	wait_for_the_end();
}

static void v05(void)
{
	put(0, ~0ull - 10, 0xffffffff, 0, 0);
	go(0);
	wait_for_the_end();
}

static void v06_end(void)
{
	put(0, (16 << 20) - 1, 2, 0, 0);
	go(0);
	wait_for_the_end();
}

static void v06_window(void)
{
	put(0, SLOT_ADDR(0), 4096, WRITE, 0);
	go(0);
	wait_for_the_end();
}

static void v08_head(void)
{
	go(SIZE);
	wait_for_the_end();
}

static void v08_next(void)
{
	put(0, (uintptr_t)page, 16, NEXT, 0xffff);
	go(0);
	wait_for_the_end();
}

static void v09(void)
{
	put(0, (uintptr_t)page, 32, VRING_DESC_F_INDIRECT, 0);
	go(0);
	wait_for_the_end();
}

static void v13_size(void)
{
	reg_set(slot, VIRTIO_MMIO_STATUS, 0);
	driver_start(slot, 0);
	queue_init(&q, slot, queue, SIZE);
	reg_set(slot, VIRTIO_MMIO_QUEUE_NUM, 65535);
	driver_ok(slot);
	wait_for_the_end();
}

static void v13_place(void)
{
	reg_set(slot, VIRTIO_MMIO_STATUS, 0);
	driver_start(slot, 0);
	queue_init(&q, slot, queue, SIZE);
	reg_set(slot, VIRTIO_MMIO_QUEUE_USED_LOW, SLOT_ADDR(0));
	driver_ok(slot);
	wait_for_the_end();
}

/* What follows hurts nobody but the guest. */

static void v04_empty(void)
{
	unsigned i;

	for (i = 0; i < 1000; i++) {
		put(0, ~0ull, 0, NEXT, 1);
		put(1, 0, 0, WRITE, 0);
		go(0);
		queue_wait(&q, NULL);
	}
}

static void v07_rings(void)
{
	put(0, (uintptr_t)q.used, 4096, WRITE, 0);
	go(0);
	put(0, (uintptr_t)q.avail, 4096, WRITE, 0);
	go(0);
	put(0, (uintptr_t)q.desc, 4096, WRITE, 0);
	go(0);
}

static void v10_order(void)
{
	put(0, (uintptr_t)page, 16, WRITE | NEXT, 1);
	put(1, (uintptr_t)page + 100, 16, 0, 0);
	go(0);
}

static void v12_geometry(void)
{
	unsigned reg;

	for (reg = VIRTIO_MMIO_QUEUE_NUM; reg < VIRTIO_MMIO_CONFIG; reg += 4) {
		if (reg != VIRTIO_MMIO_STATUS && reg != VIRTIO_MMIO_QUEUE_NOTIFY)
			reg_set(slot, reg, 0xffffffff);
	}
	reg_set(slot, VIRTIO_MMIO_QUEUE_SEL, 77);
	reg_set(slot, VIRTIO_MMIO_QUEUE_NOTIFY, 77);
	queue_kick(&q);
}

/* Every register and the config space in every width. */
static void v14_sweep(void)
{
	unsigned long at;

	for (at = SLOT_ADDR(slot); at < SLOT_ADDR(slot) + 0x200; at++) {
		if (at == SLOT_ADDR(slot) + VIRTIO_MMIO_STATUS)
			continue;
		*(volatile uint8_t *)at = 0xff; /* NOLINT */
		(void)*(volatile uint8_t *)at;	/* NOLINT */
		(void)*(volatile uint16_t *)at; /* NOLINT */
		(void)*(volatile uint32_t *)at; /* NOLINT */
		(void)*(volatile uint64_t *)at; /* NOLINT */
		if (at > SLOT_ADDR(slot) + VIRTIO_MMIO_CONFIG)
			*(volatile uint64_t *)at = ~0ull; /* NOLINT */
	}
}

static void v16_status(void)
{
	unsigned i;

	for (i = 0; i < 512; i++)
		reg_set(slot, VIRTIO_MMIO_STATUS, i * 37 & 0xff);
	reg_set(slot, VIRTIO_MMIO_STATUS, 0);
	reg_set(slot, VIRTIO_MMIO_STATUS, 3);
	reg_set(slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	reg_set(slot, VIRTIO_MMIO_DRIVER_FEATURES, 0xffffffff);
	reg_set(slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	reg_set(slot, VIRTIO_MMIO_DRIVER_FEATURES, 0xffffffff);
	reg_set(slot, VIRTIO_MMIO_STATUS, 11);
	queue_init(&q, slot, queue, SIZE);
	driver_ok(slot);
	v10_order();
}

static void v17_storm(void)
{
	unsigned i;

	for (i = 0; i < 20000; i++)
		queue_kick(&q);
}

static const struct {
	char name[12];
	void (*run)(void);
} cases[] = {
	{ "V01-self", v01_self },     { "V01-two", v01_two },	  { "V01-empty", v01_empty },
	{ "V03-jump", v03 },	      { "V05-wrap", v05 },	  { "V06-end", v06_end },
	{ "V06-window", v06_window }, { "V08-head", v08_head },	  { "V08-next", v08_next },
	{ "V09-table", v09 },	      { "V13-size", v13_size },	  { "V13-place", v13_place },
	{ "V04-skip", v04_empty },    { "V07-rings", v07_rings }, { "V10-order", v10_order },
	{ "V12-late", v12_geometry }, { "V14-sweep", v14_sweep }, { "V16-status", v16_status },
	{ "V17-storm", v17_storm },
};

void guest_main(void)
{
	const char *at = CMDLINE;
	unsigned i, len;

	for (len = 0; at[len] && at[len] != ' '; len++)
		;
	for (i = 0; !same(cases[i].name, at, len); i++) {
		if (i + 1 == sizeof(cases) / sizeof(*cases))
			fail("no such case");
	}
	at += len + 1;
	slot = find_device((uint32_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10), 0);
	queue = (unsigned)(at[2] - '0');
	page = alloc(4096);
	driver_start(slot, 0);
	queue_init(&q, slot, queue, SIZE);
	driver_ok(slot);
	cases[i].run();
	pass();
}
