/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "erofs.h"
#include "images/layer_file.h"

#define META_BUFFER (256u << 10)
#define MAX_DIRENTS (EROFS_BLOCK / (sizeof(struct erofs_dirent) + 1))

static const struct {
	uint16_t mode;
	uint8_t file_type;
} kinds[INDEX_NR_KINDS] = {
	[INDEX_FILE] = { S_IFREG, EROFS_FT_FILE },	 [INDEX_DIR] = { S_IFDIR, EROFS_FT_DIR },
	[INDEX_SYMLINK] = { S_IFLNK, EROFS_FT_SYMLINK }, [INDEX_CHAR] = { S_IFCHR, EROFS_FT_CHAR },
	[INDEX_BLOCK] = { S_IFBLK, EROFS_FT_BLOCK },	 [INDEX_FIFO] = { S_IFIFO, EROFS_FT_FIFO },
};

/* What a directory is that no layer describes. */
static const struct index_rec undescribed = { .mode = 0755 };

static const struct index_rec *record(const struct tinode *i)
{
	return i->rec ? i->rec : &undescribed;
}

static uint16_t format_of(const struct tinode *i)
{
	return (uint16_t)(i->layout << 1 | i->is_extended);
}

static uint16_t mode_of(const struct tinode *i)
{
	/* Nobody asks for the mode of a link; all file systems say 0777. */
	return kinds[i->kind].mode | (i->kind == INDEX_SYMLINK ? 0777 : record(i)->mode);
}

static uint16_t xattr_count(const struct tinode *i)
{
	if (!i->xattr_size)
		return 0;
	return (uint16_t)((i->xattr_size - sizeof(struct erofs_xattr_header)) / 4 + 1);
}

static int put_compact(struct outfile *f, const struct tinode *i, uint32_t ino, struct err *e)
{
	struct erofs_inode_compact d = {
		.format = format_of(i),
		.xattr_count = xattr_count(i),
		.mode = mode_of(i),
		.nr_links = (uint16_t)i->nr_links,
		.size = (uint32_t)i->size,
		.block = i->block,
		.ino = ino,
		.uid = (uint16_t)record(i)->uid,
		.gid = (uint16_t)record(i)->gid,
	};

	return outfile_write(f, &d, sizeof(d), e);
}

static int put_extended(struct outfile *f, const struct tinode *i, uint32_t ino, struct err *e)
{
	struct erofs_inode_extended d = {
		.format = format_of(i),
		.xattr_count = xattr_count(i),
		.mode = mode_of(i),
		.size = i->size,
		.block = i->block,
		.ino = ino,
		.uid = record(i)->uid,
		.gid = record(i)->gid,
		.mtime = record(i)->mtime,
		.mtime_nsec = record(i)->mtime_nsec,
		.nr_links = i->nr_links,
	};

	return outfile_write(f, &d, sizeof(d), e);
}

static int put_xattrs(struct outfile *f, const struct tinode *i, struct err *e)
{
	struct erofs_xattr_header h = { 0 };

	if (!i->xattr_size)
		return 0;
	if (outfile_write(f, &h, sizeof(h), e) < 0)
		return -1;
	return outfile_write(f, index_xattrs(i->rec), i->rec->xattr_len, e);
}

/* One block of a directory: @n names that fit. */
static int put_dir_block(struct outfile *f, const struct tnode *const *names, unsigned n,
			 struct err *e)
{
	uint32_t offset = n * (uint32_t)sizeof(struct erofs_dirent);
	unsigned k;

	for (k = 0; k < n; k++) {
		struct erofs_dirent d = {
			.nid = names[k]->inode->slot,
			.name_offset = (uint16_t)offset,
			.file_type = kinds[names[k]->inode->kind].file_type,
		};

		if (outfile_write(f, &d, sizeof(d), e) < 0)
			return -1;
		offset += names[k]->name_len;
	}
	for (k = 0; k < n; k++) {
		if (outfile_write(f, names[k]->name, names[k]->name_len, e) < 0)
			return -1;
	}
	return 0;
}

/* The blocks of a directory from the first up to, and without, block @end; or block @begin. */
static int put_dir(struct outfile *f, const struct tinode *dir, uint64_t begin, uint64_t end,
		   struct err *e)
{
	const struct tnode *names[MAX_DIRENTS], *n;
	struct tree_iter it;
	uint64_t block = 0;
	uint32_t used = 0;
	unsigned nr = 0;

