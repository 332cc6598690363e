/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer2erofs OUT.erofs LAYER.tar[.gz|.zst]...
 * Converts and merges layers, bottom first, and writes the concatenation that a guest sees.  An OUT
 * that ends in "/" is a directory whose disk is used, and nothing is left there: for measuring.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/strbuf.h"
#include "images/layer.h"

#define MAX_JOBS 2u /* side by side */

struct item {
	const char *path;
	int blob_fd;
	struct layer_job *job;
	struct layer_out out;
};

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && strcmp(s + n - m, suffix) == 0;
}

static enum layer_compression compression_of(const char *path)
{
	if (has_suffix(path, ".gz") || has_suffix(path, ".tgz"))
		return LAYER_GZIP;
	return has_suffix(path, ".zst") ? LAYER_ZSTD : LAYER_TAR;
}

/* Beside the output, so that the test measures the disk it will live on. */
static int temp_file(const char *out, struct err *e)
{
	cleanup_free char *dir = xstrdup(out);
	char *slash = strrchr(dir, '/');
	int fd;

	if (slash)
		*slash = '\0';
	fd = open(slash ? dir : ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? err_set(e, errno, "cannot make a temporary file beside %s", out) : fd;
}

static int start(struct item *it, const char *out, struct err *e)
{
	struct layer_in in = { .name = it->path, .compression = compression_of(it->path) };

	it->blob_fd = in.fd = open(it->path, O_RDONLY | O_CLOEXEC);
	if (in.fd < 0)
		return err_set(e, errno, "cannot open %s", it->path);
	it->out.data_fd = temp_file(out, e);
	it->out.index_fd = it->out.data_fd < 0 ? -1 : temp_file(out, e);
	if (it->out.index_fd < 0)
		return -1;
	it->job = layer_start(&in, it->out.data_fd, it->out.index_fd, e);
	return it->job ? 0 : -1;
}

static int finish(struct item *it, struct err *e)
{
	if (layer_wait(it->job, &it->out, e) < 0)
		return -1;
	close(it->blob_fd);
	fprintf(stderr, "%s: diff_id sha256:%s, %llu entries, %llu bytes of data\n", it->path,
		it->out.diff_id.hex, (unsigned long long)it->out.nr_entries,
		(unsigned long long)it->out.data_size);
	return 0;
}

static int convert_all(struct item *items, unsigned nr, const char *out, struct err *e)
{
	unsigned started = 0, done = 0;

	while (done < nr) {
		if (started < nr && started - done < MAX_JOBS) {
			if (start(&items[started++], out, e) < 0)
				return -1;
		} else if (finish(&items[done++], e) < 0) {
			return -1;
		}
	}
	return 0;
}

static int concatenate(const struct item *items, unsigned nr, int meta_fd, uint64_t meta_size,
		       const char *out, struct err *e)
{
	cleanup_close int fd = open(out, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	uint64_t end = meta_size;
	unsigned n;

	if (fd < 0)
		return err_set(e, errno, "cannot create %s", out);
	if (fs_copy(meta_fd, fd, meta_size, e) < 0)
		return -1;
	for (n = 0; n < nr; n++) {
		off_t pos = 0, stop, size = (off_t)items[n].out.data_size;

		/* Holes stay holes. */
		while ((pos = lseek(items[n].out.data_fd, pos, SEEK_DATA)) >= 0 && pos < size) {
			stop = lseek(items[n].out.data_fd, pos, SEEK_HOLE);
			while (pos < stop) {
				off_t to = (off_t)end + pos;
				ssize_t c = copy_file_range(items[n].out.data_fd, &pos, fd, &to,
							    (size_t)(stop - pos), 0);

				if (c <= 0)
					return err_set(e, errno, "cannot copy to %s", out);
			}
		}
		end += (uint64_t)size;
	}
	return ftruncate(fd, (off_t)end) < 0 ? err_set(e, errno, "cannot size %s", out) : 0;
}

static int run(int argc, char **argv, struct err *e)
{
	unsigned nr = (unsigned)argc - 2, n;
	cleanup_free struct item *items = xcalloc(nr, sizeof(*items));
	cleanup_free struct merge_layer *layers = xcalloc(nr, sizeof(*layers));
	cleanup_close int meta_fd = -1;
	uint64_t meta_size;

	for (n = 0; n < nr; n++)
		items[n].path = argv[n + 2];
	if (convert_all(items, nr, argv[1], e) < 0)
		return -1;
	for (n = 0; n < nr; n++) {
		layers[n].index_fd = items[n].out.index_fd;
		layers[n].data_size = items[n].out.data_size;
	}
	meta_fd = temp_file(argv[1], e);
	if (meta_fd < 0 || rootfs_merge(layers, nr, meta_fd, &meta_size, e) < 0)
		return -1;
	if (has_suffix(argv[1], "/"))
		return 0;
	return concatenate(items, nr, meta_fd, meta_size, argv[1], e);
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	if (argc < 3) {
		fputs("usage: layer2erofs OUT.erofs LAYER.tar[.gz|.zst]...\n", stderr);
		return 2;
	}
	if (run(argc, argv, &e) < 0) {
		err_print(&e, "layer2erofs");
		return 1;
	}
	return 0;
}
