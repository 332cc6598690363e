/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/cpio.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/strbuf.h"

struct entry {
	const char *name;
	mode_t mode;
	uint32_t size;
	unsigned maj, min;
};

static int put(struct cpio *c, const void *p, size_t n, struct err *e)
{
	if (fs_write_all(c->fd, p, n) < 0)
		return err_set(e, errno, "cannot write %s", c->what);
	return 0;
}

static size_t padding(uint64_t n)
{
	return (size_t)(-n & 3);
}

/* magic ino mode uid gid nlink mtime filesize devmaj devmin rdevmaj rdevmin namesize check name */
static int put_header(struct cpio *c, const struct entry *en, struct err *e)
{
	cleanup_sb struct strbuf h = STRBUF_INIT;

	/* A link count of one keeps the unpacker from looking for hard links. */
	sb_addf(&h, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", c->nr_entries++,
		(unsigned)en->mode, 0, 0, 1, 0, en->size, 0, 0, en->maj, en->min,
		(unsigned)strlen(en->name) + 1, 0);
	sb_add(&h, en->name, strlen(en->name) + 1);
	sb_add(&h, "\0\0", padding(h.len));
	return put(c, h.buf, h.len, e);
}

int cpio_add_dir(struct cpio *c, const char *name, mode_t mode, struct err *e)
{
	return put_header(c, &(struct entry){ .name = name, .mode = S_IFDIR | mode }, e);
}

int cpio_add_char(struct cpio *c, const char *name, mode_t mode, unsigned maj, unsigned min,
		  struct err *e)
{
	struct entry en = { .name = name, .mode = S_IFCHR | mode, .maj = maj, .min = min };

	return put_header(c, &en, e);
}

static int check_size(const struct cpio *c, const char *name, uint64_t len, struct err *e)
{
	if (len > UINT32_MAX)
		return err_set(e, EFBIG, "cannot put %s into %s", name, c->what);
	return 0;
}

int cpio_add_file(struct cpio *c, const char *name, mode_t mode, const void *p, size_t len,
		  struct err *e)
{
	struct entry en = { .name = name, .mode = S_IFREG | mode, .size = (uint32_t)len };

	if (check_size(c, name, len, e) < 0 || put_header(c, &en, e) < 0 || put(c, p, len, e) < 0)
		return -1;
	return put(c, "\0\0", padding(len), e);
}

int cpio_add_fd(struct cpio *c, const char *name, mode_t mode, int fd, struct err *e)
{
	struct entry en = { .name = name, .mode = S_IFREG | mode };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot stat %s", name);
	if (check_size(c, name, (uint64_t)st.st_size, e) < 0)
		return -1;
	en.size = (uint32_t)st.st_size;
	if (put_header(c, &en, e) < 0)
		return -1;
	if (fs_copy(fd, c->fd, en.size, e) < 0)
		return err_wrap(e, "cannot put %s into %s", name, c->what);
	return put(c, "\0\0", padding(en.size), e);
}

int cpio_end(struct cpio *c, struct err *e)
{
	struct entry en = { .name = "TRAILER!!!" };

	/* All that came before is padded, so the archive's length is a multiple of 4 as well. */
	return put_header(c, &en, e);
}
