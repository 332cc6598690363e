/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/layer_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/layer_index.h"

static void put_number(char *field, size_t width, long long v)
{
	size_t i;

	if (v >= 0 && v < (1LL << 3 * (width - 1))) {
		snprintf(field, width, "%0*llo", (int)width - 1, v);
		return;
	}
	for (i = width; i-- > 0; v >>= 8)
		field[i] = (char)v;
	field[0] = (char)((field[0] & 0x7f) | 0x80);
}

static void put_header(struct strbuf *b, const struct ent *t, const char *name, size_t size)
{
	char h[512] = { 0 };
	unsigned sum = 0, i;

	strncpy(h, name, 100);
	put_number(h + 100, 8, t->mode ? t->mode : 0644);
	put_number(h + 108, 8, t->uid);
	put_number(h + 116, 8, t->gid);
	put_number(h + 124, 12, (long long)size);
	put_number(h + 136, 12, t->mtime ? t->mtime : 1000);
	memset(h + 148, ' ', 8);
	h[156] = t->type ? t->type : '0';
	if (t->link)
		strncpy(h + 157, t->link, 100);
	memcpy(h + 257, "ustar\00000", 8);
	put_number(h + 329, 8, t->major);
	put_number(h + 337, 8, t->minor);
	for (i = 0; i < sizeof(h); i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	sb_add(b, h, sizeof(h));
}

static void put_body(struct strbuf *b, const void *p, size_t n)
{
	static const char zero[512];

	sb_add(b, p, n);
	sb_add(b, zero, (512 - n % 512) % 512);
}

/* Names and links that do not fit go into GNU's long entries. */
static void put_long(struct strbuf *b, char type, const char *text)
{
	struct ent t = { .type = type };

	if (!text || strlen(text) <= 100)
		return;
	put_header(b, &t, "././@LongLink", strlen(text) + 1);
	put_body(b, text, strlen(text) + 1);
}

void tar_add(struct strbuf *b, const struct ent *t)
{
	size_t n = t->size ? t->size : t->data ? strlen(t->data) : 0;
	size_t pax = t->pax_len ? t->pax_len : t->pax ? strlen(t->pax) : 0;

	put_long(b, 'L', t->name);
	put_long(b, 'K', t->link);
	if (pax) {
		struct ent x = { .type = 'x' };

		put_header(b, &x, "pax", pax);
		put_body(b, t->pax, pax);
	}
	put_header(b, t, t->name, n);
	put_body(b, t->data, n);
}

void tar_end(struct strbuf *b)
{
	static const char zero[1024];

	sb_add(b, zero, sizeof(zero));
}

void pax_record(struct strbuf *b, const char *key, const void *value, size_t n)
{
	size_t rest = strlen(key) + n + 3, len = rest + 1;
	char digits[24];

	while (len != rest + (size_t)snprintf(digits, sizeof(digits), "%zu", len))
		len = rest + strlen(digits);
	sb_addf(b, "%zu %s=", len, key);
	sb_add(b, value, n);
	sb_addc(b, '\n');
}

void tar_make(struct strbuf *b, const struct ent *ents)
{
	for (; ents->name; ents++)
		tar_add(b, ents);
	tar_end(b);
}

int blob_fd(const void *p, size_t n)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(pwrite(fd, p, n, 0) == (ssize_t)n);
	return fd;
}

int fixture_convert(struct fixture *f, const void *p, size_t n, enum layer_compression c)
{
	struct layer_out *out = &f->out[f->nr_layers++];
	struct layer_in in = { .fd = blob_fd(p, n), .compression = c, .name = "test" };
	int r;

	out->data_fd = memfd_create("data", MFD_CLOEXEC);
	out->index_fd = memfd_create("index", MFD_CLOEXEC);
	r = layer_convert(&in, out, &f->e);
	close(in.fd);
	return r;
}

static void map_meta(struct fixture *f, int fd)
{
	struct stat st;

	fstat(fd, &st);
	f->meta_len = (size_t)st.st_size;
	f->meta = mmap(NULL, f->meta_len, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(f->meta != MAP_FAILED);
}

int fixture_merge(struct fixture *f)
{
	struct merge_layer layers[16];
	int fd = memfd_create("meta", MFD_CLOEXEC), r;
	uint64_t size;
	unsigned n;

	for (n = 0; n < f->nr_layers; n++) {
		layers[n].index_fd = f->out[n].index_fd;
		layers[n].data_size = f->out[n].data_size;
	}
	r = rootfs_merge(layers, f->nr_layers, fd, &size, &f->e);
	if (r == 0) {
		map_meta(f, fd);
		assert_true(size == f->meta_len);
		r = erofs_open(&f->img, f->meta, f->meta_len, &f->e);
	}
	if (r == 0)
		r = erofs_check(&f->img, &f->e) < 0 ? -1 : 0;
	close(fd);
	return r;
}

void fixture_free(struct fixture *f)
{
	unsigned n;

	for (n = 0; n < f->nr_layers; n++) {
		close(f->out[n].data_fd);
		close(f->out[n].index_fd);
	}
	if (f->meta)
		munmap(f->meta, f->meta_len);
	*f = (struct fixture){ 0 };
}

void fixture_build(struct fixture *f, const struct ent *const *layers)
{
	struct strbuf b = STRBUF_INIT;

	*f = (struct fixture){ 0 };
	for (; *layers; layers++) {
		sb_reset(&b);
		tar_make(&b, *layers);
		if (fixture_convert(f, b.buf, b.len, LAYER_TAR) < 0)
			fail_msg("%s", f->e.msg);
	}
	sb_free(&b);
	if (fixture_merge(f) < 0)
		fail_msg("%s", f->e.msg);
}

const char *fixture_refusal(struct fixture *f, const struct ent *ents)
{
	struct strbuf b = STRBUF_INIT;
	int r;

	*f = (struct fixture){ 0 };
	tar_make(&b, ents);
	r = fixture_convert(f, b.buf, b.len, LAYER_TAR);
	sb_free(&b);
	if (r == 0 && fixture_merge(f) == 0)
		fail_msg("taken: %s", ents->name);
	return f->e.msg;
}

struct erofs_node node_at(const struct fixture *f, const char *path)
{
	struct erofs_node node;

	if (erofs_lookup(&f->img, path, &node) < 0)
		fail_msg("%s is missing", path);
	return node;
}

void assert_absent(const struct fixture *f, const char *path)
{
	struct erofs_node node;

	if (erofs_lookup(&f->img, path, &node) == 0)
		fail_msg("%s is there", path);
}

/* Finds the bytes behind a block number: the meta file, then the data files in order. */
static int read_data(const struct fixture *f, const struct erofs_node *node, void *buf, size_t n)
{
	uint64_t at = (uint64_t)node->block * LAYER_BLOCK - f->meta_len;
	unsigned k;

	for (k = 0; k < f->nr_layers; k++) {
		if (at < f->out[k].data_size)
			return pread(f->out[k].data_fd, buf, n, (off_t)at) == (ssize_t)n ? 0 : -1;
		at -= f->out[k].data_size;
	}
	return -1;
}

void assert_content(const struct fixture *f, const char *path, const char *text)
{
	struct erofs_node node = node_at(f, path);
	char *buf = xcalloc(1, node.size + 1);
	int r = 0;

	if (node.size)
		r = S_ISREG(node.mode) ? read_data(f, &node, buf, node.size)
				       : erofs_read(&f->img, &node, 0, buf, node.size);
	assert_int_equal(r, 0);
	assert_string_equal(buf, text);
	free(buf);
}
