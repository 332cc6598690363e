/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_index.h"

#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "images/layer.h"

#define INDEX_MAGIC "VPODIDX"
#define INDEX_BUFFER (64u << 10)

/* Writing */

int index_create(struct index_writer *w, int fd, struct err *e)
{
	*w = (struct index_writer){ 0 };
	if (outfile_open(&w->file, fd, INDEX_BUFFER, "the layer's index", e) < 0)
		return -1;
	return outfile_zeros(&w->file, sizeof(struct index_header), e);
}

void index_free_writer(struct index_writer *w)
{
	outfile_close(&w->file);
}

int index_add(struct index_writer *w, struct index_rec *r, const char *path, const char *link,
	      const void *xattrs, struct err *e)
{
	uint64_t len = sizeof(*r) + r->path_len + r->link_len + (uint64_t)r->xattr_len;

	r->len = (uint32_t)((len + 7) & ~UINT64_C(7));
	if (w->nr_entries >= LAYER_MAX_ENTRIES)
		return err_set(e, 0, "cannot take more than %u entries", LAYER_MAX_ENTRIES);
	if (outfile_tell(&w->file) + r->len > INDEX_MAX)
		return err_set(e, 0, "cannot take more than %llu MiB of names and attributes",
			       (unsigned long long)(INDEX_MAX >> 20));
	w->nr_entries++;
	if (outfile_write(&w->file, r, sizeof(*r), e) < 0 ||
	    outfile_write(&w->file, path, r->path_len, e) < 0 ||
	    outfile_write(&w->file, link, r->link_len, e) < 0 ||
	    outfile_write(&w->file, xattrs, r->xattr_len, e) < 0)
		return -1;
	return outfile_align(&w->file, 8, e);
}

static void digest_bytes(const struct digest *d, uint8_t out[static 32])
{
	unsigned i;

	for (i = 0; i < 64; i++) {
		char c = d->hex[i];
		unsigned v = (unsigned)(c >= 'a' ? c - 'a' + 10 : c - '0') & 15;

		out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | v : v << 4);
	}
}

int index_finish(struct index_writer *w, uint64_t data_size, const struct digest *diff_id,
		 struct err *e)
{
	struct index_header h = {
		.magic = INDEX_MAGIC,
		.version = LAYER_VERSION,
		.nr_entries = w->nr_entries,
		.body_len = outfile_tell(&w->file) - sizeof(h),
		.data_size = data_size,
	};

	digest_bytes(diff_id, h.diff_id);
	if (outfile_finish(&w->file, e) < 0)
		return -1;
	if (fs_pwrite_all(w->file.fd, &h, sizeof(h), 0) < 0)
		return err_set(e, errno, "cannot write the layer's index");
	return 0;
}

bool index_rdev(uint64_t major, uint64_t minor, uint32_t *out)
{
	if (major > 0xfff || minor > 0xfffff)
		return false;
	*out = (uint32_t)((minor & 0xff) | (major << 8) | ((minor & ~UINT64_C(0xff)) << 12));
	return true;
}

/* Reading */

int index_open(struct index *ix, const void *p, size_t n, struct err *e)
{
	const struct index_header *h = p;

	if (n < sizeof(*h) || memcmp(h->magic, INDEX_MAGIC, sizeof(h->magic)) != 0)
		return err_set(e, 0, "cannot use the layer's index: not an index");
	if (h->version != LAYER_VERSION)
		return err_set(e, 0, "cannot use the layer's index: its version is %u, not %u",
			       h->version, LAYER_VERSION);
	if (n > INDEX_MAX + sizeof(*h) || h->body_len != n - sizeof(*h) ||
	    h->nr_entries > LAYER_MAX_ENTRIES || h->data_size > LAYER_MAX_DATA ||
	    h->data_size % LAYER_BLOCK)
		return err_set(e, 0, "cannot use the layer's index: broken header");
	ix->header = h;
	index_rewind(ix);
	ix->end = ix->pos + h->body_len;
	return 0;
}

void index_rewind(struct index *ix)
{
	ix->pos = (const unsigned char *)(ix->header + 1);
	ix->nr_seen = 0;
}

/* A clean path: components of 1 to 255 bytes, none "." or "..", one "/" between, no NUL. */
static bool path_is_clean(const char *p, size_t len)
{
	size_t start = 0, i;

	if (len == 0)
		return true; /* the root */
	if (len > LAYER_MAX_PATH || memchr(p, '\0', len))
		return false;
	for (i = 0; i <= len; i++) {
		size_t n = i - start;

		if (i < len && p[i] != '/')
			continue;
		if (n == 0 || n > LAYER_MAX_NAME || (n == 1 && p[start] == '.') ||
		    (n == 2 && p[start] == '.' && p[start + 1] == '.'))
			return false;
		start = i + 1;
	}
	return true;
}

static bool xattrs_are_good(const unsigned char *p, uint32_t len)
{
	while (len) {
		uint32_t value, need;

		if (len < 4 || p[1] == 0 || p[1] > 6 || p[1] == 5)
			return false;
		value = p[2] | (uint32_t)p[3] << 8;
		need = (4 + p[0] + value + 3) & ~3u;
		if (need > len)
			return false;
		p += need;
		len -= need;
	}
	return true;
}

