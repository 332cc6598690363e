/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names in a tar, by POSIX.1-2017 "pax Interchange Format" and GNU tar's manual, "Basic Tar
 * Format": 512-byte headers, each followed by its content padded to 512 bytes.  Every offset comes
 * from additions that are checked against the size of the file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "images/bag.h"

#define BLOCK 512
#define MAX_META (1u << 20) /* of one pax header or long name */

struct tar_walk {
	int fd;
	uint64_t size, pos;
	struct bag *bag;
	struct err *e;
	/* from an extension header, for the next entry */
	char *name, *link;
	bool has_size;
	uint64_t next_size;
};

static int broken(struct tar_walk *w, const char *why)
{
	return err_set(w->e, 0, "cannot read archive %s: %s", w->bag->path, why);
}

static int read_at(struct tar_walk *w, void *p, size_t n, uint64_t off)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = pread(w->fd, (char *)p + got, n - got, (off_t)(off + got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_set(w->e, errno, "cannot read archive %s", w->bag->path);
		if (!r)
			return broken(w, "it is cut short");
		got += (size_t)r;
	}
	return 0;
}

/* Octal text, or base-256 when the top bit is set. */
static int tar_number(const unsigned char *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;
	size_t i = 0;

	if (p[0] & 0x80) {
		if (p[0] & 0x7f)
			return -1; /* negative, or over 2^64 */
		for (i = 1; i < n; i++) {
			if (v >> 56)
				return -1;
			v = v << 8 | p[i];
		}
		*out = v;
		return 0;
	}
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(p[i] - '0'); /* at most 12 digits: 36 bits */
	*out = v;
	return i < n && p[i] && p[i] != ' ' ? -1 : 0;
}

