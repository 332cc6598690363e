/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/erofs_check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "images/erofs_fs.h"

static int bad(struct err *e, uint64_t nid, const char *why)
{
	return err_set(e, 0, "nid %llu: %s", (unsigned long long)nid, why);
}

static uint32_t crc32c_bits(uint32_t crc, const unsigned char *p, size_t n)
{
	for (; n--; p++) {
		crc ^= *p;
		for (int k = 0; k < 8; k++)
			crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
	}
	return crc;
}

int erofs_open(struct erofs_image *img, const void *p, size_t len, struct err *e)
{
	unsigned char block[EROFS_BLOCK];
	struct erofs_super sb;
	uint32_t want;

	if (len < EROFS_BLOCK || len % EROFS_BLOCK)
		return err_set(e, 0, "not whole blocks");
	memcpy(block, p, sizeof(block));
	memcpy(&sb, block + EROFS_SUPER_OFFSET, sizeof(sb));
	want = sb.checksum;
	memset(block + EROFS_SUPER_OFFSET + 4, 0, 4);
	if (sb.magic != EROFS_MAGIC || sb.block_bits != 12 || sb.feature_incompat ||
	    want != crc32c_bits(~0u, block + EROFS_SUPER_OFFSET, EROFS_BLOCK - EROFS_SUPER_OFFSET))
		return err_set(e, 0, "broken superblock");
	if ((uint64_t)sb.nr_blocks * EROFS_BLOCK < len)
		return err_set(e, 0, "fewer blocks than the meta file has");
	*img = (struct erofs_image){ .p = p, .len = len, .nr_blocks = sb.nr_blocks };
	img->root_nid = sb.root_nid;
	img->nr_inodes = sb.nr_inodes;
	return 0;
}

static int take_fixed(const struct erofs_image *img, uint64_t at, struct erofs_node *o,
		      uint32_t *xattr_count)
{
	struct erofs_inode_compact c;
	struct erofs_inode_extended x;

	if (at > img->len - sizeof(c))
		return -1;
	memcpy(&c, img->p + at, sizeof(c));
	o->is_extended = c.format & 1;
	o->layout = c.format >> 1;
	o->mode = c.mode;
	*xattr_count = c.xattr_count;
	if (!o->is_extended) {
		o->uid = c.uid;
		o->gid = c.gid;
		o->nr_links = c.nr_links;
		o->size = c.size;
		o->block = c.block;
		return sizeof(c);
	}
	if (at > img->len - sizeof(x))
		return -1;
	memcpy(&x, img->p + at, sizeof(x));
	o->uid = x.uid;
	o->gid = x.gid;
	o->nr_links = x.nr_links;
	o->size = x.size;
	o->block = x.block;
	o->mtime = x.mtime;
	o->mtime_nsec = x.mtime_nsec;
	return sizeof(x);
}

static bool has_content(const struct erofs_node *o)
{
	return S_ISREG(o->mode) || S_ISDIR(o->mode) || S_ISLNK(o->mode);
}

/* Where its content lies: inside the image, an inline tail inside one block. */
static int check_content(const struct erofs_image *img, struct erofs_node *o, uint64_t tail_at,
			 struct err *e)
{
	uint64_t blocks = (o->size + EROFS_BLOCK - 1) / EROFS_BLOCK;

	if (!has_content(o)) {
		o->rdev = o->block;
		return o->size ? bad(e, o->nid, "size of something without content") : 0;
	}
	if (o->layout == EROFS_FLAT_INLINE) {
		uint64_t tail = o->size % EROFS_BLOCK;

		if (!tail || tail_at % EROFS_BLOCK + tail > EROFS_BLOCK ||
		    tail_at + tail > img->len)
			return bad(e, o->nid, "inline tail crosses a block");
		o->tail = img->p + tail_at;
		blocks--;
	} else if (o->layout != EROFS_FLAT_PLAIN) {
		return bad(e, o->nid, "unknown layout");
	}
	if (blocks && (o->block == 0 || o->block + blocks > img->nr_blocks))
		return bad(e, o->nid, "content outside of the image");
	return 0;
}

static int check_xattrs(const struct erofs_node *o, struct err *e)
{
	uint32_t pos = 0;

	while (pos < o->xattr_len) {
		const unsigned char *p = o->xattrs + pos;
		uint32_t left = o->xattr_len - pos, need;

		need = left < 4 ? 5 : (4u + p[0] + p[2] + 256u * p[3] + 3) & ~3u;
		if (need > left)
			return bad(e, o->nid, "broken xattrs");
		pos += need;
	}
	return 0;
}

