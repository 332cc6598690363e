/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

void blob_free(struct blob *b)
{
	if (b->is_mapped)
		munmap(b->p, b->len);
	else
		free(b->p);
	*b = (struct blob){ 0 };
}

int blob_map(int fd, const char *what, size_t max, struct blob *out, struct err *e)
{
	struct stat st;
	void *p;

	*out = (struct blob){ 0 };
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot stat %s", what);
	if (!S_ISREG(st.st_mode))
		return err_set(e, 0, "cannot read %s: not a regular file", what);
	if (max && (uint64_t)st.st_size > max)
		return err_set(e, 0, "cannot read %s: %lld bytes, more than %zu", what,
			       (long long)st.st_size, max);
	if (!st.st_size)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_set(e, errno, "cannot map %s", what);
	*out = (struct blob){ p, (size_t)st.st_size, true };
	return 0;
}

/* A blob's capacity is its length rounded up to a power of two, so that no field is needed. */
static size_t capacity(size_t len)
{
	size_t cap = 4096;

	while (cap < len)
		cap *= 2;
	return cap;
}

int blob_append(struct blob *b, const void *p, size_t n, size_t max, const char *what,
		struct err *e)
{
	uint8_t *grown;

	if (n > max || b->len > max - n)
		return err_set(e, EFBIG, "cannot unpack %s: more than %zu bytes", what, max);
	if (!b->p || capacity(b->len + n) != capacity(b->len)) {
		grown = realloc(b->p, capacity(b->len + n));
		if (!grown)
			return err_set(e, ENOMEM, "cannot unpack %s", what);
		b->p = grown;
	}
	if (n)
		memcpy(b->p + b->len, p, n);
	b->len += n;
	return 0;
}

bool bytes_slice(struct bytes in, uint64_t off, uint64_t len, struct bytes *out)
{
	if (off > in.len || len > in.len - off)
		return false;
	*out = (struct bytes){ in.p + off, (size_t)len };
	return true;
}

const uint8_t *bytes_find(struct bytes in, size_t from, const void *needle, size_t n)
{
	return from > in.len ? NULL : memmem(in.p + from, in.len - from, needle, n);
}

uint16_t le16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t le32_at(const uint8_t *p)
{
	return le16_at(p) | (uint32_t)le16_at(p + 2) << 16;
}
