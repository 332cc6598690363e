/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EROFS on disk, as far as we write it: uncompressed, 4 KiB blocks, no feature that a kernel since
 * 5.4 does not know (feature_incompat is 0).  Documentation/filesystems/erofs.rst of the kernel.
 */
#ifndef VPOD_IMAGES_EROFS_FS_H
#define VPOD_IMAGES_EROFS_FS_H

#include <stdint.h>

#define EROFS_BLOCK_BITS 12
#define EROFS_BLOCK 4096u
#define EROFS_MAGIC 0xe0f5e1e2u
#define EROFS_SUPER_OFFSET 1024u
#define EROFS_COMPAT_SB_CHKSUM 1u /* crc32c from the superblock to the end of its block */
#define EROFS_SLOT 32u		  /* a nid counts these, from meta_blkaddr */

struct erofs_super {
	uint32_t magic;
	uint32_t checksum;
	uint32_t feature_compat;
	uint8_t block_bits;
	uint8_t ext_slots;
	uint16_t root_nid;
	uint64_t nr_inodes;
	uint64_t build_time; /* mtime of compact inodes */
	uint32_t build_time_nsec;
	uint32_t nr_blocks;
	uint32_t meta_block;
	uint32_t xattr_block; /* of shared xattrs, which we do not use */
	uint8_t uuid[16];
	uint8_t volume_name[16];
	uint32_t feature_incompat;
	uint8_t reserved[44];
};
_Static_assert(sizeof(struct erofs_super) == 128, "on-disk format");

enum {
	EROFS_FLAT_PLAIN = 0,  /* whole blocks, at block */
	EROFS_FLAT_INLINE = 2, /* whole blocks at block; the tail behind the inode and its xattrs */
};

/* i_format: bit 0 extended, bits 1 to 3 layout. i_xattr_count: 4-byte units behind 12, plus 1. */
struct erofs_inode_compact {
	uint16_t format;
	uint16_t xattr_count;
	uint16_t mode;
	uint16_t nr_links;
	uint32_t size;
	uint32_t reserved;
	uint32_t block; /* or the device number */
	uint32_t ino;	/* for stat(2) of 32-bit programs */
	uint16_t uid;
	uint16_t gid;
	uint32_t reserved2;
};
_Static_assert(sizeof(struct erofs_inode_compact) == 32, "on-disk format");

struct erofs_inode_extended {
	uint16_t format;
	uint16_t xattr_count;
	uint16_t mode;
	uint16_t reserved;
	uint64_t size;
	uint32_t block;
	uint32_t ino;
	uint32_t uid;
	uint32_t gid;
	int64_t mtime;
	uint32_t mtime_nsec;
	uint32_t nr_links;
	uint8_t reserved2[16];
};
_Static_assert(sizeof(struct erofs_inode_extended) == 64, "on-disk format");

struct erofs_xattr_header {
	uint32_t reserved;
	uint8_t nr_shared;
	uint8_t reserved2[7];
};
_Static_assert(sizeof(struct erofs_xattr_header) == 12, "on-disk format");

/*
 * A directory block: entries, then their names without terminators.  The first entry's name offset
 * tells the number of entries; names are sorted by their bytes over the whole directory.
 */
struct erofs_dirent {
	uint64_t nid;
	uint16_t name_offset;
	uint8_t file_type; /* EROFS_FT_* */
	uint8_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_dirent) == 12, "on-disk format");

enum {
	EROFS_FT_FILE = 1,
	EROFS_FT_DIR,
	EROFS_FT_CHAR,
	EROFS_FT_BLOCK,
	EROFS_FT_FIFO,
	EROFS_FT_SOCKET,
	EROFS_FT_SYMLINK,
};

#endif
