/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writable disk (slot 0) and one of three parts that is read-only (slot 1).  Whatever the driver
 * asks for: the sizes of the files stay, and what is read-only stays as it is.
 */
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "vmm_input.h"

#define DISK 65536u
#define PART 5000u

static struct vmm_rig rig;
static struct spec_file files[4];
static uint8_t parts[3][PART];
static struct drvq q[2];

static int make_file(const void *p, size_t size, bool is_readonly)
{
	int fd = memfd_create("disk", MFD_CLOEXEC), again;
	char path[64];

	check(pwrite(fd, p, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, (is_readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	check(again >= 0);
	close(fd);
	return again;
}

static void make(void)
{
	static const uint8_t zeros[DISK];
	struct spec_disk disks[2] = {
		{ .serial = "a", .parts = files, .nr_parts = 1 },
		{ .serial = "b", .is_readonly = true, .parts = files + 1, .nr_parts = 3 },
	};
	struct err e;
	unsigned i;

	rig_init(&rig, RIG_MEMORY);
	files[0].fd = make_file(zeros, DISK, false);
	for (i = 0; i < 3; i++) {
		memset(parts[i], (int)i + 1, PART);
		files[i + 1].fd = make_file(parts[i], PART, true);
	}
	rig.m.engine = io_engine_new(&rig.m.loop, 2 * BLK_MAX_IN_FLIGHT);
	for (i = 0; i < 2; i++)
		rig_add(&rig, blk_new(rig.m.engine, &rig.m.loop, &disks[i], &e));
	check(io_engine_start(rig.m.engine, SPEC_IO_AUTO, &e) == 0);
}

/* A request of a sensible form, with a wish of the input's. */
static void request(struct input *in, struct drvq *d)
{
	struct virtio_blk_outhdr *h = rig_at(&rig, RIG_DATA, sizeof(*h));
	uint64_t kind = take(in, 1);

	h->type = (uint32_t)(kind & 15);
	h->sector = kind & 16 ? take(in, 8) : take(in, 1);
	drv_desc(d, 0, RIG_DATA, 16, VRING_DESC_F_NEXT, 1);
	drv_desc(d, 1, RIG_DATA + 4096, (uint32_t)(kind & 32 ? take(in, 2) : take(in, 1) << 9),
		 VRING_DESC_F_NEXT | (kind & 1 ? 0 : VRING_DESC_F_WRITE), 2);
	drv_desc(d, 2, RIG_DATA + 64, 1, VRING_DESC_F_WRITE, 0);
	drv_offer(d, 0);
}

static void check_files(void)
{
	uint8_t buf[PART];
	struct stat st;
	unsigned i;

	check(fstat(files[0].fd, &st) == 0 && st.st_size == DISK);
	for (i = 0; i < 3; i++) {
		check(fstat(files[i + 1].fd, &st) == 0 && st.st_size == PART);
		check(pread(files[i + 1].fd, buf, PART, 0) == PART);
		check(memcmp(buf, parts[i], PART) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_made;
	struct input in = { data, size };
	unsigned i;

	if (!is_made) {
		make();
		is_made = true;
	}
	rig_again(&rig);
	for (i = 0; i < 2; i++)
		drv_start(&q[i], &rig, i, take(&in, 4), 32);
	for (i = 0; in.n && i < 200 && !rig.m.end; i++) {
		uint64_t what = take(&in, 1);

		if (what & 2)
			request(&in, &q[what & 1]);
		else
			ring_step(&in, &q[what & 1]);
		if (what & 4)
			drv_kick(&q[what & 1]);
		if (what == 0xf8)
			drv_start(&q[0], &rig, 0, 0, 32);
	}
	for (i = 0; i < 2; i++) {
		drv_kick(&q[i]);
		rig_write(&rig, i, VIRTIO_MMIO_STATUS, 0, 4);
	}
	check(rig.m.engine->nr_in_flight == 0);
	check(rig.m.end == END_NONE || rig.m.end == END_VIOLATION);
	check_files();
	return 0;
}
