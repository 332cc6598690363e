/* SPDX-License-Identifier: Apache-2.0 */
#include "erofs_merge.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/strbuf.h"
#include "images/erofs.h"
#include "images/layer.h"
#include "base/worker.h"

/* Names and inodes of TREE_MAX_NAMES files; what fits into an image takes far less. */
#define MERGE_MEMORY (UINT64_C(1536) << 20)

struct merge_job {
	const struct merge_layer *layers;
	struct merge_input in;
	int meta_fd;
	uint64_t meta_size;
};

int merge_make_uuid(struct merge_input *in, struct err *e)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint32_t version = LAYER_VERSION;
	bool ok;
	unsigned n;

	ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(ctx, &version, sizeof(version)) == 1;
	for (n = 0; ok && n < in->nr_layers; n++)
		ok = EVP_DigestUpdate(ctx, in->index[n].header->diff_id, 32) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, md, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return err_set(e, 0, "cannot compute the file system's id");
	memcpy(in->uuid, md, 16);
	in->uuid[6] = (uint8_t)((md[6] & 0x0f) | 0x80); /* RFC 9562: version 8, of our own making */
	in->uuid[8] = (uint8_t)((md[8] & 0x3f) | 0x80);
	return 0;
}

static int merge_layers(struct merge_input *in, struct tree *t, int meta_fd, uint64_t *meta_size,
			struct err *e)
{
	struct erofs_plan plan = { 0 };
	unsigned n;

	for (n = 0; n < in->nr_layers; n++) {
		if (tree_apply(t, &in->index[n], n, e) < 0)
			return err_wrap(e, "layer %u", n + 1);
	}
	memcpy(plan.uuid, in->uuid, sizeof(plan.uuid));
	if (erofs_plan(t, in->data_blocks, in->nr_layers, &plan, e) < 0)
		return -1;
	*meta_size = plan.meta_blocks * EROFS_BLOCK;
	return erofs_write(&plan, meta_fd, e);
}

int merge_run(struct merge_input *in, int meta_fd, uint64_t *meta_size, struct err *e)
{
	struct tree t;
	int r = tree_init(&t, in->seed, e);

	if (r == 0)
		r = merge_layers(in, &t, meta_fd, meta_size, e);
	tree_free(&t);
	return r;
}

int merge_add(struct merge_input *in, const void *p, size_t n, uint64_t data_size, struct err *e)
{
	struct index *ix = &in->index[in->nr_layers];

	if (in->nr_layers >= MERGE_MAX_LAYERS)
		return err_set(e, 0, "cannot merge more than %u layers", MERGE_MAX_LAYERS);
	if (index_open(ix, p, n, e) < 0)
		return -1;
	if (ix->header->data_size != data_size)
		return err_set(e, 0, "cannot use the layer's index: it belongs to other data");
	in->data_blocks[in->nr_layers++] = data_size / EROFS_BLOCK;
	return 0;
}

/* Maps the indexes before the jail, so that the worker keeps only the meta file. */
static int job_prepare(void *ctx, struct err *e)
{
	struct merge_job *job = ctx;
	unsigned n, nr = job->in.nr_layers;

	job->in.nr_layers = 0;
	if (getrandom(&job->in.seed, sizeof(job->in.seed), 0) != sizeof(job->in.seed))
		return err_set(e, errno, "cannot get random numbers");
	for (n = 0; n < nr; n++) {
		const struct merge_layer *l = &job->layers[n];
		struct stat st;
		void *p;

		if (fstat(l->index_fd, &st) < 0)
			return err_set(e, errno, "cannot stat the index of layer %u", n + 1);
		p = mmap(NULL, (size_t)(st.st_size ? st.st_size : 1), PROT_READ, MAP_PRIVATE,
			 l->index_fd, 0);
		if (p == MAP_FAILED)
			return err_set(e, errno, "cannot map the index of layer %u", n + 1);
		if (merge_add(&job->in, p, (size_t)st.st_size, l->data_size, e) < 0)
			return err_wrap(e, "layer %u", n + 1);
	}
	return merge_make_uuid(&job->in, e); /* here: OpenSSL opens its configuration */
}

static int job_run(void *ctx, struct err *e)
{
	struct merge_job *job = ctx;

	return merge_run(&job->in, job->meta_fd, &job->meta_size, e);
}

static int run_worker(struct merge_job *job, uint64_t *meta_size, struct err *e)
{
	struct worker w;
	struct worker_job work = {
		.what = "merge the layers",
		.fds = { job->meta_fd },
		.nr_fds = 1,
		.max_memory = MERGE_MEMORY,
		.prepare = job_prepare,
		.run = job_run,
		.ctx = job,
		.result = &job->meta_size,
		.result_len = sizeof(job->meta_size),
	};
	struct stat st;

	if (worker_start(&work, &w, e) < 0 ||
	    worker_wait(&w, work.what, meta_size, sizeof(*meta_size), e) < 0)
		return -1;
	if (fstat(job->meta_fd, &st) < 0 || (uint64_t)st.st_size != *meta_size ||
	    *meta_size % EROFS_BLOCK)
		return err_set(e, 0, "cannot merge the layers: the worker reports nonsense");
	return 0;
}

int rootfs_merge(const struct merge_layer *layers, unsigned nr_layers, int meta_fd,
		 uint64_t *meta_size, struct err *e)
{
	struct merge_job *job;
	struct stat st;
	int r;

	if (nr_layers > MERGE_MAX_LAYERS)
		return err_set(e, 0, "cannot merge more than %u layers", MERGE_MAX_LAYERS);
	if (fstat(meta_fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != 0)
		return err_set(e, 0, "cannot merge the layers: the meta file is not empty");
	job = xcalloc(1, sizeof(*job));
	job->layers = layers;
	job->meta_fd = meta_fd;
	job->in.nr_layers = nr_layers;
	r = run_worker(job, meta_size, e);
	free(job);
	return r;
}
