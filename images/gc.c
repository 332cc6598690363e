/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: What is kept
 *
 * An image lives while a name points to it or somebody holds its rootfs directory.  Its info.json
 * lists the blobs and layers it needs; what no info.json lists is removed.  Since a fetch makes
 * blobs before the info.json that lists them, removal needs the store lock exclusively: a fetch
 * holds it shared from before its first blob until after its name.
 */
#include "gc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "images/find.h"
#include "images/image.h"
#include "images/layer.h"

#define LOCK_TIMEOUT_MS 10000

/* Sorted names of files that are needed. */
struct keep {
	char (*v)[STORE_NAME_MAX];
	size_t nr, cap;
};

static void keep_add(struct keep *k, const char *name)
{
	if (k->nr == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 64;
		k->v = xrealloc(k->v, k->cap * sizeof(*k->v));
	}
	snprintf(k->v[k->nr++], sizeof(*k->v), "%s", name);
}

static int cmp_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int keep_image(void *ctx, const char *name, const struct digest *id, struct err *e)
{
	struct keep *k = ((void **)ctx)[0];
	const struct store *s = ((void **)ctx)[1];
	cleanup_info struct store_info info = { 0 };
	cleanup_free char *path = fs_join("rootfs", name);
	cleanup_close int fd = fs_opendir(s->dirfd, path, e);
	char buf[STORE_NAME_MAX];
	unsigned i;

	if (fd < 0 || store_info_read(fd, &info, e) < 0) {
		/* image rm takes info.json first; it was killed, or is at it. */
		if (e->num == ENOENT)
			return 0;
		/* Not knowing what it needs, removing anything could break it. */
		err_wrap(e, "cannot tell what image sha256:%s needs", id->hex);
		return err_hint(e, "remove it with 'vpod image rm sha256:%.12s'", id->hex);
	}
	for (i = 0; i < info.nr_blobs; i++)
		keep_add(k, store_blob_name(&info.blobs[i], buf));
	for (i = 0; i < info.nr_layers; i++)
		keep_add(k, store_layer_name(&info.layers[i].blob, buf));
	return 0;
}

static uint64_t tree_size(int dirfd, const char *name)
{
	cleanup_closedir DIR *d = NULL;
	struct dirent *de;
	struct stat st;
	uint64_t sum;
	int fd;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	sum = (uint64_t)st.st_blocks * 512;
	if (!S_ISDIR(st.st_mode))
		return sum;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	while (d && (de = readdir(d))) {
		if (de->d_name[0] != '.' && !fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW))
			sum += (uint64_t)st.st_blocks * 512;
	}
	return sum;
}

/* Removes from @dir what is not in @k; NULL removes all. */
static int sweep_dir(struct store *s, const char *dir, const struct keep *k, uint64_t *bytes,
		     struct err *e)
{
	int fd = openat(s->dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		char name[STORE_NAME_MAX];

		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%.120s", dir, de->d_name);
		if (k && k->nr && bsearch(name, k->v, k->nr, sizeof(*k->v), cmp_name))
			continue;
		if (bytes)
			*bytes += tree_size(fd, de->d_name);
		/* No temporary name: with a full disk, there is no room for the directory. */
		if (fs_remove_tree(fd, de->d_name, e) < 0)
			return err_wrap(e, "cannot remove %s/%s", s->path, name);
	}
	return 0;
}

int gc_sweep(struct store *s, uint64_t *bytes, struct err *e)
{
	struct keep k = { 0 };
	void *ctx[] = { &k, s };
	int r = find_each_rootfs(s, keep_image, ctx, e);

	if (!r && k.nr)
		qsort(k.v, k.nr, sizeof(*k.v), cmp_name);
	if (!r)
		r = sweep_dir(s, "layers", &k, bytes, e);
	if (!r)
		r = sweep_dir(s, "blobs/sha256", &k, bytes, e);
	if (!r)
		r = sweep_dir(s, "locks", NULL, NULL, e);
	free(k.v);
	return r;
}

int gc_try_sweep(struct store *s, uint64_t *bytes, struct err *e)
{
	int r = store_lock(s, LOCK_EX, 0, e);

	if (!r)
		r = gc_sweep(s, bytes, e);
	else if (r > 0)
		log_debug("images: a fetch is running, unused files stay for 'image gc'");
	store_unlock(s);
	return r < 0 ? -1 : 0;
}

/* Names the user that @users knows; returns 1, 0 or -1. */
static int ask_users(const struct image_users *users, const struct digest *id, struct err *e)
{
	char user[IMAGE_USER_MAX];
	int r = users ? users->find(users->ctx, id, user, e) : 0;

	if (r <= 0)
		return r;
	err_setk(e, ERR_DENIED, EBUSY, "cannot remove image sha256:%.12s: %s needs it", id->hex,
		 user);
	err_hint(e, "'vpod list' shows the pods; remove those that use it first");
	return 1;
}

static int is_held(const struct image_users *users, const struct digest *id, int fd, struct err *e)
{
	pid_t pid = store_lock_owner(fd);
	struct err ignored; /* that it is held is known in any case */

	if (ask_users(users, id, &ignored) > 0) {
		*e = ignored;
		return -1;
	}
	if (pid)
		err_setk(e, ERR_DENIED, EBUSY,
			 "cannot remove image sha256:%.12s: held by process %d", id->hex, (int)pid);
	else
		err_setk(e, ERR_DENIED, EBUSY, "cannot remove image sha256:%.12s: held by a pod",
			 id->hex);
	return err_hint(e, "'vpod list' shows the pods; remove those that use it first");
}

