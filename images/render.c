/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/num.h"
#include "images/config.h"
#include "images/fetch.h"
#include "images/key_lock.h"
#include "images/layer.h"

#define PARALLEL 2 /* conversions at once; each uses a processor */

/* A layer on its way: its files are in our temporary directory as l<n>/{data,index}. */
struct job {
	struct layer_job *running; /* NULL: none */
	unsigned layer;		   /* its place in the image */
	char tmp[32];
	int blob_fd, data_fd, index_fd;
};

struct render {
	struct fetch *f;
	const struct manifest *m;
	const struct digest *diff_ids;
	struct store_layer *layers; /* filled as they are done */
	struct job jobs[PARALLEL];
};

static enum layer_compression sniff(int fd, struct err *e)
{
	static const struct {
		const char *magic;
		size_t len;
		int is;
		const char *name;
	} known[] = {
		{ "\x1f\x8b", 2, LAYER_GZIP, "gzip" },
		{ "\x28\xb5\x2f\xfd", 4, LAYER_ZSTD, "zstd" },
		{ "BZh", 3, -1, "bzip2" },
		{ "\xfd" "7zXZ", 5, -1, "xz" },
	};
	char head[8] = "";
	ssize_t n = pread(fd, head, sizeof(head), 0);
	size_t i;

	for (i = 0; n > 0 && i < nitems(known); i++) {
		if (memcmp(head, known[i].magic, known[i].len) != 0)
			continue;
		if (known[i].is < 0)
			return (enum layer_compression)err_set(
				e, 0, "it is compressed with %s, which is not supported",
				known[i].name);
		return (enum layer_compression)known[i].is;
	}
	return LAYER_TAR;
}

static int open_tmp(struct store *s, const char *dir, const char *name, struct err *e)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = openat(s->tmp_fd, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		err_set(e, errno, "cannot create a file in %s/tmp", s->path);
		return store_explain(s, 4096, e);
	}
	return fd;
}

static void job_end(struct job *j)
{
	close_p(&j->blob_fd);
	close_p(&j->data_fd);
	close_p(&j->index_fd);
	j->running = NULL;
}

static int job_files(struct store *s, struct job *j, const struct digest *blob, struct err *e)
{
	static unsigned counter;
	char name[STORE_NAME_MAX];

	snprintf(j->tmp, sizeof(j->tmp), "l%u", counter++);
	if (mkdirat(s->tmp_fd, j->tmp, 0700) < 0) {
		err_set(e, errno, "cannot create a directory in %s/tmp", s->path);
		return store_explain(s, 4096, e);
	}
	j->data_fd = open_tmp(s, j->tmp, "data", e);
	if (j->data_fd < 0)
		return -1;
	j->index_fd = open_tmp(s, j->tmp, "index", e);
	if (j->index_fd < 0)
		return -1;
	j->blob_fd = openat(s->dirfd, store_blob_name(blob, name), O_RDONLY | O_CLOEXEC);
	return j->blob_fd < 0 ? err_set(e, errno, "cannot open %s/%s", s->path, name) : 0;
}

static int job_start(struct store *s, struct job *j, const struct digest *blob,
		     const struct digest *diff_id, const char *what, struct err *e)
{
	struct layer_in in = { .name = what };
	struct err sniffed = { .num = -1 };

	j->blob_fd = j->data_fd = j->index_fd = -1;
	if (job_files(s, j, blob, e) < 0) {
		job_end(j);
		return -1;
	}
	sniffed.msg[0] = '\0';
	in.fd = j->blob_fd;
	in.compression = sniff(j->blob_fd, &sniffed);
	if (diff_id)
		in.diff_id = *diff_id;
	if (sniffed.msg[0])
		err_set(e, 0, "cannot read %s: %s", what, sniffed.msg);
	else
		j->running = layer_start(&in, j->data_fd, j->index_fd, e);
	if (j->running)
		return 0;
	job_end(j);
	return -1;
}

static int write_json(struct store *s, const struct job *j, const struct layer_out *out,
		      struct err *e)
{
	cleanup_close int fd = open_tmp(s, j->tmp, "json", e);
	char text[256];
	struct stat st;
	int n;

	if (fd < 0)
		return -1;
	if (fstat(j->index_fd, &st) < 0)
		return err_set(e, errno, "cannot stat a layer");
	n = snprintf(text, sizeof(text),
		     "{\"data_size\":%" PRIu64 ",\"index_size\":%" PRIu64 ",\"entries\":%" PRIu64
		     "}\n",
		     out->data_size, (uint64_t)st.st_size, out->nr_entries);
	if (fs_write_all(fd, text, (size_t)n) < 0 || fchmod(fd, 0400) < 0 || fsync(fd) < 0) {
		err_set(e, errno, "cannot write to %s/tmp", s->path);
		return store_explain(s, 4096, e);
	}
	return 0;
}

/* fsync of the three files and of the directory that holds them, before it gets its name. */
static int layer_publish(struct store *s, const struct job *j, const struct layer_out *out,
			 struct err *e)
{
	cleanup_close int dir = -1;
	char name[STORE_NAME_MAX];

