/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guests of a few bytes share: ports, text, a virtio-mmio driver that can lie.  64-bit mode,
 * the first 4 GiB identity-mapped, no interrupts, no library.  A payload defines guest_main() and
 * ends with pass() or fail(); it is included once, by one C file, and built by tests/module.mk.
 */
#ifndef VPOD_TESTS_VMM_LIB_H
#define VPOD_TESTS_VMM_LIB_H

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOTS 32
#define SLOT_ADDR(slot) (0xd0000000ul + (slot)*0x1000ul)
#define HEAP 0x400000ul /* above the payload; zero at the start */

#define maybe_unused __attribute__((unused))

/* The boot stack is of 4 KiB: take a larger one. */
__asm__(".globl _start\n_start:\n\tmov $0x90000, %esp\n\tcall guest_main\n1:\thlt\n\tjmp 1b\n");
void guest_main(void);

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static maybe_unused void say(const char *s)
{
	for (; *s; s++)
		outb(0x3f8, (uint8_t)*s);
}

static maybe_unused void say_hex(uint64_t v)
{
	int i;

	for (i = 60; i >= 0; i -= 4)
		outb(0x3f8, (uint8_t) "0123456789abcdef"[v >> i & 15]);
}

/* The machine ends as "reset". */
static maybe_unused __attribute__((noreturn)) void pass(void)
{
	for (;;)
		outb(0x64, 0xfe);
}

/* The machine ends as "panic", with the reason on the serial port. */
static maybe_unused __attribute__((noreturn)) void fail(const char *why)
{
	say(why);
	say("\n");
	for (;;)
		outb(0x505, 1);
}

/* The compiler asks for these. One instruction each: others are slow where they are emulated. */
void *memcpy(void *to, const void *from, size_t n);
void *memcpy(void *to, const void *from, size_t n)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
	return to;
}

void *memset(void *to, int c, size_t n);
void *memset(void *to, int c, size_t n)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(c) : "memory");
	return to;
}

static maybe_unused bool same(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	while (n && *x == *y)
		n--, x++, y++;
	return n == 0;
}

static uintptr_t heap_at = HEAP;

/* @size bytes at a multiple of 4096. */
static maybe_unused void *alloc(size_t size)
{
	void *p = (void *)heap_at; /* NOLINT: an address of ours */

	heap_at = (heap_at + size + 4095) & ~4095ul;
	return p;
}

static inline uint32_t reg_get(unsigned slot, unsigned reg)
{
	return *(volatile uint32_t *)(SLOT_ADDR(slot) + reg); /* NOLINT */
}

static inline void reg_set(unsigned slot, unsigned reg, uint32_t v)
{
	*(volatile uint32_t *)(SLOT_ADDR(slot) + reg) = v; /* NOLINT */
}

static inline uint8_t config_get(unsigned slot, unsigned offset)
{
	return *(volatile uint8_t *)(SLOT_ADDR(slot) + VIRTIO_MMIO_CONFIG + offset); /* NOLINT */
}

/* The slot of the device with this virtio id, the @nth of them from 0; fails without it. */
static maybe_unused unsigned find_device(uint32_t id, unsigned nth)
{
	unsigned slot;

	for (slot = 0; slot < SLOTS; slot++) {
		if (reg_get(slot, VIRTIO_MMIO_MAGIC_VALUE) == 0x74726976 &&
		    reg_get(slot, VIRTIO_MMIO_DEVICE_ID) == id && nth-- == 0)
			return slot;
	}
	fail("no such device");
}

static maybe_unused uint64_t features_get(unsigned slot)
{
	uint64_t v;

	reg_set(slot, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	v = (uint64_t)reg_get(slot, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
	reg_set(slot, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return v | reg_get(slot, VIRTIO_MMIO_DEVICE_FEATURES);
}

/* Reset, then up to FEATURES_OK with @features and VERSION_1. */
static maybe_unused void driver_start(unsigned slot, uint64_t features)
{
	features |= 1ull << VIRTIO_F_VERSION_1;
	reg_set(slot, VIRTIO_MMIO_STATUS, 0);
	reg_set(slot, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	reg_set(slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	reg_set(slot, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	reg_set(slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	reg_set(slot, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
	reg_set(slot, VIRTIO_MMIO_STATUS,
		VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(reg_get(slot, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK))
		fail("the device refuses the features");
}

static maybe_unused void driver_ok(unsigned slot)
{
	reg_set(slot, VIRTIO_MMIO_STATUS, 15);
}

struct queue {
	unsigned slot, index, size;
	volatile struct vring_desc *desc;
	volatile struct vring_avail *avail;
	volatile struct vring_used *used;
	uint16_t next_desc, seen; /* seen: of the used ring */
};

/* @size: a power of two, at most 256. */
static maybe_unused void queue_init(struct queue *q, unsigned slot, unsigned index, unsigned size)
{
	*q = (struct queue){ .slot = slot, .index = index, .size = size };
	q->desc = alloc(4096);
	q->avail = alloc(4096);
	q->used = alloc(4096);
	reg_set(slot, VIRTIO_MMIO_QUEUE_SEL, index);
	if (reg_get(slot, VIRTIO_MMIO_QUEUE_NUM_MAX) < size)
		fail("no such queue, or a smaller one");
	reg_set(slot, VIRTIO_MMIO_QUEUE_NUM, size);
	reg_set(slot, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)(uintptr_t)q->desc);
	reg_set(slot, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)(uintptr_t)q->avail);
	reg_set(slot, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)(uintptr_t)q->used);
	reg_set(slot, VIRTIO_MMIO_QUEUE_READY, 1);
}

static inline void queue_kick(const struct queue *q)
{
	reg_set(q->slot, VIRTIO_MMIO_QUEUE_NOTIFY, q->index);
}

static maybe_unused void queue_desc(struct queue *q, unsigned i, const void *p, uint32_t len,
				    uint16_t flags, uint16_t next)
{
	q->desc[i].addr = (uintptr_t)p;
	q->desc[i].len = len;
	q->desc[i].flags = flags;
	q->desc[i].next = next;
}

/* Makes the chain at descriptor @head available; no kick. */
static maybe_unused void queue_offer(struct queue *q, uint16_t head)
{
	q->avail->ring[q->avail->idx % q->size] = head;
	__asm__ volatile("" : : : "memory");
	q->avail->idx++;
}

/* One request of at most two buffers, @out and @in (may be NULL), and a kick. */
static maybe_unused void queue_send(struct queue *q, const void *out, uint32_t out_len, void *in,
				    uint32_t in_len)
{
	uint16_t head = q->next_desc, at = head, second = (uint16_t)((head + 1) % q->size);

	if (out) {
		queue_desc(q, at, out, out_len, in ? VRING_DESC_F_NEXT : 0, second);
		at = second;
	}
	if (in)
		queue_desc(q, at, in, in_len, VRING_DESC_F_WRITE, 0);
	q->next_desc = (uint16_t)((at + 1) % q->size);
	queue_offer(q, head);
	queue_kick(q);
}

/* Waits for one used buffer, for some seconds. Returns its length, *head its chain. */
static maybe_unused uint32_t queue_wait(struct queue *q, uint16_t *head)
{
	uint32_t spins, len;

	for (spins = 0; q->used->idx == q->seen; spins++) {
		if (spins == 5000000)
			fail("the device does not answer");
		__asm__ volatile("pause" : : : "memory");
	}
	if (head)
		*head = (uint16_t)q->used->ring[q->seen % q->size].id;
	len = q->used->ring[q->seen % q->size].len;
	q->seen++;
	return len;
}

#endif