static int remove_refs(struct store *s, const struct digest *id, struct err *e)
{
	cleanup_store_refs struct store_refs refs = { 0 };
	unsigned i;

	if (store_refs_list(s, &refs, e) < 0)
		return -1;
	for (i = 0; i < refs.nr; i++) {
		if (digest_equal(&refs.v[i].id, id) && store_ref_remove(s, refs.v[i].name, e) < 0)
			return -1;
	}
	return 0;
}

/*
 * One rendering: names first, so that nobody finds a name without an image; info.json next, so
 * that whoever waits for the lock sees that it is gone (image_hold()).
 */
static int remove_rootfs(struct store *s, const struct digest *id, const char *name, bool with_refs,
			 const struct image_users *users, struct err *e)
{
	cleanup_close int top = fs_opendir(s->dirfd, "rootfs", e);
	cleanup_close int fd = -1;
	int r;

	if (top < 0)
		return -1;
	fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, "cannot open image %s", name);
	r = store_flock(fd, LOCK_EX, 0, e);
	if (r)
		return r < 0 ? -1 : is_held(users, id, fd, e);
	if (with_refs && ask_users(users, id, e))
		return -1;
	if (with_refs && remove_refs(s, id, e) < 0)
		return -1;
	if (unlinkat(fd, "info.json", 0) < 0 && errno != ENOENT)
		return err_set(e, errno, "cannot remove image %s", name);
	return fs_remove_tree(top, name, e);
}

struct removal {
	struct store *s;
	const struct digest *id;
	const struct image_users *users;
};

static int remove_if_match(void *ctx, const char *name, const struct digest *id, struct err *e)
{
	struct removal *r = ctx;

	if (!digest_equal(id, r->id))
		return 0;
	return remove_rootfs(r->s, id, name, true, r->users, e);
}

static unsigned count_names(const struct store_refs *refs, const struct digest *id)
{
	unsigned i, n = 0;

	for (i = 0; i < refs->nr; i++)
		n += digest_equal(&refs->v[i].id, id);
	return n;
}

static int remove_found(struct store *s, const struct found *f, const struct image_users *users,
			struct err *e)
{
	cleanup_store_refs struct store_refs refs = { 0 };
	struct removal r = { s, &f->id, users };

	if (store_refs_list(s, &refs, e) < 0)
		return -1;
	if (!f->by_id && count_names(&refs, &f->id) > 1)
		return store_ref_remove(s, f->name, e);
	if (find_each_rootfs(s, remove_if_match, &r, e) < 0 || remove_refs(s, &f->id, e) < 0)
		return -1;
	return gc_try_sweep(s, NULL, e);
}

int image_remove(const char *dir, const char *ref, const struct image_users *users, struct err *e)
{
	cleanup_found struct found f = { 0 };
	struct store s;
	int r;

	if (store_open(dir, false, &s, e) < 0)
		return e->kind == ERR_NOT_FOUND ? find_none(ref, e) : -1;
	r = find_image(&s, ref, &f, e);
	if (r > 0)
		r = remove_found(&s, &f, users, e);
	else if (!r)
		r = find_none(ref, e);
	store_close(&s);
	return r;
}

struct collection {
	struct store *s;
	struct store_refs refs;
	uint64_t grace;
	const struct image_users *users;
	struct image_gc_result *out;
};

static bool is_unused(struct collection *c, const char *name, const struct digest *id)
{
	char current[STORE_NAME_MAX];
	uint64_t now = (uint64_t)time(NULL);
	struct stat st;

	store_rootfs_name(id, current);
	if (!count_names(&c->refs, id))
		return true;
	/* A rendering of an older vpod, when there is a new one. */
	if (strcmp(current + strlen("rootfs/"), name) != 0)
		return store_has(c->s, current);
	return c->grace && !fstatat(c->s->dirfd, current, &st, AT_SYMLINK_NOFOLLOW) &&
	       (uint64_t)st.st_mtime < now && now - (uint64_t)st.st_mtime > c->grace;
}

static int collect_image(void *ctx, const char *name, const struct digest *id, struct err *e)
{
	struct collection *c = ctx;
	cleanup_free char *path = fs_join("rootfs", name);
	char current[STORE_NAME_MAX];
	bool is_current = !strcmp(path, store_rootfs_name(id, current));
	uint64_t size;

	if (!is_unused(c, name, id))
		return 0;
	size = tree_size(c->s->dirfd, path);
	if (remove_rootfs(c->s, id, name, is_current, c->users, e) < 0)
		return e->kind == ERR_DENIED ? 0 : -1; /* held: not unused after all */
	c->out->nr_images++;
	c->out->bytes += size;
	return 0;
}

static int collect(struct store *s, uint64_t grace, const struct image_users *users,
		   struct image_gc_result *out, struct err *e)
{
	struct collection c = { .s = s, .grace = grace, .users = users, .out = out };
	int r = store_lock(s, LOCK_EX, LOCK_TIMEOUT_MS, e);

	if (r > 0) {
		err_set(e, EBUSY, "cannot collect images: a fetch is running (process %d)",
			(int)store_lock_owner(s->lock_fd));
		return err_hint(e, "try again when it is done");
	}
	if (r < 0)
		return -1;
	store_collect_tmp(s);
	if (store_refs_list(s, &c.refs, e) < 0)
		return -1;
	r = find_each_rootfs(s, collect_image, &c, e);
	store_refs_free(&c.refs);
	return r < 0 ? -1 : gc_sweep(s, &out->bytes, e);
}

int image_gc(const char *dir, uint64_t grace, const struct image_users *users,
	     struct image_gc_result *out, struct err *e)
{
	struct store s;
	int r;

	*out = (struct image_gc_result){ 0 };
	if (store_open(dir, false, &s, e) < 0)
		return e->kind == ERR_NOT_FOUND ? 0 : -1;
	r = collect(&s, grace, users, out, e);
	store_close(&s);
	return r;
}
