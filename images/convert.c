/* SPDX-License-Identifier: Apache-2.0 */
#include "convert.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* The bytes tell how a layer is compressed: media types and file names lie. -1: not supported. */
static int sniff(int fd, const char *what, struct err *e)
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
		{ "\xfd"
		  "7zXZ",
		  5, -1, "xz" },
	};
	char head[8] = "";
	ssize_t n = pread(fd, head, sizeof(head), 0);
	size_t i;

	for (i = 0; n > 0 && i < nitems(known); i++) {
		if (memcmp(head, known[i].magic, known[i].len) != 0)
			continue;
		if (known[i].is < 0)
			return err_set(e, 0, "cannot read %s: compression with %s is not supported",
				       what, known[i].name);
		return known[i].is;
	}
	return LAYER_TAR;
}

int convert_create(struct store *s, const char *dir, const char *name, struct err *e)
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

static void end(struct convert *c)
{
	close_p(&c->blob_fd);
	close_p(&c->data_fd);
	close_p(&c->index_fd);
	c->running = NULL;
}

static int make_files(struct store *s, struct convert *c, const struct digest *blob, struct err *e)
{
	static unsigned counter;
	char name[STORE_NAME_MAX];

	snprintf(c->tmp, sizeof(c->tmp), "l%u", counter++);
	if (mkdirat(s->tmp_fd, c->tmp, 0700) < 0) {
		err_set(e, errno, "cannot create a directory in %s/tmp", s->path);
		return store_explain(s, 4096, e);
	}
	c->data_fd = convert_create(s, c->tmp, "data", e);
	if (c->data_fd < 0)
		return -1;
	c->index_fd = convert_create(s, c->tmp, "index", e);
	if (c->index_fd < 0)
		return -1;
	c->blob_fd = openat(s->dirfd, store_blob_name(blob, name), O_RDONLY | O_CLOEXEC);
	return c->blob_fd < 0 ? err_set(e, errno, "cannot open %s/%s", s->path, name) : 0;
}

int convert_start(struct store *s, struct convert *c, const struct digest *blob,
		  const struct digest *diff_id, const char *what, struct err *e)
{
	struct layer_in in = { .name = what };
	int compression;

	*c = (struct convert){ .blob = *blob, .blob_fd = -1, .data_fd = -1, .index_fd = -1 };
	if (make_files(s, c, blob, e) < 0) {
		end(c);
		return -1;
	}
	compression = sniff(c->blob_fd, what, e);
	in.fd = c->blob_fd;
	in.compression = (enum layer_compression)compression;
	if (diff_id)
		in.diff_id = *diff_id;
	if (compression >= 0)
		c->running = layer_start(&in, c->data_fd, c->index_fd, e);
	if (c->running)
		return 0;
	end(c);
	return -1;
}

void convert_cancel(struct convert *c)
{
	if (!c->running)
		return;
	layer_cancel(c->running);
	end(c);
}

static int write_json(struct store *s, const struct convert *c, const struct layer_out *out,
		      struct err *e)
{
	cleanup_close int fd = convert_create(s, c->tmp, "json", e);
	char text[256];
	struct stat st;
	int n;

	if (fd < 0)
		return -1;
	if (fstat(c->index_fd, &st) < 0)
		return err_set(e, errno, "cannot stat a layer");
	n = snprintf(text, sizeof(text),
		     "{\"diff_id\":\"sha256:%s\",\"data_size\":%" PRIu64 ",\"index_size\":%" PRIu64
		     ",\"entries\":%" PRIu64 "}\n",
		     out->diff_id.hex, out->data_size, (uint64_t)st.st_size, out->nr_entries);
	if (fs_write_all(fd, text, (size_t)n) < 0 || fchmod(fd, 0400) < 0 || fsync(fd) < 0) {
		err_set(e, errno, "cannot write to %s/tmp", s->path);
		return store_explain(s, 4096, e);
	}
	return 0;
}

/* fsync of the three files and of the directory that holds them, before it gets its name. */
static int publish(struct store *s, const struct convert *c, const struct layer_out *out,
		   struct err *e)
{
	cleanup_close int dir = -1;
	char name[STORE_NAME_MAX];

	if (write_json(s, c, out, e) < 0)
		return -1;
	if (fchmod(c->data_fd, 0400) < 0 || fchmod(c->index_fd, 0400) < 0 ||
	    fsync(c->data_fd) < 0 || fsync(c->index_fd) < 0) {
		err_set(e, errno, "cannot write to %s/tmp", s->path);
		return store_explain(s, out->data_size, e);
	}
	dir = fs_opendir(s->tmp_fd, c->tmp, e);
	if (dir < 0 || fs_sync_dir(dir, c->tmp, e) < 0)
		return -1;
	return store_publish(s, c->tmp, store_layer_name(&c->blob, name), e);
}

static uint64_t blob_size(const struct convert *c)
{
	struct stat st;

	return fstat(c->blob_fd, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

int convert_finish(struct store *s, struct convert *c, struct layer_out *out, struct err *e)
{
	int r;

	*out = (struct layer_out){ .data_fd = c->data_fd, .index_fd = c->index_fd };
	r = layer_wait(take_ptr(&c->running), out, e);
	if (r < 0)
		/* How much the layer unpacks to is not known; at least this much. */
		store_explain(s, blob_size(c), e);
	else
		r = publish(s, c, out, e);
	end(c);
	return r;
}
