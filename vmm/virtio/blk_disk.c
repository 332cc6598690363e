/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio/blk_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"

static uint64_t align(uint64_t n)
{
	return (n + DISK_ALIGN - 1) / DISK_ALIGN * DISK_ALIGN;
}

static int add_part(struct disk *d, struct io_engine *g, struct io_client *c, int fd, struct err *e)
{
	struct disk_part *p = &d->parts[d->nr_parts];
	int flags = fcntl(fd, F_GETFL);
	off_t size = lseek(fd, 0, SEEK_END);
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot use its file");
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, 0, "cannot use its file: not a regular one or a block device");
	if ((flags & O_ACCMODE) != (d->is_readonly ? O_RDONLY : O_RDWR)) /* V19 */
		return err_set(e, 0, "cannot use its file: not open %s",
			       d->is_readonly ? "for reading only" : "for reading and writing");
	if (size < 0)
		return err_set(e, errno, "cannot measure its file");
	*p = (struct disk_part){ .start = align(d->size), .size = (uint64_t)size };
	d->size = p->start + p->size;
	p->file = io_engine_add(g, fd, c);
	d->nr_parts++;
	return 0;
}

/* Asks beyond the end of the file, where there is nothing to lose. */
static bool can_punch(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	return S_ISBLK(st.st_mode) || fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						(off_t)align((uint64_t)st.st_size), 4096) == 0;
}

int disk_init(struct disk *d, struct io_engine *g, struct io_client *c,
	      const struct spec_disk *spec, struct err *e)
{
	int fd = spec->parts[0].fd, block = 0;
	unsigned i;

	*d = (struct disk){ .is_readonly = spec->is_readonly, .block = 512 };
	d->parts = xcalloc(spec->nr_parts, sizeof(*d->parts));
	for (i = 0; i < spec->nr_parts; i++) {
		if (add_part(d, g, c, spec->parts[i].fd, e) < 0)
			return -1;
	}
	d->size = d->is_readonly ? align(d->size) : d->size / 512 * 512;
	if (ioctl(fd, BLKSSZGET, &block) == 0 && block > 512)
		d->block = (uint32_t)block;
	d->can_punch = !d->is_readonly && can_punch(fd);
	return 0;
}

void disk_free(struct disk *d, struct io_engine *g, struct io_client *c)
{
	io_engine_remove(g, c);
	free(d->parts);
	d->parts = NULL;
}

const struct disk_part *disk_part_at(const struct disk *d, uint64_t at)
{
	unsigned low = 0, high = d->nr_parts;

	while (high - low > 1) {
		unsigned middle = (low + high) / 2;

		if (d->parts[middle].start <= at)
			low = middle;
		else
			high = middle;
	}
	return &d->parts[low];
}
