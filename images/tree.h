/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The merged tree
 *
 * A name (struct tnode) stands in a directory and points to an inode (struct tinode); hard links
 * are several names of one inode.  A directory keeps its names in a treap: a search tree by name
 * that is a heap by random priorities, so it is balanced whatever names a stranger chooses, and
 * sorted already when it is written.
 *
 * Nothing is copied: names, link targets and xattrs stay in the mapped indexes, which must outlive
 * the tree.  Memory comes from an arena and is freed at once with the tree; removed names are not
 * reused, which the number of entries bounds.
 */
#ifndef VPOD_IMAGES_TREE_H
#define VPOD_IMAGES_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "images/layer_index.h"

#define TREE_MAX_NAMES 8000000u	    /* made in all, removed ones included */
#define TREE_MAX_STEPS (1ull << 28) /* of all walks: ends hostile symlink mazes */
#define TREE_MAX_DEPTH 2048u	    /* of directories: PATH_MAX allows no more */
#define TREE_MAX_HOPS 40u	    /* symlinks followed for one name, as in the kernel */

struct tinode;

struct tnode {
	struct tnode *left, *right;
	struct tinode *inode;
	const char *name; /* not terminated */
	uint32_t priority;
	uint16_t name_len;
};

struct tinode {
	const struct index_rec *rec; /* NULL: a directory that no layer describes */
	struct tnode *children;	     /* of a directory */
	struct tinode *parent;	     /* of a directory; the root's is the root */
	struct tinode *next;	     /* work list; later the order of the inodes in the image */
	uint32_t layer;		     /* whose data file holds the content */
	uint32_t nr_links;
	uint16_t depth; /* of a directory */
	uint8_t kind;	/* enum index_kind: what a file can be */

	/* Where it stands in the image, see erofs_layout.c */
	uint8_t layout; /* EROFS_INODE_* */
	bool is_extended;
	bool is_placed;
	uint32_t block;	     /* of the content, in the address space of the image */
	uint32_t xattr_size; /* with its header, 0 when there is none */
	uint64_t slot;	     /* the nid */
	uint64_t size;
};

struct tree {
	struct tinode *root;
	uint32_t nr_names;
	uint64_t nr_steps;
	uint64_t random;
	struct arena_block *arena;
	size_t arena_used;
};

/* @seed is unpredictable for whoever made the layers; it does not influence the result. */
int tree_init(struct tree *t, uint64_t seed, struct err *e);
void tree_free(struct tree *t);

/* NULL when there is none; also counts a step. */
struct tnode *tree_find(struct tree *t, const struct tinode *dir, const char *name, size_t len);

/* A new name for @inode, which must not be there yet. */
struct tnode *tree_add(struct tree *t, struct tinode *dir, const char *name, size_t len,
		       struct tinode *inode, struct err *e);

/* One link less; a directory goes with all that is in it. */
void tree_drop(struct tinode *inode);

/* Removes a name, or all names of a directory. */
void tree_remove(struct tree *t, struct tinode *dir, const char *name, size_t len);
void tree_clear(struct tinode *dir);

struct tinode *tree_inode(struct tree *t, enum index_kind kind, const struct index_rec *rec,
			  struct err *e);

/* A new directory in @parent, without a name yet. */
struct tinode *tree_dir(struct tree *t, struct tinode *parent, const struct index_rec *rec,
			struct err *e);

/* The names of a directory in order of their bytes. The directory must not change meanwhile. */
struct tree_iter {
	const struct tnode
		*stack[192]; /* depth of a treap: about 4.3 ln(names) at the very worst */
	unsigned depth;
};
void tree_iter_init(struct tree_iter *it, const struct tinode *dir);
const struct tnode *tree_iter_next(struct tree_iter *it);

/* Applies one layer, number @layer counted from 0 at the bottom. */
int tree_apply(struct tree *t, struct index *ix, uint32_t layer, struct err *e);

#endif