int erofs_node(const struct erofs_image *img, uint64_t nid, struct erofs_node *o, struct err *e)
{
	uint64_t at = nid * EROFS_SLOT, tail_at;
	uint32_t count = 0;
	int fixed;

	*o = (struct erofs_node){ .nid = nid };
	if (nid > img->len / EROFS_SLOT || at < EROFS_SUPER_OFFSET + 128)
		return bad(e, nid, "out of range");
	fixed = take_fixed(img, at, o, &count);
	if (fixed < 0 || at % EROFS_BLOCK + (unsigned)fixed > EROFS_BLOCK)
		return bad(e, nid, "inode out of range");
	tail_at = at + (unsigned)fixed + (count ? 12 + 4 * ((uint64_t)count - 1) : 0);
	if (tail_at > img->len)
		return bad(e, nid, "xattrs out of range");
	if (count) {
		o->xattrs = img->p + at + fixed + 12;
		o->xattr_len = (count - 1) * 4;
	}
	if (check_content(img, o, tail_at, e) < 0)
		return -1;
	return check_xattrs(o, e);
}

int erofs_read(const struct erofs_image *img, const struct erofs_node *o, uint64_t off, void *buf,
	       size_t n)
{
	uint64_t tail_from = o->size / EROFS_BLOCK * EROFS_BLOCK, at;

	if (off > o->size || n > o->size - off)
		return -1;
	if (o->tail && off >= tail_from) {
		memcpy(buf, o->tail + (off - tail_from), n);
		return 0;
	}
	if (o->tail && off + n > tail_from)
		return -1; /* ask for one part at a time */
	at = (uint64_t)o->block * EROFS_BLOCK + off;
	if (n && (at > img->len || n > img->len - at))
		return -1;
	if (n)
		memcpy(buf, img->p + at, n);
	return 0;
}

const void *erofs_xattr(const struct erofs_node *o, unsigned index, const char *name, size_t *len)
{
	uint32_t pos = 0;

	while (pos < o->xattr_len) {
		const unsigned char *p = o->xattrs + pos;

		*len = p[2] + 256u * p[3];
		if (p[1] == index && p[0] == strlen(name) && memcmp(p + 4, name, p[0]) == 0)
			return p + 4 + p[0];
		pos += (4u + p[0] + (uint32_t)*len + 3) & ~3u;
	}
	return NULL;
}

/* A visitor of the names of a directory; a value other than 0 ends the walk and is returned. */
typedef int visit_fn(void *ctx, const struct erofs_dirent *d, const char *name, size_t len,
		     struct err *e);

static int walk_block(const unsigned char *b, size_t len, uint64_t nid, visit_fn *visit, void *ctx,
		      struct err *e)
{
	struct erofs_dirent d, next;
	size_t nr, k, end;

	memcpy(&d, b, sizeof(d));
	nr = d.name_offset / sizeof(d);
	if (d.name_offset % sizeof(d) || nr == 0 || d.name_offset >= len)
		return bad(e, nid, "broken directory block");
	for (k = 0; k < nr; k++) {
		int r;

		memcpy(&d, b + k * sizeof(d), sizeof(d));
		end = len;
		if (k + 1 < nr) {
			memcpy(&next, b + (k + 1) * sizeof(d), sizeof(next));
			end = next.name_offset;
		}
		if (d.name_offset < nr * sizeof(d) || end > len || d.name_offset >= end)
			return bad(e, nid, "broken directory entry");
		/* The last name of a full block ends at the first zero. */
		end = d.name_offset + strnlen((const char *)b + d.name_offset, end - d.name_offset);
		r = visit(ctx, &d, (const char *)b + d.name_offset, end - d.name_offset, e);
		if (r)
			return r;
	}
	return 0;
}

static int walk_dir(const struct erofs_image *img, const struct erofs_node *dir, visit_fn *visit,
		    void *ctx, struct err *e)
{
	unsigned char block[EROFS_BLOCK];
	uint64_t off;

	for (off = 0; off < dir->size; off += EROFS_BLOCK) {
		size_t n = dir->size - off < EROFS_BLOCK ? dir->size - off : EROFS_BLOCK;
		int r;

		if (n < sizeof(struct erofs_dirent) || erofs_read(img, dir, off, block, n) < 0)
			return bad(e, dir->nid, "unreadable directory");
		r = walk_block(block, n, dir->nid, visit, ctx, e);
		if (r)
			return r;
	}
	return 0;
}

struct seek {
	const char *name;
	size_t len;
	uint64_t nid;
};

static int seek_visit(void *ctx, const struct erofs_dirent *d, const char *name, size_t len,
		      struct err *e)
{
	struct seek *s = ctx;

	(void)e;
	if (len != s->len || memcmp(name, s->name, len) != 0)
		return 0;
	s->nid = d->nid;
	return 1;
}

