/* SPDX-License-Identifier: Apache-2.0 */
/* The index as a hostile worker would write it: every field wrong in turn. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/erofs_merge.h"
#include "images/layer_index.h"
#include "tests/unit/layer_fixture.h"

/* A good index of a few entries, in memory that a test may spoil. */
struct good {
	struct fixture f;
	unsigned char *p;
	size_t n;
};

static void good_make(struct good *g)
{
	static const struct ent ents[] = { { "file", .data = "content" },
					   { "link", '2', .link = "file" },
					   { "dev", '3', .major = 1, .minor = 3 },
					   { 0 } };
	struct strbuf pax = STRBUF_INIT, tar = STRBUF_INIT;
	struct ent first = ents[0];
	struct stat st;

	memset(g, 0, sizeof(*g));
	pax_record(&pax, "SCHILY.xattr.user.a", "value", 5);
	first.pax = pax.buf;
	tar_add(&tar, &first);
	tar_add(&tar, &ents[1]);
	tar_add(&tar, &ents[2]);
	tar_end(&tar);
	assert_int_equal(fixture_convert(&g->f, tar.buf, tar.len, LAYER_TAR), 0);
	fstat(g->f.out[0].index_fd, &st);
	g->n = (size_t)st.st_size;
	g->p = mmap(NULL, g->n, PROT_READ | PROT_WRITE, MAP_PRIVATE, g->f.out[0].index_fd, 0);
	sb_free(&pax);
	sb_free(&tar);
}

static void good_free(struct good *g)
{
	munmap(g->p, g->n);
	fixture_free(&g->f);
}

static struct index_header *header(struct good *g)
{
	return (struct index_header *)(void *)g->p;
}

static struct index_rec *rec(struct good *g, unsigned n)
{
	unsigned char *p = g->p + sizeof(struct index_header);

	while (n--)
		p += ((struct index_rec *)(void *)p)->len;
	return (struct index_rec *)(void *)p;
}

/* Reads it all: the number of entries, or -1. */
static int read_all(const struct good *g)
{
	const struct index_rec *r;
	struct index ix;
	struct err e = { 0 };
	int n = 0, more;

	if (index_open(&ix, g->p, g->n, &e) < 0)
		return -1;
	while ((more = index_next(&ix, &r, &e)) > 0)
		n++;
	return more < 0 ? -1 : n;
}

static void index_of_the_reader_is_good(void **state)
{
	struct good g;

	(void)state;
	good_make(&g);
	assert_int_equal(read_all(&g), 3);
	good_free(&g);
}

#define SPOIL(what, value)                          \
	do {                                        \
		struct good g;                      \
		good_make(&g);                      \
		what = value;                       \
		assert_int_equal(read_all(&g), -1); \
		good_free(&g);                      \
	} while (0)

static void refuses_broken_headers(void **state)
{
	(void)state;
	SPOIL(header(&g)->magic[0], 'X');
	SPOIL(header(&g)->version, LAYER_VERSION + 1);
	SPOIL(header(&g)->body_len, header(&g)->body_len - 8);
	SPOIL(header(&g)->body_len, UINT64_MAX);
	SPOIL(header(&g)->nr_entries, 2);
	SPOIL(header(&g)->nr_entries, 4);
	SPOIL(header(&g)->nr_entries, UINT64_MAX);
	SPOIL(header(&g)->data_size, 4095);
	SPOIL(header(&g)->data_size, UINT64_C(1) << 62);
	SPOIL(g.n, 127);
	SPOIL(g.n, g.n - 8);
}

static void refuses_broken_lengths(void **state)
{
	(void)state;
	SPOIL(rec(&g, 0)->len, 0);
	SPOIL(rec(&g, 0)->len, 56);
	SPOIL(rec(&g, 0)->len, rec(&g, 0)->len + 4);
	SPOIL(rec(&g, 0)->len, UINT32_MAX & ~7u);
	SPOIL(rec(&g, 2)->len, rec(&g, 2)->len + 8);
	SPOIL(rec(&g, 0)->path_len, 4096);
	SPOIL(rec(&g, 0)->path_len, UINT16_MAX);
	SPOIL(rec(&g, 1)->link_len, UINT16_MAX);
	SPOIL(rec(&g, 1)->link_len, 0);
	SPOIL(rec(&g, 0)->link_len, 1);
	SPOIL(rec(&g, 0)->xattr_len, UINT32_MAX);
	SPOIL(rec(&g, 0)->xattr_len, 3);
}

static void refuses_broken_fields(void **state)
{
	(void)state;
	SPOIL(rec(&g, 0)->kind, INDEX_NR_KINDS);
	SPOIL(rec(&g, 0)->kind, 255);
	SPOIL(rec(&g, 0)->mode, 010000);
	SPOIL(rec(&g, 0)->mtime_nsec, 1000000000);
	SPOIL(rec(&g, 0)->rdev, 1);
	SPOIL(rec(&g, 1)->size, 1);
	SPOIL(rec(&g, 1)->data_block, 1);
}

