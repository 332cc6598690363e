/* SPDX-License-Identifier: Apache-2.0 */
/* What a layer must not hold, each with its message; and the twins that are fine. threats.md 2.2 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/layer_fixture.h"

/* One entry that is refused with a message that contains @why, and one that is taken. */
static void refuses(const struct ent *bad, const char *why, const struct ent *good)
{
	const struct ent bads[] = { *bad, { 0 } }, goods[] = { good ? *good : *bad, { 0 } };
	const struct ent *layers[] = { goods, NULL };
	struct fixture f;

	if (!strstr(fixture_refusal(&f, bads), why))
		fail_msg("expected \"%s\", got: %s", why, f.e.msg);
	assert_non_null(strstr(f.e.msg, "cannot "));
	fixture_free(&f);
	if (!good)
		return;
	fixture_build(&f, layers);
	fixture_free(&f);
}

#define BAD(...) (&(const struct ent){ __VA_ARGS__ })
#define GOOD BAD

static void refuses_dotdot_in_names(void **state)
{
	(void)state;
	refuses(BAD("../x"), "contains \"..\"", GOOD("..x"));
	refuses(BAD("a/../../x"), "contains \"..\"", GOOD("a/.../x"));
	refuses(BAD("a/../x"), "contains \"..\"", GOOD("a/..x/x"));
	refuses(BAD("./.././x", '5'), "contains \"..\"", GOOD("./././x", '5'));
	refuses(BAD("x/..", '5'), "contains \"..\"", GOOD("x/.", '5'));
	refuses(BAD("../", '5'), "contains \"..\"", GOOD("./", '5'));
}

static void refuses_absolute_names(void **state)
{
	(void)state;
	refuses(BAD("/abs"), "absolute", GOOD("abs"));
	refuses(BAD("//abs"), "absolute", GOOD(".//abs"));
	refuses(BAD("/x", '5'), "absolute", GOOD("/", '5'));
}

static void refuses_entries_without_a_name(void **state)
{
	(void)state;
	refuses(BAD(""), "no name", NULL);
}

static void refuses_a_root_that_is_no_directory(void **state)
{
	(void)state;
	refuses(BAD(".", '2', .link = "/etc"), "root must stay", GOOD(".", '5'));
	refuses(BAD("./.", '0'), "root must stay", GOOD("./x", '0'));
	refuses(BAD(".", '1', .link = "x"), "root must stay", NULL);
	refuses(BAD(".", '3', .major = 1, .minor = 3), "root must stay", NULL);
}

static void refuses_names_longer_than_linux_has(void **state)
{
	char part[257], *path = malloc(4200);
	size_t n;

	(void)state;
	memset(part, 'p', 256);
	part[256] = '\0';
	refuses(BAD(part), "longer than 255", GOOD(part + 1));
	for (n = 0; n < 4100; n++)
		path[n] = n % 2 ? '/' : 'd';
	path[4097] = '\0';
	refuses(BAD(path), "longer than 4095", NULL);
	/* 2047 directories deep is what PATH_MAX allows. */
	refuses(BAD(path), "longer than 4095", GOOD(path + 2));
	free(path);
}

static void refuses_whiteouts_of_nothing(void **state)
{
	(void)state;
	refuses(BAD(".wh."), "whiteout must name", GOOD(".wh.x"));
	refuses(BAD(".wh.."), "whiteout must name", GOOD(".wh..x"));
	refuses(BAD(".wh..."), "whiteout must name", GOOD(".wh...."));
	refuses(BAD("a/.wh."), "whiteout must name", GOOD("a/.wh.a"));
	refuses(BAD(".wh.a/b"), "nothing beneath", GOOD("wh.a/b"));
}

static void refuses_owners_that_files_cannot_have(void **state)
{
	(void)state;
	refuses(BAD("x", .uid = 4294967295), "owner", GOOD("x", .uid = 4294967294));
	refuses(BAD("x", .gid = 4294967295), "owner", GOOD("x", .gid = 4294967294));
	refuses(BAD("x", .uid = 4294967296), "owner", GOOD("x", .uid = 2147483648));
	refuses(BAD("x", .uid = -1), "owner", GOOD("x", .uid = 70000));
	refuses(BAD("x", .gid = -1000), "owner", NULL);
}

static void refuses_links_to_nothing(void **state)
{
	(void)state;
	refuses(BAD("x", '2'), "links to nothing", GOOD("x", '2', .link = "y"));
	refuses(BAD("x", '1', .link = "y"), "No such file", NULL);
	refuses(BAD("x", '1', .link = "."), "hard link to a directory", NULL);
	refuses(BAD("x", '1', .link = "../.."), "hard link to a directory", NULL);
	refuses(BAD("x", '1', .link = "no/dir"), "No such file", NULL);
}