	tree_iter_init(&it, dir);
	while ((n = tree_iter_next(&it)) && block < end) {
		if (erofs_dir_add(&used, n->name_len)) {
			if (block >= begin && (put_dir_block(f, names, nr, e) < 0 ||
					       outfile_align(f, EROFS_BLOCK, e) < 0))
				return -1;
			block++;
			nr = 0;
		}
		names[nr++] = n;
	}
	return block >= begin && block < end ? put_dir_block(f, names, nr, e) : 0;
}

static int put_inode(struct outfile *f, const struct tinode *i, uint32_t ino, struct err *e)
{
	uint64_t at = i->slot * EROFS_SLOT;

	if (outfile_zeros(f, at - outfile_tell(f), e) < 0)
		return -1;
	if ((i->is_extended ? put_extended(f, i, ino, e) : put_compact(f, i, ino, e)) < 0 ||
	    put_xattrs(f, i, e) < 0)
		return -1;
	if (i->layout != EROFS_FLAT_INLINE)
		return 0;
	if (i->kind == INDEX_SYMLINK)
		return outfile_write(f, index_link(i->rec), i->rec->link_len, e);
	return put_dir(f, i, i->size / EROFS_BLOCK, UINT64_MAX, e);
}

/* What stands in blocks of its own. */
static int put_blocks(struct outfile *f, const struct tinode *i, struct err *e)
{
	bool is_inline = i->layout == EROFS_FLAT_INLINE;

	if (i->kind == INDEX_SYMLINK) {
		if (!is_inline && outfile_write(f, index_link(i->rec), i->rec->link_len, e) < 0)
			return -1;
	} else if (i->kind == INDEX_DIR) {
		if (put_dir(f, i, 0, is_inline ? i->size / EROFS_BLOCK : UINT64_MAX, e) < 0)
			return -1;
	}
	return outfile_align(f, EROFS_BLOCK, e);
}

/* Castagnoli's polynomial, as the kernel's crc32c(): begins with all ones, not inverted. */
static uint32_t crc32c(uint32_t crc, const unsigned char *p, size_t n)
{
	while (n--) {
		int bit;

		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return crc;
}

/* Last, since its checksum covers the rest of its block. */
static int put_super(const struct erofs_plan *plan, int fd, struct err *e)
{
	unsigned char block[EROFS_BLOCK];
	struct erofs_super sb = {
		.magic = EROFS_MAGIC,
		.feature_compat = EROFS_COMPAT_SB_CHKSUM,
		.block_bits = EROFS_BLOCK_BITS,
		.root_nid = (uint16_t)plan->first->slot,
		.nr_inodes = plan->nr_inodes,
		.nr_blocks = (uint32_t)plan->total_blocks,
	};

	memcpy(sb.uuid, plan->uuid, sizeof(sb.uuid));
	if (pread(fd, block, sizeof(block), 0) != (ssize_t)sizeof(block))
		return err_set(e, errno, "cannot read back the file system's first block");
	memcpy(block + EROFS_SUPER_OFFSET, &sb, sizeof(sb));
	sb.checksum = crc32c(~0u, block + EROFS_SUPER_OFFSET, EROFS_BLOCK - EROFS_SUPER_OFFSET);
	if (fs_pwrite_all(fd, &sb, sizeof(sb), EROFS_SUPER_OFFSET) < 0)
		return err_set(e, errno, "cannot write the file system");
	return 0;
}

static int put_all(const struct erofs_plan *plan, struct outfile *f, struct err *e)
{
	const struct tinode *i;
	uint32_t ino = 1;

	for (i = plan->first; i; i = i->next) {
		if (put_inode(f, i, ino++, e) < 0)
			return -1;
	}
	if (outfile_align(f, EROFS_BLOCK, e) < 0)
		return -1;
	for (i = plan->first; i; i = i->next) {
		if (put_blocks(f, i, e) < 0)
			return -1;
	}
	if (outfile_tell(f) != plan->meta_blocks * EROFS_BLOCK)
		return err_set(e, 0, "cannot write the file system: its plan does not hold");
	return outfile_finish(f, e);
}

int erofs_write(const struct erofs_plan *plan, int fd, struct err *e)
{
	struct outfile f;
	int r;

	if (outfile_open(&f, fd, META_BUFFER, "the file system", e) < 0)
		return -1;
	r = put_all(plan, &f, e);
	outfile_close(&f);
	return r < 0 ? -1 : put_super(plan, fd, e);
}
