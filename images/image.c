/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "images/image_config.h"
#include "images/find.h"
#include "images/store.h"

/* image rm and gc hold the lock for the time of a few renames. */
#define HOLD_TIMEOUT_MS 10000

void image_free(struct image *img)
{
	unsigned i;

	free(img->name);
	free(img->short_name);
	strv_free(&img->entrypoint);
	strv_free(&img->cmd);
	strv_free(&img->env);
	free(img->user);
	free(img->working_dir);
	free(img->stop_signal);
	strv_free(&img->volumes);
	for (i = 0; i < img->nr_ports; i++) {
		free(img->ports[i].name);
		free(img->ports[i].protocol);
	}
	free(img->ports);
	strv_free(&img->labels);
	strv_free(&img->rootfs_files);
	*img = (struct image){ 0 };
}

static uint64_t pad(uint64_t size)
{
	return (size + 4095) & ~4095ull;
}

static void add_rootfs(const struct store *s, const struct store_info *info, struct image *out)
{
	char name[STORE_NAME_MAX];
	unsigned i;

	strv_addf(&out->rootfs_files, "%s/%s/meta", s->path, store_rootfs_name(&info->id, name));
	out->rootfs_size = pad(info->meta_size);
	for (i = 0; i < info->nr_layers; i++) {
		/* An empty file takes no room in the concatenation, and cannot be mapped. */
		if (!info->layers[i].data_size)
			continue;
		strv_addf(&out->rootfs_files, "%s/%s/data", s->path,
			  store_layer_name(&info->layers[i].blob, name));
		out->rootfs_size += pad(info->layers[i].data_size);
	}
}

static void set_names(const struct found *f, struct image *out)
{
	cleanup_ref struct image_ref by_name = { 0 };
	const struct image_ref *ref = &f->ref;
	struct err ignored;

	out->name = xstrdup(f->in.name ? f->in.name : f->name);
	/* An image asked for by its id is called as its name says, if it has one. */
	if (f->by_id && f->in.name && !ref_parse(f->in.name, &by_name, &ignored))
		ref = &by_name;
	out->short_name = ref_short_name(ref);
}

/* Fills @out; returns the rootfs directory's fd (caller owns) or -1. */
static int load(const struct store *s, const char *text, struct image *out, struct err *e)
{
	cleanup_info struct store_info info = { 0 };
	cleanup_sb struct strbuf config = STRBUF_INIT;
	cleanup_found struct found f = { 0 };
	cleanup_close int fd = -1;
	int r = find_image(s, text, &f, e);

	if (r <= 0)
		return r ? -1 : find_none(text, e);
	fd = store_open_rootfs(s, &f.id, &info, e);
	if (fd < 0)
		return -1;
	if (store_read_blob(s, &info.config, JSON_MAX_SIZE, &config, e) < 0 ||
	    image_config_parse(config.buf, config.len, out, e) < 0)
		return err_wrap(e, "cannot load image %s", f.name);
	out->id = f.id;
	out->size = info.size;
	set_names(&f, out);
	add_rootfs(s, &info, out);
	return take_fd(&fd);
}

static int open_and_load(const char *dir, const char *text, struct image *out, struct err *e)
{
	struct store s;
	int fd;

	*out = (struct image){ 0 };
	if (store_open(dir, false, &s, e) < 0)
		return e->kind == ERR_NOT_FOUND ? find_none(text, e) : -1;
	fd = load(&s, text, out, e);
	store_close(&s);
	if (fd < 0)
		image_free(out);
	return fd;
}

int image_load(const char *dir, const char *ref, struct image *out, struct err *e)
{
	cleanup_close int fd = open_and_load(dir, ref, out, e);

	return fd < 0 ? -1 : 0;
}

/* Whether the directory still has its name: image rm takes it away first. */
static bool is_linked(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_nlink > 0 && !faccessat(fd, "info.json", F_OK, 0);
}

int image_hold(const char *dir, const char *ref, struct image *out, int *lock_fd, struct err *e)
{
	cleanup_close int fd = open_and_load(dir, ref, out, e);
	int r;

	*lock_fd = -1;
	if (fd < 0)
		return -1;
	r = store_flock(fd, LOCK_SH, HOLD_TIMEOUT_MS, e);
	if (r > 0)
		err_set(e, EBUSY, "cannot use image %s: process %d is removing it", out->name,
			(int)store_lock_owner(fd));
	else if (!r && !is_linked(fd))
		r = find_none(ref, e);
	if (r) {
		image_free(out);
		return -1;
	}
	/* The time of last use; on a store that we may only read it does not matter. */
	if (futimens(fd, NULL) < 0)
		log_debug("images: cannot note the use of %s", out->name);
	*lock_fd = take_fd(&fd);
	return 0;
}

int image_manifest(const char *dir, const char *ref, struct strbuf *out, struct err *e)
{
	cleanup_found struct found f = { 0 };
	struct store s;
	int r;

	if (store_open(dir, false, &s, e) < 0)
		return e->kind == ERR_NOT_FOUND ? find_none(ref, e) : -1;
	r = find_image(&s, ref, &f, e);
	if (r > 0)
		r = store_read_blob(&s, &f.id, JSON_MAX_SIZE, out, e);
	else if (!r)
		r = find_none(ref, e);
	store_close(&s);
	return r;
}

int image_pull_parse(const char *s, enum image_pull *out, struct err *e)
{
	static const char *const names[] = { "never", "new", "update" };
	unsigned i;

	for (i = 0; i < nitems(names); i++) {
		if (!strcmp(s, names[i])) {
			*out = (enum image_pull)i;
			return 0;
		}
	}
	return err_setk(e, ERR_USAGE, 0, "cannot use pull policy '%s': not never, new or update",
			s);
}