static void refuses_long_link_targets(void **state)
{
	char *target = malloc(4200);

	(void)state;
	memset(target, 'a', 4096);
	target[4096] = '\0';
	refuses(BAD("x", '2', .link = target), "longer than 4095",
		GOOD("x", '2', .link = target + 1));
	free(target);
}

static void refuses_device_numbers_out_of_range(void **state)
{
	(void)state;
	refuses(BAD("x", '3', .major = 4096), "device number", GOOD("x", '3', .major = 4095));
	refuses(BAD("x", '4', .minor = 1048576), "device number", GOOD("x", '4', .minor = 1048575));
}

static void refuses_hard_links_to_directories(void **state)
{
	const struct ent ents[] = { { "d", '5' }, { "h", '1', .link = "d" }, { 0 } };
	struct fixture f;

	(void)state;
	assert_non_null(strstr(fixture_refusal(&f, ents), "hard link to a directory"));
	fixture_free(&f);
}

static void refuses_files_below_files(void **state)
{
	const struct ent ents[] = { { "file" }, { "file/child" }, { 0 } };
	const struct ent by_link[] = { { "file" }, { "l", '2', .link = "file" }, { "l/c" }, { 0 } };
	struct fixture f;

	(void)state;
	assert_non_null(strstr(fixture_refusal(&f, ents), "Not a directory"));
	fixture_free(&f);
	assert_non_null(strstr(fixture_refusal(&f, by_link), "Not a directory"));
	fixture_free(&f);
}

static void refuses_symlink_loops_in_paths(void **state)
{
	const struct ent loop[] = {
		{ "a", '2', .link = "b" }, { "b", '2', .link = "a" }, { "a/x" }, { 0 }
	};
	struct ent chain[44] = { { 0 } };
	char names[42][8];
	struct fixture f;
	unsigned n;

	(void)state;
	assert_non_null(strstr(fixture_refusal(&f, loop), "Too many levels"));
	fixture_free(&f);
	/* T43: 41 links in a row are one too many, as for the kernel. */
	for (n = 0; n < 42; n++)
		snprintf(names[n], sizeof(names[n]), "l%u", n);
	for (n = 0; n < 41; n++)
		chain[n] = (struct ent){ names[n], '2', .link = n ? names[n - 1] : "end" };
	chain[41] = (struct ent){ "l40/x" };
	assert_non_null(strstr(fixture_refusal(&f, chain), "Too many levels"));
	fixture_free(&f);
	chain[41] = (struct ent){ "l39/x" };
	fixture_build(&f, (const struct ent *const[]){ chain, NULL });
	node_at(&f, "end/x");
	fixture_free(&f);
}

/* 39 links of 2000 steps each, followed for every file: without a bound, minutes for a small tar.
 */
static void refuses_mazes_of_symlinks(void **state)
{
	cleanup_sb struct strbuf tar = STRBUF_INIT, target = STRBUF_INIT;
	struct fixture f = { 0 };
	char name[32];
	unsigned n;

	(void)state;
	for (n = 0; n < 39; n++) {
		struct ent ent = { name, '2' };
		unsigned k;

		snprintf(name, sizeof(name), "l%u", n);
		sb_reset(&target);
		for (k = 0; k < 2000; k++)
			sb_adds(&target, "./");
		if (n)
			sb_addf(&target, "l%u", n - 1);
		else
			sb_adds(&target, "d");
		ent.link = target.buf;
		tar_add(&tar, &ent);
	}
	for (n = 0; n < 5000; n++) {
		struct ent ent = { name };

		snprintf(name, sizeof(name), "l38/f%u", n);
		tar_add(&tar, &ent);
	}
	tar_end(&tar);
	assert_int_equal(fixture_convert(&f, tar.buf, tar.len, LAYER_TAR), 0);
	assert_int_equal(fixture_merge(&f), -1);
	assert_non_null(strstr(f.e.msg, "too long to follow"));
	fixture_free(&f);
}

/* Bytes that are no layer */

static void refuses_bytes(const void *p, size_t n, enum layer_compression c, const char *why)
{
	struct fixture f = { 0 };

	assert_int_equal(fixture_convert(&f, p, n, c), -1);
	if (!strstr(f.e.msg, why))
		fail_msg("expected \"%s\", got: %s", why, f.e.msg);
	fixture_free(&f);
}

