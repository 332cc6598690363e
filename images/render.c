/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/num.h"
#include "images/image_config.h"
#include "images/convert.h"
#include "images/fetch.h"
#include "images/key_lock.h"

/*
 * Conversions at once.  Each uses a processor, and about 10 MiB; one more than small hosts have, so
 * that none idles when three layers of a size end one after another.
 */
#define PARALLEL 3

struct job {
	struct convert convert;
	unsigned layer; /* its place in the image */
};

struct render {
	struct fetch *f;
	const struct manifest *m;
	const struct digest *diff_ids;
	struct store_layer *layers; /* filled as they are done */
	struct job jobs[PARALLEL];
};

int render_lone_layer(struct fetch *f, const struct digest *blob, struct digest *diff_id,
		      struct err *e)
{
	struct store_layer l = { .blob = *blob };
	struct layer_out out;
	struct convert c;

	if (store_layer_read(f->store, &l, diff_id))
		return 0;
	if (convert_start(f->store, &c, blob, NULL, f->name, e) < 0 ||
	    convert_finish(f->store, &c, &out, e) < 0)
		return -1;
	*diff_id = out.diff_id;
	return 0;
}

/* The blob of a descriptor, from the source unless it is here. */
static int ensure_blob(struct fetch *f, const struct desc *d, const char *what, struct err *e)
{
	char name[STORE_NAME_MAX];
	struct key_lock lock;
	struct put p;
	int r;

	if (store_has(f->store, store_blob_name(&d->digest, name)))
		return 0;
	if (key_lock(f->store, &d->digest, "blob", &lock, e) < 0)
		return -1;
	r = store_has(f->store, name) ? 1 : put_begin(f->store, &p, d, 0, what, e);
	if (!r) {
		r = f->format->blob(f, d, &p, e);
		if (r < 0)
			put_abort(&p);
		else
			r = put_commit(&p, NULL, e);
	}
	key_unlock(&lock);
	return r < 0 ? -1 : 0;
}

static int layer_done(struct render *r, struct job *j, struct err *e)
{
	unsigned n = j->layer;
	struct layer_out out;

	if (convert_finish(r->f->store, &j->convert, &out, e) < 0)
		return err_wrap(e, "cannot use layer %u of %u", n + 1, r->m->nr_layers);
	r->layers[n].data_size = out.data_size;
	return 0;
}

/* The place below @n where the same blob occurs, or @n. */
static unsigned first_place(const struct render *r, unsigned n)
{
	unsigned i = 0;

	while (!digest_equal(&r->m->layers[i].digest, &r->m->layers[n].digest))
		i++;
	return i;
}

/* A job that is free, after waiting for the oldest if need be. */
static int free_job(struct render *r, struct job **out, struct err *e)
{
	unsigned i, oldest = 0;

	for (i = 0; i < PARALLEL; i++) {
		*out = &r->jobs[i];
		if (!(*out)->convert.running)
			return 0;
		if (r->jobs[i].layer < r->jobs[oldest].layer)
			oldest = i;
	}
	*out = &r->jobs[oldest];
	return layer_done(r, *out, e);
}

static int wrong_diff_id(const struct render *r, unsigned n, struct err *e)
{
	return err_setk(
		e, ERR_DENIED, 0,
		"cannot use layer %u of %u: its content is not sha256:%s, as its image says", n + 1,
		r->m->nr_layers, r->diff_ids[n].hex);
}

static int convert_layer(struct render *r, unsigned n, struct err *e)
{
	const struct desc *d = &r->m->layers[n];
	char what[128], size[32];
	struct job *j;

	snprintf(what, sizeof(what), "layer sha256:%s", d->digest.hex);
	progress("layer %u of %u: sha256:%.12s, %s", n + 1, r->m->nr_layers, d->digest.hex,
		 num_format_size(d->size, size));
	if (ensure_blob(r->f, d, what, e) < 0 || free_job(r, &j, e) < 0)
		return -1;
	j->layer = n;
	return convert_start(r->f->store, &j->convert, &d->digest, &r->diff_ids[n],
			     what + strlen("layer "), e);
}

static int do_layer(struct render *r, unsigned n, struct err *e)
{
	struct store_layer *l = &r->layers[n];
	unsigned first = first_place(r, n);
	char name[STORE_NAME_MAX];
	struct digest diff_id;

	l->blob = r->m->layers[n].digest;
	if (first < n)
		return digest_equal(&r->diff_ids[first], &r->diff_ids[n]) ? 0
									  : wrong_diff_id(r, n, e);
	if (store_layer_read(r->f->store, l, &diff_id))
		return digest_equal(&diff_id, &r->diff_ids[n]) ? 0 : wrong_diff_id(r, n, e);
	/* One that is there but not whole was damaged from outside. */
	if (store_remove_dir(r->f->store, store_layer_name(&l->blob, name), e) < 0)
		return -1;
	return convert_layer(r, n, e);
}

static int do_layers(struct render *r, struct err *e)
{
	unsigned i;
	int status = 0;

	for (i = 0; !status && i < r->m->nr_layers; i++)
		status = do_layer(r, i, e);
	for (i = 0; i < PARALLEL; i++) {
		if (!status && r->jobs[i].convert.running)
			status = layer_done(r, &r->jobs[i], e);
		convert_cancel(&r->jobs[i].convert);
	}
	for (i = 0; i < r->m->nr_layers; i++)
		r->layers[i] = r->layers[first_place(r, i)];
	return status;
}

