/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: One layer upon those below
 *
 * Whiteouts and opaque marks hide what *lower* layers hold, wherever in the tar they stand.  So a
 * layer is applied in two passes: first all that it hides, then all that it brings.
 *
 * A name whose parent is a symlink is followed within the image, as a container engine would that
 * extracts it beneath a root: an absolute target begins at the image's root, ".." stops there.
 * There is no other root that could be left.  Parents that no layer describes are made: 0755,
 * root's, of the epoch.  Parents that are something else are an error: nothing is thrown away
 * unless a layer says so.
 *
 * A later entry of the same name wins; a directory upon a directory changes only what is said
 * about it, not what is in it.
 */
#include <errno.h>
#include <string.h>

#include "tree.h"

struct span {
	const char *p;
	size_t len;
};

/* What is still to be walked: the rest of the path, upon it the rests of the links met. */
struct walk {
	struct span todo[TREE_MAX_HOPS + 1];
	unsigned nr_todo;
	unsigned nr_hops;
};

static int entry_error(const struct index_rec *r, int num, const char *why, struct err *e)
{
	return err_set(e, num, "cannot place \"%.*s\": %s", r->path_len > 300 ? 300 : r->path_len,
		       index_path(r), why);
}

/* Takes the next component off. Returns false at the end. */
static bool next_component(struct walk *w, struct span *out)
{
	while (w->nr_todo) {
		struct span *s = &w->todo[w->nr_todo - 1];
		const char *slash;

		while (s->len && s->p[0] == '/') {
			s->p++;
			s->len--;
		}
		if (s->len == 0) {
			w->nr_todo--;
			continue;
		}
		slash = memchr(s->p, '/', s->len);
		out->p = s->p;
		out->len = slash ? (size_t)(slash - s->p) : s->len;
		s->p += out->len;
		s->len -= out->len;
		return true;
	}
	return false;
}

static bool is_name(const struct span *c, const char *name)
{
	return c->len == strlen(name) && memcmp(c->p, name, c->len) == 0;
}

static int make_dir(struct tree *t, struct tinode **dir, const struct span *c,
		    const struct index_rec *r, struct err *e)
{
	struct tinode *made;

	if (c->len > LAYER_MAX_NAME)
		return entry_error(r, ENAMETOOLONG, "a link in its path leads nowhere", e);
	made = tree_dir(t, *dir, NULL, e);
	if (!made || !tree_add(t, *dir, c->p, c->len, made, e))
		return -1;
	*dir = made;
	return 0;
}

static int follow(struct tree *t, struct walk *w, const struct tinode *link, struct tinode **dir,
		  const struct index_rec *r, struct err *e)
{
	struct span target = { index_link(link->rec), link->rec->link_len };

	if (w->nr_hops++ >= TREE_MAX_HOPS)
		return entry_error(r, ELOOP, "its path", e);
	if (target.p[0] == '/')
		*dir = t->root;
	/* Hops bound the depth: each adds one rest, and there are as many places as hops. */
	w->todo[w->nr_todo++] = target;
	return 0;
}

static int walk_step(struct tree *t, struct walk *w, const struct span *c, struct tinode **dir,
		     bool create, const struct index_rec *r, struct err *e)
{
	struct tnode *n;

	if (t->nr_steps++ >= TREE_MAX_STEPS)
		return entry_error(r, 0, "the layers' links take too long to follow", e);
	if (is_name(c, "."))
		return 0;
	if (is_name(c, "..")) {
		*dir = (*dir)->parent;
		return 0;
	}
	n = tree_find(t, *dir, c->p, c->len);
	if (!n)
		return create ? make_dir(t, dir, c, r, e)
			      : entry_error(r, ENOENT, "its directory", e);
	if (n->inode->kind == INDEX_SYMLINK)
		return follow(t, w, n->inode, dir, r, e);
	if (n->inode->kind != INDEX_DIR)
		return entry_error(r, ENOTDIR, "a part of its path", e);
	*dir = n->inode;
	return 0;
}

/* The directory that @path names. Missing ones are an error (ENOENT in e->num), or created. */
static int walk_dir(struct tree *t, const char *path, size_t len, bool create, struct tinode **dir,
		    const struct index_rec *r, struct err *e)
{
	struct walk w = { .todo = { { path, len } }, .nr_todo = 1 };
	struct span c;

	*dir = t->root;
	while (next_component(&w, &c)) {
		if (walk_step(t, &w, &c, dir, create, r, e) < 0)
			return -1;
	}
	return 0;
}