static void refuses_what_is_not_a_tar(void **state)
{
	char zip[2048] = "PK\3\4", cpio[2048] = "070701";

	(void)state;
	memset(zip + 4, 'z', 2000);
	memset(cpio + 6, '0', 2000);
	refuses_bytes(zip, sizeof(zip), LAYER_TAR, "cannot read the tar");
	refuses_bytes(cpio, sizeof(cpio), LAYER_TAR, "cannot read the tar");
	refuses_bytes(zip, sizeof(zip), LAYER_GZIP, "broken gzip");
	refuses_bytes(zip, sizeof(zip), LAYER_ZSTD, "broken zstd");
	refuses_bytes("", 0, LAYER_GZIP, "cut short");
	refuses_bytes("", 0, LAYER_ZSTD, "cut short");
}

static void refuses_a_tar_cut_short(void **state)
{
	const struct ent ent = { "file", .data = "0123456789" };
	struct strbuf b = STRBUF_INIT;

	(void)state;
	tar_add(&b, &ent);
	/* 600 would only lack padding, which umoci insert leaves out: that is taken. */
	refuses_bytes(b.buf, 515, LAYER_TAR, "cannot read the tar");
	refuses_bytes(b.buf, 300, LAYER_TAR, "cannot read the tar");
	sb_free(&b);
}

static void refuses_a_size_beyond_the_end(void **state)
{
	struct strbuf b = STRBUF_INIT;
	const struct ent ent = { "file", .data = "x", .size = 1 };

	(void)state;
	tar_add(&b, &ent);
	/* 8 EiB of content are declared, by base-256; the checksum is made good again. */
	memset(b.buf + 124, 0xff, 12);
	memset(b.buf + 148, ' ', 8);
	{
		unsigned sum = 0, i;

		for (i = 0; i < 512; i++)
			sum += (unsigned char)b.buf[i];
		snprintf(b.buf + 148, 8, "%06o", sum);
	}
	refuses_bytes(b.buf, b.len, LAYER_TAR, "cannot ");
	sb_free(&b);
}

static void escapes_hostile_names_in_messages(void **state)
{
	struct fixture f;

	(void)state;
	fixture_refusal(&f, (const struct ent[]){ { "/\x1b[31mred\n" }, { 0 } });
	assert_null(strchr(f.e.msg, '\x1b'));
	assert_null(strchr(f.e.msg, '\n'));
	assert_non_null(strstr(f.e.msg, "\\x1b"));
	fixture_free(&f);
}

static void reports_another_digest(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct layer_in in = { .name = "test", .compression = LAYER_TAR };
	struct layer_out out;
	struct fixture f = { 0 };
	struct err e = { 0 };

	(void)state;
	tar_make(&b, (const struct ent[]){ { "x" }, { 0 } });
	memset(in.diff_id.hex, 'a', DIGEST_HEX_LEN);
	in.fd = blob_fd(b.buf, b.len);
	fixture_convert(&f, b.buf, b.len, LAYER_TAR);
	out.data_fd = blob_fd("", 0);
	out.index_fd = blob_fd("", 0);
	assert_int_equal(layer_convert(&in, &out, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_non_null(strstr(e.msg, f.out[0].diff_id.hex));
	assert_non_null(strstr(e.msg, in.diff_id.hex));
	fixture_free(&f);
	sb_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_dotdot_in_names),
		cmocka_unit_test(refuses_absolute_names),
		cmocka_unit_test(refuses_entries_without_a_name),
		cmocka_unit_test(refuses_a_root_that_is_no_directory),
		cmocka_unit_test(refuses_names_longer_than_linux_has),
		cmocka_unit_test(refuses_whiteouts_of_nothing),
		cmocka_unit_test(refuses_owners_that_files_cannot_have),
		cmocka_unit_test(refuses_links_to_nothing),
		cmocka_unit_test(refuses_long_link_targets),
		cmocka_unit_test(refuses_device_numbers_out_of_range),
		cmocka_unit_test(refuses_hard_links_to_directories),
		cmocka_unit_test(refuses_files_below_files),
		cmocka_unit_test(refuses_symlink_loops_in_paths),
		cmocka_unit_test(refuses_mazes_of_symlinks),
		cmocka_unit_test(refuses_what_is_not_a_tar),
		cmocka_unit_test(refuses_a_tar_cut_short),
		cmocka_unit_test(refuses_a_size_beyond_the_end),
		cmocka_unit_test(escapes_hostile_names_in_messages),
		cmocka_unit_test(reports_another_digest),
	};

	return cmocka_run_group_tests_name("layer_refuse", tests, NULL, NULL);
}