static void refuses_content_outside_of_the_data_file(void **state)
{
	(void)state;
	SPOIL(rec(&g, 0)->size, 4097);
	SPOIL(rec(&g, 0)->size, UINT64_MAX);
	SPOIL(rec(&g, 0)->data_block, 1);
	SPOIL(rec(&g, 0)->data_block, UINT64_MAX / 4096 + 1);
	SPOIL(header(&g)->data_size, 0);
}

static void refuses_broken_names(void **state)
{
	(void)state;
	SPOIL(*(char *)index_path(rec(&g, 0)), '/');
	SPOIL(*(char *)index_path(rec(&g, 0)), '\0');
	SPOIL(((char *)index_path(rec(&g, 0)))[3], '/');
	SPOIL(*(char *)index_link(rec(&g, 1)), '\0');
}

static void refuses_dots_in_names(void **state)
{
	struct good g;

	(void)state;
	good_make(&g);
	memcpy((char *)index_path(rec(&g, 0)), "a/..", 4);
	assert_int_equal(read_all(&g), -1);
	memcpy((char *)index_path(rec(&g, 0)), "ab/.", 4);
	assert_int_equal(read_all(&g), -1);
	memcpy((char *)index_path(rec(&g, 0)), "a//b", 4);
	assert_int_equal(read_all(&g), -1);
	memcpy((char *)index_path(rec(&g, 0)), "a/.b", 4);
	assert_int_equal(read_all(&g), 3);
	good_free(&g);
}

static void refuses_broken_xattrs(void **state)
{
	(void)state;
	SPOIL(((unsigned char *)index_xattrs(rec(&g, 0)))[0], 255);
	SPOIL(((unsigned char *)index_xattrs(rec(&g, 0)))[1], 0);
	SPOIL(((unsigned char *)index_xattrs(rec(&g, 0)))[1], 5);
	SPOIL(((unsigned char *)index_xattrs(rec(&g, 0)))[1], 7);
	SPOIL(((unsigned char *)index_xattrs(rec(&g, 0)))[3], 255);
}

static void merge_refuses_an_index_of_other_data(void **state)
{
	struct merge_layer l;
	struct good g;
	uint64_t size;
	int fd = memfd_create("meta", MFD_CLOEXEC);

	(void)state;
	good_make(&g);
	l.index_fd = g.f.out[0].index_fd;
	l.data_size = g.f.out[0].data_size + 4096;
	assert_int_equal(rootfs_merge(&l, 1, fd, &size, &g.f.e), -1);
	assert_non_null(strstr(g.f.e.msg, "other data"));
	l.index_fd = g.f.out[0].data_fd;
	assert_int_equal(rootfs_merge(&l, 1, fd, &size, &g.f.e), -1);
	assert_non_null(strstr(g.f.e.msg, "not an index"));
	good_free(&g);
	close(fd);
}

static void merge_survives_an_index_that_shrinks(void **state)
{
	struct merge_layer l;
	struct good g;
	uint64_t size;
	int fd = memfd_create("meta", MFD_CLOEXEC);

	(void)state;
	good_make(&g);
	l.index_fd = g.f.out[0].index_fd;
	l.data_size = g.f.out[0].data_size;
	assert_int_equal(ftruncate(l.index_fd, 100), 0);
	assert_int_equal(rootfs_merge(&l, 1, fd, &size, &g.f.e), -1);
	good_free(&g);
	close(fd);
}

static void refuses_output_files_that_are_not_empty(void **state)
{
	struct layer_in in = { .name = "test" };
	struct layer_out out;
	struct err e = { 0 };

	(void)state;
	in.fd = blob_fd("", 0);
	out.data_fd = blob_fd("x", 1);
	out.index_fd = blob_fd("", 0);
	assert_int_equal(layer_convert(&in, &out, &e), -1);
	assert_non_null(strstr(e.msg, "not empty"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(index_of_the_reader_is_good),
		cmocka_unit_test(refuses_broken_headers),
		cmocka_unit_test(refuses_broken_lengths),
		cmocka_unit_test(refuses_broken_fields),
		cmocka_unit_test(refuses_content_outside_of_the_data_file),
		cmocka_unit_test(refuses_broken_names),
		cmocka_unit_test(refuses_dots_in_names),
		cmocka_unit_test(refuses_broken_xattrs),
		cmocka_unit_test(merge_refuses_an_index_of_other_data),
		cmocka_unit_test(merge_survives_an_index_that_shrinks),
		cmocka_unit_test(refuses_output_files_that_are_not_empty),
	};

	return cmocka_run_group_tests_name("layer_index", tests, NULL, NULL);
}