/* Parts "a/b/c" into "a/b" and "c", neglecting slashes at the end. */
static void split_path(const char *path, size_t len, struct span *parent, struct span *base)
{
	const char *slash;

	while (len && path[len - 1] == '/')
		len--;
	slash = memrchr(path, '/', len);
	*parent = (struct span){ path, slash ? (size_t)(slash - path) : 0 };
	*base = slash ? (struct span){ slash + 1, (size_t)(path + len - slash - 1) }
		      : (struct span){ path, len };
}

/* First pass */

/* Memory and time are out, in contrast to "what it hides is not there anyway". */
static bool is_fatal(const struct err *e)
{
	return e->num != ENOENT && e->num != ENOTDIR && e->num != ELOOP;
}

static int hide(struct tree *t, const struct index_rec *r, struct err *e)
{
	struct err missing = { 0 };
	struct span parent = { index_path(r), r->path_len }, base = { NULL, 0 };
	struct tinode *dir;

	if (r->kind == INDEX_WHITEOUT)
		split_path(index_path(r), r->path_len, &parent, &base);
	if (walk_dir(t, parent.p, parent.len, false, &dir, r, &missing) < 0) {
		if (is_fatal(&missing)) {
			*e = missing;
			return -1;
		}
		return 0;
	}
	if (r->kind == INDEX_WHITEOUT)
		tree_remove(t, dir, base.p, base.len);
	else
		tree_clear(dir);
	return 0;
}

/* Second pass */

/* Lets @name mean @inode, whatever it meant before. */
static int set_name(struct tree *t, struct tinode *dir, const struct span *name,
		    struct tinode *inode, struct err *e)
{
	struct tnode *n = tree_find(t, dir, name->p, name->len);

	if (!n)
		return tree_add(t, dir, name->p, name->len, inode, e) ? 0 : -1;
	inode->nr_links++; /* first: it may live only in what goes now */
	tree_drop(n->inode);
	n->inode = inode;
	return 0;
}

static int find_target(struct tree *t, const struct index_rec *r, struct tinode **out,
		       struct err *e)
{
	struct span parent, base;
	struct tinode *dir;
	struct tnode *n = NULL;

	split_path(index_link(r), r->link_len, &parent, &base);
	if (walk_dir(t, parent.p, parent.len, false, &dir, r, e) < 0)
		return err_wrap(e, "cannot make a hard link to \"%.*s\"",
				r->link_len > 300 ? 300 : r->link_len, index_link(r));
	if (base.len && !is_name(&base, ".") && !is_name(&base, "..")) {
		n = tree_find(t, dir, base.p, base.len);
		if (!n)
			return entry_error(r, ENOENT, "the target of the hard link", e);
	}
	if (!n || n->inode->kind == INDEX_DIR)
		return entry_error(r, 0, "a hard link to a directory", e);
	*out = n->inode;
	return 0;
}

/* A directory upon a directory keeps what is in it. Returns 1 when that was the case. */
static int update_dir(struct tree *t, struct tinode *dir, const struct span *name,
		      const struct index_rec *r)
{
	struct tnode *n = tree_find(t, dir, name->p, name->len);

	if (!n || n->inode->kind != INDEX_DIR)
		return 0;
	n->inode->rec = r;
	return 1;
}

static int bring(struct tree *t, const struct index_rec *r, uint32_t layer, struct err *e)
{
	struct span parent, name;
	struct tinode *dir, *inode = NULL;

	if (r->path_len == 0) { /* the root is a directory: index_next() has seen to it */
		t->root->rec = r;
		return 0;
	}
	split_path(index_path(r), r->path_len, &parent, &name);
	if (walk_dir(t, parent.p, parent.len, true, &dir, r, e) < 0)
		return -1;
	if (r->kind == INDEX_HARDLINK) {
		if (find_target(t, r, &inode, e) < 0)
			return -1;
	} else if (r->kind == INDEX_DIR) {
		if (update_dir(t, dir, &name, r))
			return 0;
		inode = tree_dir(t, dir, r, e);
	} else {
		inode = tree_inode(t, (enum index_kind)r->kind, r, e);
	}
	if (!inode)
		return -1;
	if (r->kind != INDEX_HARDLINK)
		inode->layer = layer;
	return set_name(t, dir, &name, inode, e);
}

static bool is_hiding(const struct index_rec *r)
{
	return r->kind == INDEX_WHITEOUT || r->kind == INDEX_OPAQUE;
}

int tree_apply(struct tree *t, struct index *ix, uint32_t layer, struct err *e)
{
	const struct index_rec *r;
	int more;

	index_rewind(ix);
	while ((more = index_next(ix, &r, e)) > 0) {
		if (is_hiding(r) && hide(t, r, e) < 0)
			return -1;
	}
	if (more < 0)
		return -1;
	index_rewind(ix);
	while ((more = index_next(ix, &r, e)) > 0) {
		if (!is_hiding(r) && bring(t, r, layer, e) < 0)
			return -1;
	}
	return more;
}