	if (write_json(s, j, out, e) < 0)
		return -1;
	if (fchmod(j->data_fd, 0400) < 0 || fchmod(j->index_fd, 0400) < 0 ||
	    fsync(j->data_fd) < 0 || fsync(j->index_fd) < 0) {
		err_set(e, errno, "cannot write to %s/tmp", s->path);
		return store_explain(s, out->data_size, e);
	}
	dir = fs_opendir(s->tmp_fd, j->tmp, e);
	if (dir < 0 || fs_sync_dir(dir, j->tmp, e) < 0)
		return -1;
	return store_publish(s, j->tmp, store_layer_name(&out->diff_id, name), e);
}

static uint64_t blob_size(const struct job *j)
{
	struct stat st;

	return fstat(j->blob_fd, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

static int job_finish(struct store *s, struct job *j, struct layer_out *out, struct err *e)
{
	int r;

	*out = (struct layer_out){ .data_fd = j->data_fd, .index_fd = j->index_fd };
	r = layer_wait(take_ptr(&j->running), out, e);
	if (r < 0)
		/* How much the layer unpacks to is not known; at least this much. */
		store_explain(s, blob_size(j), e);
	else
		r = layer_publish(s, j, out, e);
	job_end(j);
	return r;
}

int render_lone_layer(struct fetch *f, const struct digest *blob, struct digest *diff_id,
		      struct err *e)
{
	struct layer_out out;
	struct job j = { 0 };

	if (job_start(f->store, &j, blob, NULL, f->name, e) < 0 ||
	    job_finish(f->store, &j, &out, e) < 0)
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

	if (job_finish(r->f->store, j, &out, e) < 0)
		return err_wrap(e, "cannot use layer %u of %u", n + 1, r->m->nr_layers);
	r->layers[n] = (struct store_layer){ out.diff_id, out.data_size };
	return 0;
}

/* Whether the layer at @n occurs below and is on its way already. */
static bool is_repeated(const struct render *r, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		if (digest_equal(&r->diff_ids[i], &r->diff_ids[n]))
			return true;
	}
	return false;
}

static int free_job(struct render *r, struct job **out, struct err *e)
{
	unsigned i, oldest = 0;

	for (i = 0; i < PARALLEL; i++) {
		if (!r->jobs[i].running) {
			*out = &r->jobs[i];
			return 0;
		}
		if (r->jobs[i].layer < r->jobs[oldest].layer)
			oldest = i;
	}
	*out = &r->jobs[oldest];
	return layer_done(r, *out, e);
}

static int do_layer(struct render *r, unsigned n, struct err *e)
{
	const struct desc *d = &r->m->layers[n];
	char what[128], size[32], name[STORE_NAME_MAX];
	struct job *j;

	r->layers[n].diff_id = r->diff_ids[n];
	if (is_repeated(r, n) ||
	    store_layer_ok(r->f->store, &r->diff_ids[n], &r->layers[n].data_size))
		return 0;
	/* One that is there but not whole was damaged from outside. */
	if (store_remove_dir(r->f->store, store_layer_name(&r->diff_ids[n], name), e) < 0)
		return -1;
	snprintf(what, sizeof(what), "layer sha256:%s", d->digest.hex);
	progress("layer %u of %u: sha256:%.12s, %s", n + 1, r->m->nr_layers, d->digest.hex,
		 num_format_size(d->size, size));
	if (ensure_blob(r->f, d, what, e) < 0 || free_job(r, &j, e) < 0)
		return -1;
	j->layer = n;
	return job_start(r->f->store, j, &d->digest, &r->diff_ids[n], what, e);
}

/* A layer that occurs twice was converted once. */
static void copy_repeated(struct render *r)
{
	unsigned i, k;

	for (i = 0; i < r->m->nr_layers; i++) {
		for (k = 0; k < i; k++) {
			if (digest_equal(&r->layers[k].diff_id, &r->layers[i].diff_id))
				r->layers[i] = r->layers[k];
		}
	}
}

static int do_layers(struct render *r, struct err *e)
{
	unsigned i, status = 0;

	for (i = 0; !status && i < r->m->nr_layers; i++)
		status = do_layer(r, i, e) < 0;
	/* Oldest first, and all of them: a child must not outlive the failure of another. */
	for (i = 0; i < PARALLEL; i++) {
		struct err later;

		if (r->jobs[i].running && layer_done(r, &r->jobs[i], status ? &later : e) < 0)
			status = 1;
	}
	if (status)
		return -1;
	copy_repeated(r);
	return 0;
}

static int merge(struct render *r, struct store_info *info, struct err *e)
{
	struct store *s = r->f->store;
	cleanup_free struct merge_layer *in = xcalloc(r->m->nr_layers, sizeof(*in));
	cleanup_close int meta = open_tmp(s, "rootfs", "meta", e);
	unsigned i;
	int status = meta < 0 ? -1 : 0;

	for (i = 0; i < r->m->nr_layers; i++) {
		char dir[STORE_NAME_MAX], path[STORE_NAME_MAX + 8];

		snprintf(path, sizeof(path), "%s/index",
			 store_layer_name(&r->layers[i].diff_id, dir));
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
	cleanup_close int fd = open_tmp(s, "rootfs", "info.json", e);
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
	    config_check_platform(config.buf, config.len, e) < 0 ||
	    config_parse(config.buf, config.len, &unused, e) < 0 ||
	    config_diff_ids(config.buf, config.len, diff_ids, &nr, e) < 0)
		return -1;
	if (nr != m->nr_layers)
		return err_setk(e, ERR_DENIED, 0,
				"cannot use image: its configuration has %u layers, its manifest %u",
				nr, m->nr_layers);
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
