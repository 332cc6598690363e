/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/kernel_unpack.h"

#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/worker.h"

/* zstd -22 of a kernel looks back 128 MiB. */
#define UNPACK_MAX_MEMORY (512ull << 20)

static const struct magic {
	char bytes[6];
	unsigned char len;
	int (*enable)(struct archive *a);
} magics[] = {
	{ "\x1f\x8b\x08", 3, archive_read_support_filter_gzip },
	{ "\xfd"
	  "7zXZ",
	  6, archive_read_support_filter_xz },
	{ "\x28\xb5\x2f\xfd", 4, archive_read_support_filter_zstd },
	{ "\x02\x21\x4c\x18", 4, archive_read_support_filter_lz4 }, /* legacy, what kernels use */
	{ "\x04\x22\x4d\x18", 4, archive_read_support_filter_lz4 },
	{ "BZh", 3, archive_read_support_filter_bzip2 },
	{ "\x5d\x00\x00", 3, archive_read_support_filter_lzma },
};

static const struct magic *find_magic(struct bytes in)
{
	size_t i;

	for (i = 0; i < nitems(magics); i++) {
		if (in.len >= magics[i].len && !memcmp(in.p, magics[i].bytes, magics[i].len))
			return &magics[i];
	}
	return NULL;
}

bool unpack_knows(struct bytes in)
{
	return find_magic(in);
}

bool unpack_is_gzip(struct bytes in)
{
	return find_magic(in) == &magics[0];
}

/* Why it cannot be unpacked; what it is, is told by who waits for the worker. */
static int fail(struct archive *a, struct err *e)
{
	const char *why = archive_error_string(a);

	return err_set(e, 0, "%s", why ? why : "its content is broken");
}

/* Where the worker puts what it unpacked. */
struct unpacking {
	struct bytes in;
	const char *what;
	int (*put)(struct unpacking *u, const void *p, size_t n, struct err *e);
	int fd;		  /* a pipe, of the worker */
	struct blob *out; /* of whoever unpacks by himself */
	size_t max;
};

static int read_all(struct archive *a, struct unpacking *u, struct err *e)
{
	const void *p;
	la_int64_t off;
	size_t n;
	int r;

	while ((r = archive_read_data_block(a, &p, &n, &off)) == ARCHIVE_OK) {
		if (u->put(u, p, n, e) < 0)
			return -1;
	}
	return r == ARCHIVE_EOF ? 0 : fail(a, e);
}

/* Only the filter whose magic matched, and never one that would start a program (ARCHIVE_WARN). */
static int open_raw(struct archive *a, struct bytes in, struct err *e)
{
	const struct magic *m = find_magic(in);
	struct archive_entry *entry;

	if (!m)
		return err_set(e, 0, "unknown compression (%02x %02x %02x %02x)",
			       in.len > 0 ? in.p[0] : 0, in.len > 1 ? in.p[1] : 0,
			       in.len > 2 ? in.p[2] : 0, in.len > 3 ? in.p[3] : 0);
	if (m->enable(a) != ARCHIVE_OK)
		return err_set(e, ENOSYS, "not with this libarchive");
	if (archive_read_support_format_raw(a) != ARCHIVE_OK ||
	    archive_read_open_memory(a, in.p, in.len) != ARCHIVE_OK ||
	    archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return fail(a, e);
	if (archive_filter_count(a) != 2)
		return err_set(e, 0, "its compressed content is broken");
	return 0;
}

static int unpack(void *ctx, struct err *e)
{
	struct unpacking *u = ctx;
	struct archive *a = archive_read_new();
	int r;

	if (!a)
		return err_set(e, ENOMEM, "no room");
	r = open_raw(a, u->in, e);
	if (!r)
		r = read_all(a, u, e);
	archive_read_free(a);
	return r;
}

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
/* In the fuzzer's own process, which counts what is reached. */
static int put_blob(struct unpacking *u, const void *p, size_t n, struct err *e)
{
	return blob_append(u->out, p, n, u->max, u->what, e);
}

static int unpack_apart(struct unpacking *u, struct err *e)
{
	u->put = put_blob;
	return unpack(u, e);
}
#else
static int put_pipe(struct unpacking *u, const void *p, size_t n, struct err *e)
{
	return fs_write_all(u->fd, p, n) < 0 ? err_set(e, errno, "nobody reads it") : 0;
}

static int nothing_to_prepare(void *ctx, struct err *e)
{
	(void)ctx;
	(void)e;
	return 0;
}

/* Takes what the worker writes, until it is done. */
static int take_all(int fd, struct unpacking *u, struct err *e)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf)))) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "cannot unpack %s", u->what);
		if (blob_append(u->out, buf, (size_t)n, u->max, u->what, e) < 0)
			return -1;
	}
	return 0;
}

static int unpack_apart(struct unpacking *u, struct err *e)
{
	cleanup_free char *what = xasprintf("unpack %s", u->what);
	struct worker_job job = {
		.what = what,
		.nr_fds = 1,
		.max_memory = UNPACK_MAX_MEMORY,
		.max_file = 1,
		.prepare = nothing_to_prepare,
		.run = unpack,
		.ctx = u,
		.result = u,
	};
	cleanup_close int rd = -1, wr = -1;
	struct worker w;
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot make a pipe");
	rd = p[0];
	wr = p[1];
	u->put = put_pipe;
	u->fd = job.fds[0] = wr;
	if (worker_start(&job, &w, e) < 0)
		return -1;
	close_p(&wr);
	if (take_all(rd, u, e) < 0) {
		worker_cancel(&w);
		return -1;
	}
	return worker_wait(&w, what, u, 0, e);
}
#endif

int unpack_bytes(struct bytes in, size_t max, const char *what, struct blob *out, struct err *e)
{
	struct unpacking u = { .in = in, .what = what, .out = out, .max = max };
	int r;

	*out = (struct blob){ 0 };
	r = unpack_apart(&u, e);
	if (r < 0)
		blob_free(out);
	return r;
}