static bool content_is_good(const struct index *ix, const struct index_rec *r)
{
	uint64_t data = ix->header->data_size;

	if (r->kind != INDEX_FILE)
		return r->size == 0 && r->data_block == 0;
	if (r->size == 0)
		return r->data_block == 0;
	return r->data_block < data / LAYER_BLOCK && r->size <= data - r->data_block * LAYER_BLOCK;
}

static bool link_is_good(const struct index_rec *r)
{
	bool wanted = r->kind == INDEX_SYMLINK || r->kind == INDEX_HARDLINK;

	if (!wanted)
		return r->link_len == 0;
	return r->link_len > 0 && r->link_len <= LAYER_MAX_PATH &&
	       !memchr(index_link(r), '\0', r->link_len);
}

static bool record_is_good(const struct index *ix, const struct index_rec *r)
{
	uint64_t len = sizeof(*r) + r->path_len + r->link_len + (uint64_t)r->xattr_len;

	if (r->kind >= INDEX_NR_KINDS || r->mode > 07777 || r->mtime_nsec >= 1000000000u ||
	    r->xattr_len > LAYER_MAX_XATTRS || ((len + 7) & ~UINT64_C(7)) != r->len)
		return false;
	if (r->rdev && r->kind != INDEX_CHAR && r->kind != INDEX_BLOCK)
		return false;
	if (r->path_len == 0 && r->kind != INDEX_DIR && r->kind != INDEX_OPAQUE)
		return false;
	return path_is_clean(index_path(r), r->path_len) && link_is_good(r) &&
	       content_is_good(ix, r) && xattrs_are_good(index_xattrs(r), r->xattr_len);
}

int index_next(struct index *ix, const struct index_rec **out, struct err *e)
{
	const struct index_rec *r = (const struct index_rec *)(const void *)ix->pos;
	size_t left = (size_t)(ix->end - ix->pos);

	if (left == 0) {
		if (ix->nr_seen != ix->header->nr_entries)
			return err_set(e, 0, "cannot use the layer's index: entries are missing");
		return 0;
	}
	if (left < sizeof(*r) || r->len < sizeof(*r) || r->len > left || r->len % 8 ||
	    !record_is_good(ix, r) || ix->nr_seen >= ix->header->nr_entries)
		return err_set(e, 0, "cannot use the layer's index: entry %llu is broken",
			       (unsigned long long)ix->nr_seen);
	ix->pos += r->len;
	ix->nr_seen++;
	*out = r;
	return 1;
}

/* Extended attributes */

/* Prefixes that EROFS stores as a number (EROFS_XATTR_INDEX_*). The ACL ones are whole names. */
static const struct {
	const char *prefix;
	unsigned char index;
	bool whole;
} prefixes[] = {
	{ "user.", 1, false },
	{ "system.posix_acl_access", 2, true },
	{ "system.posix_acl_default", 3, true },
	{ "trusted.", 4, false },
	{ "security.", 6, false },
};

static unsigned char split_name(const char *name, const char **rest)
{
	size_t i;

	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t n = strlen(prefixes[i].prefix);

		if (strncmp(name, prefixes[i].prefix, n) != 0)
			continue;
		if (prefixes[i].whole != (name[n] == '\0'))
			continue;
		*rest = name + n;
		return prefixes[i].index;
	}
	return 0;
}

static uint32_t entry_len(const unsigned char *p)
{
	return (4 + p[0] + (p[2] | (uint32_t)p[3] << 8) + 3) & ~3u;
}

static bool has_same(const unsigned char *buf, uint32_t len, unsigned char index, const char *name,
		     size_t name_len)
{
	uint32_t pos;

	for (pos = 0; pos < len; pos += entry_len(buf + pos)) {
		if (buf[pos] == name_len && buf[pos + 1] == index &&
		    memcmp(buf + pos + 4, name, name_len) == 0)
			return true;
	}
	return false;
}

int xattr_append(unsigned char *buf, uint32_t *len, const char *name, const void *value,
		 size_t value_len)
{
	const char *rest = NULL;
	unsigned char index = split_name(name, &rest);
	size_t name_len, need;

	if (!index)
		return 1;
	name_len = strlen(rest);
	need = (4 + name_len + value_len + 3) & ~(size_t)3;
	if (name_len > LAYER_MAX_NAME || value_len > UINT16_MAX)
		return -1;
	if (has_same(buf, *len, index, rest, name_len))
		return 0;
	if (need > LAYER_MAX_XATTRS - *len)
		return -1;
	memset(buf + *len + need - 4, 0, 4); /* the padding */
	buf[*len] = (unsigned char)name_len;
	buf[*len + 1] = index;
	buf[*len + 2] = (unsigned char)value_len;
	buf[*len + 3] = (unsigned char)(value_len >> 8);
	memcpy(buf + *len + 4, rest, name_len);
	if (value_len)
		memcpy(buf + *len + 4 + name_len, value, value_len);
	*len += (uint32_t)need;
	return 0;
}
