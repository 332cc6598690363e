/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shared directory, seen from a guest: FUSE to the server and back, twice, with a reset between:
 * the file "greeting" is looked up, opened and read.
 */
#include "lib.h"

#include <linux/fuse.h>
#include <linux/virtio_ids.h>

static struct queue urgent, requests;
static unsigned slot;

static struct {
	struct fuse_in_header h;
	uint8_t body[4096];
} in;
static struct {
	struct fuse_out_header h;
	uint8_t body[4096];
} out;

static void start(void)
{
	slot = find_device(VIRTIO_ID_FS, 0);
	driver_start(slot, 1ull << VIRTIO_RING_F_EVENT_IDX);
	if (config_get(slot, 0) != 'h' || config_get(slot, 4) != 0 || config_get(slot, 36) != 1)
		fail("not the tag or the number of queues");
	queue_init(&urgent, slot, 0, 16);
	queue_init(&requests, slot, 1, 64);
	if (reg_get(slot, VIRTIO_MMIO_INTERRUPT_STATUS) & 1)
		fail("an interrupt before its time");
	driver_ok(slot);
}

/* Returns the answer's body. */
static const void *ask(uint32_t opcode, uint64_t node, const void *body, uint32_t len)
{
	static uint64_t unique;
	uint32_t n;

	in.h = (struct fuse_in_header){
		.len = sizeof(in.h) + len, .opcode = opcode, .unique = ++unique, .nodeid = node
	};
	memcpy(in.body, body, len);
	queue_send(&requests, &in, in.h.len, &out, sizeof(out));
	n = queue_wait(&requests, NULL);
	if (n < sizeof(out.h) || out.h.len != n || out.h.unique != unique)
		fail("not an answer");
	if (out.h.error)
		fail("the server answers an error");
	if (!(reg_get(slot, VIRTIO_MMIO_INTERRUPT_STATUS) & 1))
		fail("the interrupt status says nothing");
	return out.body;
}

static void read_greeting(void)
{
	const struct fuse_init_in init = { .major = 7, .minor = 31, .max_readahead = 4096 };
	const struct fuse_open_in flags = { .flags = 0 };
	const struct fuse_init_out *version;
	struct fuse_read_in read = { .size = 4096 };
	uint64_t node;

	version = ask(FUSE_INIT, 0, &init, sizeof(init));
	if (version->major != 7)
		fail("not FUSE 7");
	node = ((const struct fuse_entry_out *)ask(FUSE_LOOKUP, 1, "greeting", 9))->nodeid;
	read.fh = ((const struct fuse_open_out *)ask(FUSE_OPEN, node, &flags, sizeof(flags)))->fh;
	ask(FUSE_READ, node, &read, sizeof(read));
	if (out.h.len != sizeof(out.h) + 15 || !same(out.body, "hello from host", 15))
		fail("not what is in the file");
}

void guest_main(void)
{
	start();
	read_greeting();
	say("read once\n");
	start();
	read_greeting();
	say("read again\n");
	if (*(const char *)0x20000 == 'w') /* the server is ended meanwhile */
		for (;;)
			__asm__ volatile("pause");
	pass();
}
