/* SPDX-License-Identifier: Apache-2.0 */
#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define MAX_UNPACKED (256ull << 30)
#define CHUNK 262144

static int open_file(const char *path, struct err *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_setk(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_ENGINE, errno,
				"cannot open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, 0, "cannot read %s: not a regular file", path);
	return take_fd(&fd);
}

static int write_chunk(struct store *s, int out, const char *buf, int n, uint64_t *total,
		       struct err *e)
{
	*total += (uint64_t)n;
	if (*total > MAX_UNPACKED)
		return err_setk(e, ERR_DENIED, EFBIG, "cannot unpack archive");
	if (!fs_write_all(out, buf, (size_t)n))
		return 0;
	err_set(e, errno, "cannot unpack archive");
	return store_explain(s, *total, e);
}

static int inflate_all(struct store *s, gzFile gz, int out, const char *path, struct err *e)
{
	cleanup_free char *buf = xmalloc(CHUNK);
	uint64_t total = 0;
	int n, code;

	while ((n = gzread(gz, buf, CHUNK)) > 0) {
		if (write_chunk(s, out, buf, n, &total, e) < 0)
			return -1;
	}
	/* gzread() takes a cut file for a short one; gzclose() and this tell. */
	gzerror(gz, &code);
	if (n < 0 || code == Z_BUF_ERROR)
		return err_set(e, 0, "cannot unpack archive %s: it is damaged or cut short", path);
	return 0;
}

/* Random access is needed: image archives keep their table of contents at the end. */
static int unpack(struct store *s, int fd, const char *path, struct err *e)
{
	cleanup_close int out = -1;
	gzFile gz;
	int r;

	out = openat(s->tmp_fd, "archive", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0) {
		err_set(e, errno, "cannot create a file in %s/tmp", s->path);
		return store_explain(s, 4096, e);
	}
	/* It needs no name, and goes with the last fd. */
	(void)unlinkat(s->tmp_fd, "archive", 0);
	gz = gzdopen(fd, "rb");
	if (!gz) {
		close(fd);
		return err_set(e, ENOMEM, "cannot unpack archive %s", path);
	}
	gzbuffer(gz, CHUNK);
	r = inflate_all(s, gz, out, path, e);
	gzclose(gz);
	return r < 0 ? -1 : take_fd(&out);
}

int archive_bag(const struct image_ref *ref, struct store *s, struct bag *b, struct err *e)
{
	cleanup_close int fd = open_file(ref->path, e);
	unsigned char magic[2];

	if (fd < 0)
		return -1;
	if (pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
		int plain = unpack(s, take_fd(&fd), ref->path, e);

		if (plain < 0)
			return -1;
		fd = plain;
	}
	return bag_open_tar(take_fd(&fd), ref->path, b, e);
}