int erofs_lookup(const struct erofs_image *img, const char *path, struct erofs_node *out)
{
	struct err e = { 0 };

	if (erofs_node(img, img->root_nid, out, &e) < 0)
		return -1;
	while (*path) {
		struct seek s = { .name = path, .len = strcspn(path, "/") };

		if (!S_ISDIR(out->mode) || walk_dir(img, out, seek_visit, &s, &e) != 1 ||
		    erofs_node(img, s.nid, out, &e) < 0)
			return -1;
		path += s.len + (path[s.len] == '/');
	}
	return 0;
}

/* The whole tree */

struct check {
	const struct erofs_image *img;
	uint32_t *nr_links; /* seen, by nid */
	uint8_t *named;	    /* directories by nid: has a name */
	uint64_t *todo;	    /* directories */
	size_t nr_todo;
	long nr_names;
	uint64_t nr_inodes;
	uint64_t dir, parent; /* under way */
	bool dot, dotdot;
	char last[256];
	size_t last_len;
};

static const uint8_t types[16] = {
	[1] = EROFS_FT_FIFO,  [2] = EROFS_FT_CHAR, [4] = EROFS_FT_DIR,
	[6] = EROFS_FT_BLOCK, [8] = EROFS_FT_FILE, [10] = EROFS_FT_SYMLINK
};

static int check_order(struct check *c, const char *name, size_t len, struct err *e)
{
	size_t n = len < c->last_len ? len : c->last_len;
	int r = memcmp(c->last, name, n);

	if (len == 0 || len > 255 || memchr(name, '/', len))
		return bad(e, c->dir, "bad name");
	if (c->last_len && (r > 0 || (r == 0 && c->last_len >= len)))
		return bad(e, c->dir, "names out of order");
	memcpy(c->last, name, len);
	c->last_len = len;
	return 0;
}

static int check_name(void *ctx, const struct erofs_dirent *d, const char *name, size_t len,
		      struct err *e)
{
	struct check *c = ctx;
	struct erofs_node node;

	if (check_order(c, name, len, e) < 0 || erofs_node(c->img, d->nid, &node, e) < 0)
		return -1;
	if (types[node.mode >> 12] != d->file_type)
		return bad(e, d->nid, "type in the directory differs");
	if (c->nr_links[d->nid]++ == 0)
		c->nr_inodes++;
	if (len == 1 && name[0] == '.') {
		c->dot = d->nid == c->dir;
	} else if (len == 2 && memcmp(name, "..", 2) == 0) {
		c->dotdot = true;
	} else {
		c->nr_names++;
		if (S_ISDIR(node.mode) && c->named[d->nid]++)
			return bad(e, d->nid, "a directory with two names");
		if (S_ISDIR(node.mode))
			c->todo[c->nr_todo++] = d->nid;
	}
	return 0;
}

static int check_links(const struct check *c, struct err *e)
{
	uint64_t nid;

	if (c->nr_inodes != c->img->nr_inodes)
		return err_set(e, 0, "%llu inodes found, the superblock says %llu",
			       (unsigned long long)c->nr_inodes,
			       (unsigned long long)c->img->nr_inodes);
	for (nid = 0; nid < c->img->len / EROFS_SLOT; nid++) {
		struct erofs_node node;

		if (!c->nr_links[nid])
			continue;
		if (erofs_node(c->img, nid, &node, e) < 0)
			return -1;
		if (node.nr_links != c->nr_links[nid])
			return bad(e, nid, "wrong number of links");
	}
	return 0;
}

long erofs_check(const struct erofs_image *img, struct err *e)
{
	size_t slots = img->len / EROFS_SLOT + 1;
	cleanup_free uint32_t *links = xcalloc(slots, sizeof(*links));
	cleanup_free uint64_t *todo = xcalloc(slots, sizeof(*todo));
	cleanup_free uint8_t *named = xcalloc(slots, 1);
	struct check c = { .img = img, .nr_links = links, .todo = todo, .named = named };

	c.todo[c.nr_todo++] = img->root_nid;
	while (c.nr_todo) {
		struct erofs_node dir;

		c.dir = c.todo[--c.nr_todo];
		c.dot = c.dotdot = false;
		c.last_len = 0;
		if (erofs_node(img, c.dir, &dir, e) < 0 ||
		    walk_dir(img, &dir, check_name, &c, e) < 0)
			return -1;
		if (!S_ISDIR(dir.mode) || !c.dot || !c.dotdot)
			return bad(e, c.dir, "not a directory, or without . and ..");
	}
	return check_links(&c, e) < 0 ? -1 : c.nr_names;
}
