/* SPDX-License-Identifier: Apache-2.0 */
#include "layer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/strbuf.h"
#include "images/layer_index.h"
#include "images/layer_tar.h"
#include "base/worker.h"

/*
 * Buffers, libarchive, and a zstd window of 128 MiB; 1 MiB of pax headers may be held several times
 * over. What is larger is an attack.
 */
#define READER_MEMORY (UINT64_C(512) << 20)

struct layer_job {
	struct worker worker;
	struct layer_in in;
	struct layer_out out; /* the worker's copy is filled in; ours keeps the fds */
	char *what;
};

static int check_empty(int fd, const char *name, const char *which, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot read layer %s: its %s file", name, which);
	if (!S_ISREG(st.st_mode) || st.st_size != 0)
		return err_set(e, 0, "cannot read layer %s: its %s file is not empty", name, which);
	return 0;
}

static int reader_prepare(void *ctx, struct err *e)
{
	(void)ctx;
	return layer_tar_prepare(e);
}

static int reader_run(void *ctx, struct err *e)
{
	struct layer_job *job = ctx;

	return layer_tar_read(job->in.fd, job->in.compression, &job->out, e);
}

static void job_free(struct layer_job *job)
{
	free(job->what);
	free(job);
}

struct layer_job *layer_start(const struct layer_in *in, int data_fd, int index_fd, struct err *e)
{
	struct layer_job *job;
	struct worker_job work = { 0 };

	if (check_empty(data_fd, in->name, "data", e) < 0 ||
	    check_empty(index_fd, in->name, "index", e) < 0)
		return NULL;
	job = xcalloc(1, sizeof(*job));
	job->in = *in;
	job->in.name = NULL; /* the caller's, and perhaps gone when we wait */
	job->out.data_fd = data_fd;
	job->out.index_fd = index_fd;
	job->what = xasprintf("read layer %s", in->name);
	work = (struct worker_job){
		.what = job->what,
		.fds = { in->fd, data_fd, index_fd },
		.nr_fds = 3,
		.max_memory = READER_MEMORY,
		.max_file = LAYER_MAX_DATA,
		.prepare = reader_prepare,
		.run = reader_run,
		.ctx = job,
		.result = &job->out,
		.result_len = sizeof(job->out),
	};
	if (worker_start(&work, &job->worker, e) < 0) {
		job_free(job);
		return NULL;
	}
	return job;
}

static bool is_hex_digest(const struct digest *d)
{
	return memchr(d->hex, '\0', sizeof(d->hex)) == d->hex + DIGEST_HEX_LEN &&
	       strspn(d->hex, "0123456789abcdef") == DIGEST_HEX_LEN;
}

/* The worker may have been taken over by the layer: what it reports is a claim. */
static int check_result(const struct layer_job *job, const struct layer_out *out, struct err *e)
{
	const struct digest *want = &job->in.diff_id;
	struct stat st;

	if (!is_hex_digest(&out->diff_id) || out->data_size % LAYER_BLOCK ||
	    out->nr_entries > LAYER_MAX_ENTRIES || fstat(job->out.data_fd, &st) < 0 ||
	    (uint64_t)st.st_size != out->data_size)
		return err_set(e, 0, "cannot %s: its worker reports nonsense", job->what);
	if (want->hex[0] && strcmp(want->hex, out->diff_id.hex) != 0)
		return err_setk(e, ERR_DENIED, 0,
				"cannot %s: its content has the digest sha256:%s, not sha256:%s",
				job->what, out->diff_id.hex, want->hex);
	return 0;
}

int layer_wait(struct layer_job *job, struct layer_out *out, struct err *e)
{
	int r = worker_wait(&job->worker, job->what, out, sizeof(*out), e);

	if (r == 0)
		r = check_result(job, out, e);
	out->data_fd = job->out.data_fd;
	out->index_fd = job->out.index_fd;
	job_free(job);
	return r;
}

void layer_cancel(struct layer_job *job)
{
	if (!job)
		return;
	worker_cancel(&job->worker);
	job_free(job);
}

int layer_convert(const struct layer_in *in, struct layer_out *out, struct err *e)
{
	struct layer_job *job = layer_start(in, out->data_fd, out->index_fd, e);

	return job ? layer_wait(job, out, e) : -1;
}
