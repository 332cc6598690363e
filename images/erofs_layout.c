/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "erofs.h"
#include "images/layer.h"

/* The last address that 32 bits of block number can tell. */
#define MAX_BLOCKS UINT64_C(0xffffffff)

struct layout {
	struct erofs_plan *plan;
	struct tree *tree;
	const uint64_t *data_start; /* first block of each layer's data, from the end of the meta */
	uint64_t pos;		    /* bytes of inode area so far */
	uint64_t extra;		    /* blocks behind the inode area so far */
};

static int add_dots(struct layout *l, struct tinode *dir, struct err *e)
{
	if (!tree_add(l->tree, dir, ".", 1, dir, e) ||
	    !tree_add(l->tree, dir, "..", 2, dir->parent, e))
		return -1;
	return 0;
}

static uint64_t dir_size(const struct tinode *dir)
{
	struct tree_iter it;
	const struct tnode *n;
	uint64_t full = 0;
	uint32_t used = 0;

	tree_iter_init(&it, dir);
	while ((n = tree_iter_next(&it)))
		full += erofs_dir_add(&used, n->name_len);
	return full * EROFS_BLOCK + used;
}

static uint64_t content_size(const struct tinode *i)
{
	switch (i->kind) {
	case INDEX_FILE:
		return i->rec->size;
	case INDEX_SYMLINK:
		return i->rec->link_len;
	case INDEX_DIR:
		return dir_size(i);
	default:
		return 0;
	}
}

/* What compact inodes cannot tell: a time, ids above 16 bits, 4 GiB, 65536 links. */
static bool needs_extended(const struct tinode *i)
{
	const struct index_rec *r = i->rec;

	/*
	 * Directories get "." and ".." later, and so a link for each of their directories.  An
	 * undescribed one may have many as well: 65533 subdirectories fill 3 MB of names.
	 */
	if (i->size > UINT32_MAX || i->nr_links > UINT16_MAX ||
	    (i->kind == INDEX_DIR && i->size > 65533 * 13))
		return true;
	return r && (r->mtime || r->mtime_nsec || r->uid > UINT16_MAX || r->gid > UINT16_MAX);
}

static uint32_t xattr_size(const struct tinode *i)
{
	if (!i->rec || !i->rec->xattr_len)
		return 0;
	return (uint32_t)sizeof(struct erofs_xattr_header) + i->rec->xattr_len;
}

/* Directories and links keep a tail inline when it fits into one block with the inode. */
static uint32_t choose_layout(struct tinode *i, uint32_t head)
{
	uint32_t tail = (uint32_t)(i->size % EROFS_BLOCK);
	bool is_ours = i->kind == INDEX_DIR || i->kind == INDEX_SYMLINK;

	i->layout = EROFS_FLAT_PLAIN;
	if (!is_ours || tail == 0 || head + tail > EROFS_BLOCK)
		return 0;
	i->layout = EROFS_FLAT_INLINE;
	return tail;
}

/* Neither an inode nor an inline tail may cross a block; xattrs do only when larger than one. */
static void place_inode(struct layout *l, struct tinode *i)
{
	uint32_t head, tail, room = EROFS_BLOCK - (uint32_t)(l->pos % EROFS_BLOCK);

	i->size = content_size(i);
	i->xattr_size = xattr_size(i);
	i->is_extended = needs_extended(i);
	head = (i->is_extended ? 64 : 32) + i->xattr_size;
	tail = choose_layout(i, head);
	if (head + tail > room)
		l->pos += room;
	i->slot = l->pos / EROFS_SLOT;
	l->pos += (head + tail + EROFS_SLOT - 1) / EROFS_SLOT * EROFS_SLOT;
	if (i->kind == INDEX_DIR || i->kind == INDEX_SYMLINK) {
		i->block = (uint32_t)l->extra; /* from the end of the inode area; see finish() */
		l->extra += (i->size - tail + EROFS_BLOCK - 1) / EROFS_BLOCK;
	}
}

static void append(struct layout *l, struct tinode *i)
{
	struct erofs_plan *p = l->plan;

	i->is_placed = true;
	i->next = NULL;
	if (p->last)
		p->last->next = i;
	else
		p->first = i;
	p->last = i;
	p->nr_inodes++;
	place_inode(l, i);
}

/* Places all that @dir names; the list of inodes serves as the queue of directories. */
static int place_children(struct layout *l, struct tinode *dir, struct err *e)
{
	struct tree_iter it;
	const struct tnode *n;

	tree_iter_init(&it, dir);
	while ((n = tree_iter_next(&it))) {
		if (n->inode->is_placed)
			continue;
		if (n->inode->kind == INDEX_DIR && add_dots(l, n->inode, e) < 0)
			return -1;
		append(l, n->inode);
	}
	return 0;
}

static uint64_t align_blocks(uint64_t bytes)
{
	return (bytes + EROFS_BLOCK - 1) / EROFS_BLOCK;
}

/* Block numbers relative to an area become absolute, now that the areas have sizes. */
static int finish(struct layout *l, const uint64_t *data_blocks, unsigned nr_layers, struct err *e)
{
	struct erofs_plan *p = l->plan;
	uint64_t inode_blocks = align_blocks(l->pos), data = 0;
	struct tinode *i;
	unsigned n;

	p->inode_end = l->pos;
	p->meta_blocks = inode_blocks + l->extra;
	for (n = 0; n < nr_layers; n++)
		data += data_blocks[n];
	p->total_blocks = p->meta_blocks + data;
	if (p->total_blocks > MAX_BLOCKS)
		return err_set(e, 0, "cannot make a root file system larger than 16 TiB");
	for (i = p->first; i; i = i->next) {
		if (i->kind == INDEX_FILE)
			i->block = i->size ? (uint32_t)(p->meta_blocks + l->data_start[i->layer] +
							i->rec->data_block)
					   : 0;
		else if (i->kind == INDEX_DIR || i->kind == INDEX_SYMLINK)
			i->block += (uint32_t)inode_blocks;
		else if (i->rec)
			i->block = i->rec->rdev;
	}
	return 0;
}

int erofs_plan(struct tree *t, const uint64_t *data_blocks, unsigned nr_layers,
	       struct erofs_plan *plan, struct err *e)
{
	uint64_t start[MERGE_MAX_LAYERS], sum = 0;
	struct layout l = { .plan = plan, .tree = t, .data_start = start };
	struct tinode *i;
	unsigned n;

	for (n = 0; n < nr_layers; n++) {
		start[n] = sum;
		sum += data_blocks[n];
	}
	l.pos = EROFS_SUPER_OFFSET + sizeof(struct erofs_super);
	if (add_dots(&l, t->root, e) < 0)
		return -1;
	append(&l, t->root);
	for (i = plan->first; i; i = i->next) {
		if (i->kind == INDEX_DIR && place_children(&l, i, e) < 0)
			return -1;
	}
	return finish(&l, data_blocks, nr_layers, e);
}