static int merge(struct render *r, struct store_info *info, struct err *e)
{
	struct store *s = r->f->store;
	cleanup_free struct merge_layer *in = xcalloc(r->m->nr_layers, sizeof(*in));
	cleanup_close int meta = convert_create(s, "rootfs", "meta", e);
	unsigned i;
	int status = meta < 0 ? -1 : 0;

	for (i = 0; i < r->m->nr_layers; i++) {
		char dir[STORE_NAME_MAX], path[STORE_NAME_MAX + 8];

		snprintf(path, sizeof(path), "%s/index", store_layer_name(&r->layers[i].blob, dir));
		in[i] = (struct merge_layer){ openat(s->dirfd, path, O_RDONLY | O_CLOEXEC),
					      r->layers[i].data_size };
		if (in[i].index_fd < 0 && !status)
			status = err_set(e, errno, "cannot open %s/%s", s->path, path);
	}
	if (!status)
		status = rootfs_merge(in, r->m->nr_layers, meta, &info->meta_size, e);
	if (!status && (fchmod(meta, 0400) < 0 || fsync(meta) < 0))
		status = err_set(e, errno, "cannot write to %s/tmp", s->path);
	for (i = 0; i < r->m->nr_layers; i++)
		close_p(&in[i].index_fd);
	return status < 0 ? store_explain(s, 4096, e) : 0;
}

static void fill_info(const struct render *r, const struct digest *id, uint64_t manifest_size,
		      struct store_info *info)
{
	unsigned i;

	info->id = *id;
	info->config = r->m->config.digest;
	info->layers = r->layers;
	info->nr_layers = r->m->nr_layers;
	info->time = (uint64_t)time(NULL);
	info->blobs[info->nr_blobs++] = *id;
	info->blobs[info->nr_blobs++] = r->m->config.digest;
	info->size = manifest_size + r->m->config.size;
	for (i = 0; i < r->m->nr_layers; i++) {
		info->blobs[info->nr_blobs++] = r->m->layers[i].digest;
		info->size += r->m->layers[i].size;
	}
}

static int write_info(struct store *s, const struct store_info *info, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	cleanup_close int fd = convert_create(s, "rootfs", "info.json", e);
	cleanup_close int dir = -1;

	if (fd < 0)
		return -1;
	store_info_print(&b, info);
	if (fs_write_all(fd, b.buf, b.len) < 0 || fchmod(fd, 0400) < 0 || fsync(fd) < 0) {
		err_set(e, errno, "cannot write to %s/tmp", s->path);
		return store_explain(s, b.len, e);
	}
	dir = fs_opendir(s->tmp_fd, "rootfs", e);
	return dir < 0 ? -1 : fs_sync_dir(dir, "rootfs", e);
}

static int do_rootfs(struct render *r, const struct digest *id, uint64_t manifest_size,
		     struct err *e)
{
	struct store *s = r->f->store;
	cleanup_free struct digest *blobs = xcalloc(r->m->nr_layers + 2, sizeof(*blobs));
	struct store_info info = { .blobs = blobs };
	char name[STORE_NAME_MAX];

	/* One that is there is not whole, or we would not be here. */
	if (store_remove_dir(s, store_rootfs_name(id, name), e) < 0)
		return -1;
	if (mkdirat(s->tmp_fd, "rootfs", 0700) < 0) {
		err_set(e, errno, "cannot create a directory in %s/tmp", s->path);
		return store_explain(s, 4096, e);
	}
	fill_info(r, id, manifest_size, &info);
	if (merge(r, &info, e) < 0 || write_info(s, &info, e) < 0)
		return -1;
	return store_publish(s, "rootfs", name, e);
}

static int render_with(struct fetch *f, const struct manifest *m, const struct digest *diff_ids,
		       const struct digest *id, uint64_t manifest_size, struct err *e)
{
	cleanup_free struct store_layer *layers = xcalloc(m->nr_layers, sizeof(*layers));
	struct render r = { .f = f, .m = m, .diff_ids = diff_ids, .layers = layers };

	if (do_layers(&r, e) < 0)
		return -1;
	return do_rootfs(&r, id, manifest_size, e);
}

static int load_config(struct fetch *f, const struct manifest *m, struct digest **diff_ids,
		       struct err *e)
{
	cleanup_sb struct strbuf config = STRBUF_INIT;
	cleanup_image struct image unused = { 0 };
	unsigned nr;

	if (ensure_blob(f, &m->config, "the image configuration", e) < 0 ||
	    store_read_blob(f->store, &m->config.digest, MANIFEST_MAX_SIZE, &config, e) < 0 ||
	    image_config_check_platform(config.buf, config.len, e) < 0 ||
	    image_config_parse(config.buf, config.len, &unused, e) < 0 ||
	    image_config_diff_ids(config.buf, config.len, diff_ids, &nr, e) < 0)
		return -1;
	if (nr != m->nr_layers)
		return err_setk(
			e, ERR_DENIED, 0,
			"cannot use image: its configuration has %u layers, its manifest %u", nr,
			m->nr_layers);
	return 0;
}

static bool is_rendered(struct store *s, const struct digest *id)
{
	cleanup_info struct store_info info = { 0 };
	struct err ignored;
	cleanup_close int fd = store_open_rootfs(s, id, &info, &ignored);

	return fd >= 0;
}

int render_image(struct fetch *f, const struct strbuf *manifest, const struct digest *id,
		 struct err *e)
{
	cleanup_manifest struct manifest m = { 0 };
	cleanup_free struct digest *diff_ids = NULL;

	if (is_rendered(f->store, id))
		return 0;
	if (manifest_parse(manifest->buf, manifest->len, &m, e) < 0 ||
	    put_bytes(f->store, manifest->buf, manifest->len, "the image manifest", NULL, e) < 0 ||
	    load_config(f, &m, &diff_ids, e) < 0)
		return -1;
	return render_with(f, &m, diff_ids, id, manifest->len, e);
}