static bool checksum_ok(const unsigned char *h)
{
	uint64_t want, sum = 0;
	size_t i;

	if (tar_number(h + 148, 8, &want) < 0)
		return false;
	for (i = 0; i < BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : h[i];
	return sum == want;
}

static char *field(const unsigned char *p, size_t n)
{
	return xasprintf("%.*s", (int)strnlen((const char *)p, n), (const char *)p);
}

static char *header_name(const unsigned char *h)
{
	cleanup_free char *name = field(h, 100), *prefix = NULL;

	/* GNU's older format has other things in the place of the prefix. */
	if (memcmp(h + 257, "ustar\0", 6) != 0 || !h[345])
		return take_ptr(&name);
	prefix = field(h + 345, 155);
	return xasprintf("%s/%s", prefix, name);
}

static int pax_record(struct tar_walk *w, const char *key, size_t key_len, const char *value,
		      size_t len)
{
	cleanup_free char *text = xasprintf("%.*s", (int)len, value);

	if (memchr(value, '\0', len))
		return broken(w, "NUL in an extended header");
	if (key_len == 4 && !memcmp(key, "path", 4)) {
		free(w->name);
		w->name = take_ptr(&text);
	} else if (key_len == 8 && !memcmp(key, "linkpath", 8)) {
		free(w->link);
		w->link = take_ptr(&text);
	} else if (key_len == 4 && !memcmp(key, "size", 4)) {
		if (num_parse_u64(text, 0, INT64_MAX, &w->next_size) < 0)
			return broken(w, "bad size in an extended header");
		w->has_size = true;
	} else if (key_len > 10 && !memcmp(key, "GNU.sparse", 10)) {
		return broken(w, "sparse files are not expected here");
	}
	return 0;
}

/* "LEN key=value\n" ... where LEN counts itself. */
static int parse_pax(struct tar_walk *w, const char *p, size_t left)
{
	while (left) {
		const char *space = memchr(p, ' ', left), *eq;
		size_t len = 0, head;

		if (!space || space == p || space - p > 8)
			return broken(w, "bad extended header");
		for (head = 0; head < (size_t)(space - p); head++) {
			if (p[head] < '0' || p[head] > '9')
				return broken(w, "bad extended header");
			len = len * 10 + (size_t)(p[head] - '0');
		}
		head++;
		if (len <= head || len > left || p[len - 1] != '\n')
			return broken(w, "bad extended header");
		eq = memchr(p + head, '=', len - head);
		if (!eq)
			return broken(w, "bad extended header");
		if (pax_record(w, p + head, (size_t)(eq - p) - head, eq + 1,
			       len - 1 - (size_t)(eq + 1 - p)) < 0)
			return -1;
		p += len;
		left -= len;
	}
	return 0;
}

static int read_extension(struct tar_walk *w, char type, uint64_t size)
{
	cleanup_free char *text = NULL;

	if (type == 'g')
		return 0; /* global: comments, as git archive writes them */
	if (size > MAX_META)
		return broken(w, "an extended header is larger than 1 MiB");
	text = xcalloc(1, (size_t)size + 1);
	if (read_at(w, text, (size_t)size, w->pos) < 0)
		return -1;
	if (type == 'x')
		return parse_pax(w, text, (size_t)size);
	if (type == 'L') {
		free(w->name);
		w->name = take_ptr(&text);
	} else {
		free(w->link);
		w->link = take_ptr(&text);
	}
	return 0;
}

/* Archives made by hand begin names with "./". */
static const char *plain_name(const char *s)
{
	while (s[0] == '.' && s[1] == '/')
		s += 2;
	return s;
}

static int add_file(struct tar_walk *w, const unsigned char *h, uint64_t size)
{
	struct bag *b = w->bag;
	char type = (char)h[156];
	bool is_link = type == '1' || type == '2';
	struct bag_file *f;
	cleanup_free char *name = w->name ? take_ptr(&w->name) : header_name(h);
	cleanup_free char *link = w->link ? take_ptr(&w->link) : field(h + 157, 100);

	if (!is_link && type != '0' && type != '\0' && type != '7')
		return 0;
	if (b->nr_files == BAG_MAX_FILES)
		return broken(w, "it holds more than 100000 files");
	if (!(b->nr_files & (b->nr_files - 1)))
		b->files =
			xrealloc(b->files, (b->nr_files ? 2 * b->nr_files : 1) * sizeof(*b->files));
	f = &b->files[b->nr_files++];
	*f = (struct bag_file){ .off = w->pos, .size = is_link ? 0 : size };
	f->name = xstrdup(plain_name(name));
	/* A hard link's target is a name from the root, a symlink's from the link's directory. */
	if (is_link) {
		const char *p = type == '1' ? strchr(f->name, '/') : NULL;
		struct strbuf up = STRBUF_INIT;

		for (; p; p = strchr(p + 1, '/'))
			sb_adds(&up, "../");
		sb_adds(&up, type == '1' ? plain_name(link) : link);
		f->link = sb_take(&up);
	}
	return 0;
}

static int read_entry(struct tar_walk *w, const unsigned char *h)
{
	char type = (char)h[156];
	bool is_extension = type == 'x' || type == 'g' || type == 'L' || type == 'K';
	uint64_t size, padded;
	int r;

	if (!checksum_ok(h) || tar_number(h + 124, 12, &size) < 0)
		return broken(w, w->pos == BLOCK ? "it is no tar" : "a header is damaged");
	if (w->has_size && !is_extension) {
		size = w->next_size;
		w->has_size = false;
	}
	/* Links and directories have no content, whatever they say. */
	if (type >= '1' && type <= '6')
		size = 0;
	if (size > w->size - w->pos)
		return broken(w, "it is cut short");
	r = is_extension ? read_extension(w, type, size) : add_file(w, h, size);
	padded = (size + BLOCK - 1) & ~(uint64_t)(BLOCK - 1);
	w->pos = padded > w->size - w->pos ? w->size : w->pos + padded;
	if (!is_extension) {
		free(take_ptr(&w->name));
		free(take_ptr(&w->link));
	}
	return r;
}

static int walk(struct tar_walk *w)
{
	static const unsigned char zeros[BLOCK];
	unsigned char h[BLOCK];

	while (w->size - w->pos >= BLOCK) {
		if (read_at(w, h, BLOCK, w->pos) < 0)
			return -1;
		w->pos += BLOCK;
		if (!memcmp(h, zeros, BLOCK))
			return 0;
		if (read_entry(w, h) < 0)
			return -1;
	}
	/* Some writers leave out the end marker; an archive cut between two files looks the same.
	 */
	return w->bag->nr_files ? 0 : broken(w, "it is no tar");
}

int tar_index(int fd, uint64_t size, struct bag *b, struct err *e)
{
	struct tar_walk w = { .fd = fd, .size = size, .bag = b, .e = e };
	int r = walk(&w);

	free(w.name);
	free(w.link);
	return r;
}
