/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The EROFS image of a merged tree
 *
 *	block 0		superblock at 1024, then inodes
 *	…		inodes, each followed by its xattrs and, if it fits, the tail of its
 *directory or its link target ("inline") …		blocks of large directories and of link
 *targets that did not fit …		data files of the layers, written elsewhere: only addressed
 *from here
 *
 * Inodes stand in breadth-first order, the names of a directory together.  Nothing depends on
 * addresses, random numbers or the clock: the same layers give the same bytes.
 */
#ifndef VPOD_IMAGES_EROFS_H
#define VPOD_IMAGES_EROFS_H

#include <stdint.h>

#include "base/err.h"
#include "images/erofs_fs.h"
#include "images/tree.h"

struct erofs_plan {
	struct tinode *first; /* all inodes by ->next, in order of their slots */
	struct tinode *last;
	uint64_t nr_inodes;
	uint64_t inode_end;    /* bytes of the area of superblock and inodes */
	uint64_t meta_blocks;  /* of the meta file */
	uint64_t total_blocks; /* of the whole image */
	uint8_t uuid[16];
};

/*
 * Gives every inode its place.  @data_blocks[n]: blocks of layer n's data file.  Adds "." and ".."
 * to the directories, so the tree must not change any more.
 */
int erofs_plan(struct tree *t, const uint64_t *data_blocks, unsigned nr_layers,
	       struct erofs_plan *plan, struct err *e);

/* Writes the meta file, which is empty. */
int erofs_write(const struct erofs_plan *plan, int fd, struct err *e);

/* Parts the names of a directory into blocks: bytes that @name takes, where @used are taken. */
static inline uint32_t erofs_dir_add(uint32_t *used, uint32_t name_len)
{
	uint32_t need = (uint32_t)sizeof(struct erofs_dirent) + name_len;
	uint32_t is_new = *used + need > EROFS_BLOCK;

	*used = is_new ? need : *used + need;
	return is_new;
}

#endif
