/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define ARENA_BLOCK (256u << 10)

struct arena_block {
	struct arena_block *next;
	unsigned char mem[ARENA_BLOCK - sizeof(void *)];
};

/* Zeroed. NULL when memory is out. */
static void *arena_get(struct tree *t, size_t n)
{
	void *p;

	n = (n + 7) & ~(size_t)7;
	if (!t->arena || t->arena_used + n > sizeof(t->arena->mem)) {
		struct arena_block *b = malloc(sizeof(*b));

		if (!b)
			return NULL;
		b->next = t->arena;
		t->arena = b;
		t->arena_used = 0;
	}
	p = t->arena->mem + t->arena_used;
	t->arena_used += n;
	return memset(p, 0, n);
}

/* xorshift64*: good enough for priorities that nobody can see. */
static uint32_t next_random(struct tree *t)
{
	t->random ^= t->random >> 12;
	t->random ^= t->random << 25;
	t->random ^= t->random >> 27;
	return (uint32_t)((t->random * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

int tree_init(struct tree *t, uint64_t seed, struct err *e)
{
	*t = (struct tree){ .random = seed ? seed : 1 };
	t->root = tree_inode(t, INDEX_DIR, NULL, e);
	if (!t->root)
		return -1;
	t->root->parent = t->root; /* and no name: "." and ".." will be its links */
	return 0;
}

void tree_free(struct tree *t)
{
	while (t->arena) {
		struct arena_block *b = t->arena;

		t->arena = b->next;
		free(b);
	}
}

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int r = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return r ? r : (a_len > b_len) - (a_len < b_len);
}

static int compare_node(const struct tnode *n, const char *name, size_t len)
{
	return compare(n->name, n->name_len, name, len);
}

struct tnode *tree_find(struct tree *t, const struct tinode *dir, const char *name, size_t len)
{
	struct tnode *n = dir->children;

	t->nr_steps++;
	while (n) {
		int r = compare_node(n, name, len);

		if (r == 0)
			return n;
		n = r < 0 ? n->right : n->left;
	}
	return NULL;
}

/* Parts a treap into the names before and behind @name. */
static void split(struct tnode *n, const char *name, size_t len, struct tnode **before,
		  struct tnode **behind)
{
	while (n) {
		if (compare_node(n, name, len) < 0) {
			*before = n;
			before = &n->right;
			n = n->right;
		} else {
			*behind = n;
			behind = &n->left;
			n = n->left;
		}
	}
	*before = NULL;
	*behind = NULL;
}

struct tnode *tree_add(struct tree *t, struct tinode *dir, const char *name, size_t len,
		       struct tinode *inode, struct err *e)
{
	struct tnode **at = &dir->children;
	struct tnode *n;

	if (t->nr_names >= TREE_MAX_NAMES) {
		err_set(e, 0, "cannot merge more than %u names", TREE_MAX_NAMES);
		return NULL;
	}
	n = arena_get(t, sizeof(*n));
	if (!n) {
		err_set(e, ENOMEM, "cannot merge the layers");
		return NULL;
	}
	t->nr_names++;
	*n = (struct tnode){ .inode = inode, .name = name, .name_len = (uint16_t)len };
	n->priority = next_random(t);
	while (*at && (*at)->priority >= n->priority)
		at = compare_node(*at, name, len) < 0 ? &(*at)->right : &(*at)->left;
	split(*at, name, len, &n->left, &n->right);
	*at = n;
	inode->nr_links++;
	return n;
}

/* Joins two treaps, all names of @a before all of @b. */
static void join(struct tnode **at, struct tnode *a, struct tnode *b)
{
	while (a && b) {
		if (a->priority > b->priority) {
			*at = a;
			at = &a->right;
			a = a->right;
		} else {
			*at = b;
			at = &b->left;
			b = b->left;
		}
	}
	*at = a ? a : b;
}

void tree_remove(struct tree *t, struct tinode *dir, const char *name, size_t len)
{
	struct tnode **at = &dir->children;
	struct tnode *n;

	t->nr_steps++;
	while (*at) {
		int r = compare_node(*at, name, len);

		if (r == 0)
			break;
		at = r < 0 ? &(*at)->right : &(*at)->left;
	}
	n = *at;
	if (!n)
		return;
	join(at, n->left, n->right);
	tree_drop(n->inode);
}

/* Takes the names out of the directories on the list, which grows as directories are met. */
static void clear_list(struct tinode *list)
{
	while (list) {
		struct tree_iter it;
		const struct tnode *n;
		struct tinode *dir = list;

		list = dir->next;
		dir->next = NULL;
		tree_iter_init(&it, dir);
		while ((n = tree_iter_next(&it))) {
			if (--n->inode->nr_links == 0 && n->inode->kind == INDEX_DIR) {
				n->inode->next = list;
				list = n->inode;
			}
		}
		dir->children = NULL;
	}
}

void tree_clear(struct tinode *dir)
{
	dir->next = NULL;
	clear_list(dir);
}

void tree_drop(struct tinode *inode)
{
	if (--inode->nr_links == 0 && inode->kind == INDEX_DIR)
		tree_clear(inode);
}

struct tinode *tree_inode(struct tree *t, enum index_kind kind, const struct index_rec *rec,
			  struct err *e)
{
	struct tinode *i = arena_get(t, sizeof(*i));

	if (!i) {
		err_set(e, ENOMEM, "cannot merge the layers");
		return NULL;
	}
	i->kind = (uint8_t)kind;
	i->rec = rec;
	return i;
}

struct tinode *tree_dir(struct tree *t, struct tinode *parent, const struct index_rec *rec,
			struct err *e)
{
	struct tinode *i;

	if (parent->depth >= TREE_MAX_DEPTH) {
		err_set(e, 0, "cannot merge directories more than %u deep", TREE_MAX_DEPTH);
		return NULL;
	}
	i = tree_inode(t, INDEX_DIR, rec, e);
	if (i) {
		i->parent = parent;
		i->depth = (uint16_t)(parent->depth + 1);
	}
	return i;
}

static void push_left(struct tree_iter *it, const struct tnode *n)
{
	while (n) {
		if (it->depth == nitems(it->stack))
			abort(); /* not in the life of the universe, unless memory is broken */
		it->stack[it->depth++] = n;
		n = n->left;
	}
}

void tree_iter_init(struct tree_iter *it, const struct tinode *dir)
{
	it->depth = 0;
	push_left(it, dir->children);
}

const struct tnode *tree_iter_next(struct tree_iter *it)
{
	const struct tnode *n;

	if (it->depth == 0)
		return NULL;
	n = it->stack[--it->depth];
	push_left(it, n->right);
	return n;
}
