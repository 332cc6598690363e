/* SPDX-License-Identifier: Apache-2.0 */
/* What layers upon layers become. The same questions are put to umoci by tests/tools/umoci_diff.py
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/layer_index.h"
#include "tests/unit/layer_fixture.h"

#define LAYERS(...) ((const struct ent *const[]){ __VA_ARGS__, NULL })
#define LAYER(...) ((const struct ent[]){ __VA_ARGS__, { 0 } })
#define DIR '5'
#define SYM '2'
#define HARD '1'

static void whiteout_hides_a_lower_file(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "d", DIR }, { "d/a" }, { "d/b" }), LAYER({ "d/.wh.a" })));
	assert_absent(&f, "d/a");
	node_at(&f, "d/b");
	fixture_free(&f);
}

static void whiteout_hides_a_lower_directory_with_its_content(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "d", DIR }, { "d/s", DIR }, { "d/s/x" }, { "e" }),
				 LAYER({ ".wh.d" }), LAYER({ "d/new" })));
	assert_absent(&f, "d/s");
	node_at(&f, "d/new");
	node_at(&f, "e");
	fixture_free(&f);
}

static void whiteout_spares_its_own_layer_in_any_order(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "x", .data = "old" }, { "y", .data = "old" }),
				 LAYER({ "x", .data = "new" }, { ".wh.x" }, { ".wh.y" },
				       { "y", .data = "new" })));
	assert_content(&f, "x", "new");
	assert_content(&f, "y", "new");
	fixture_free(&f);
}

static void opaque_hides_only_lower_content_in_any_order(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "d", DIR }, { "d/old" }, { "d/s", DIR }, { "d/s/old" }),
				 LAYER({ "d/before" }, { "d/s/before" }, { "d/.wh..wh..opq" },
				       { "d/behind" })));
	assert_absent(&f, "d/old");
	assert_absent(&f, "d/s/old");
	node_at(&f, "d/before");
	node_at(&f, "d/s/before");
	node_at(&f, "d/behind");
	fixture_free(&f);
}

static void opaque_root_hides_all_below(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "a" }, { "d/b" }), LAYER({ ".wh..wh..opq" }, { "c" })));
	assert_absent(&f, "a");
	assert_absent(&f, "d");
	node_at(&f, "c");
	fixture_free(&f);
}

static void whiteout_of_what_is_not_there_is_nothing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "a" }, { "loop", SYM, .link = "loop" }),
				 LAYER({ ".wh.b" }, { "no/.wh.b" }, { "a/.wh.b" }, { "loop/.wh.b" },
				       { "no/.wh..wh..opq" })));
	node_at(&f, "a");
	assert_absent(&f, "no");
	fixture_free(&f);
}

static void whiteout_follows_a_symlinked_parent_within_the_root(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "usr/bin/tool" }, { "usr/bin/keep" },
				       { "bin", SYM, .link = "/../usr/bin" }),
				 LAYER({ "bin/.wh.tool" }), LAYER({ ".wh.bin" })));
	assert_absent(&f, "usr/bin/tool");
	node_at(&f, "usr/bin/keep");
	assert_absent(&f, "bin");
	fixture_free(&f);
}

static void aufs_metadata_is_ignored(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f,
		      LAYERS(LAYER({ ".wh..wh.aufs" }, { ".wh..wh.plnk", DIR },
				   { ".wh..wh.plnk/1.2" }, { "d/.wh..wh.orph", DIR }, { "x" })));
	assert_int_equal(erofs_check(&f.img, &f.e), 1);
	node_at(&f, "x");
	fixture_free(&f);
}

static void hard_links_share_an_inode_across_layers(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "a", .data = "A" }, { "b", HARD, .link = "./a" }),
				 LAYER({ "c", HARD, .link = "b" }, { "x", DIR },
				       { "d", HARD, .link = "/../x/../c" }),
				 LAYER({ "a", .data = "other" })));
	assert_int_equal(node_at(&f, "b").nr_links, 3);
	assert_int_equal(node_at(&f, "b").nid, node_at(&f, "c").nid);
	assert_int_equal(node_at(&f, "b").nid, node_at(&f, "d").nid);
	assert_int_equal(node_at(&f, "a").nr_links, 1);
	assert_content(&f, "d", "A");
	assert_content(&f, "a", "other");
	fixture_free(&f);
}

static void hard_link_to_a_symlink_links_the_symlink(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "s", SYM, .link = "/etc/passwd" },
				       { "h", HARD, .link = "s", .mode = 0777 })));
	assert_true(S_ISLNK(node_at(&f, "h").mode));
	assert_content(&f, "h", "/etc/passwd");
	assert_int_equal(node_at(&f, "h").nr_links, 2);
	fixture_free(&f);
}

static void hard_link_upon_itself_changes_nothing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "a", .data = "A" }, { "a", HARD, .link = "a" }),
				 LAYER({ "a", HARD, .link = "a" })));
	assert_int_equal(node_at(&f, "a").nr_links, 1);
	assert_content(&f, "a", "A");
	fixture_free(&f);
}

static void hard_link_may_replace_the_directory_of_its_target(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "d/e/f", .data = "F" }, { "d/g" },
				       { "d", HARD, .link = "d/e/f" })));
	assert_content(&f, "d", "F");
	assert_int_equal(node_at(&f, "d").nr_links, 1);
	fixture_free(&f);
}

static void hard_link_payload_is_skipped(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "a", .data = "A" },
				       { "h", HARD, .link = "a", .data = "payload",
					 .pax = "16 comment=hello\n" },
				       { "z", .data = "Z" })));
	assert_content(&f, "h", "A");
	assert_content(&f, "z", "Z");
	fixture_free(&f);
}

static void names_through_symlinks_stay_in_the_root(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f,
		      LAYERS(LAYER({ "up", SYM, .link = "../../../../../.." },
				   { "abs", SYM, .link = "/etc" }, { "etc", DIR },
				   { "p", SYM, .link = "/proc/self/root" }),
			     LAYER({ "up/one" }, { "abs/two" }, { "up/abs/three" }, { "p/four" })));
	node_at(&f, "one");
	node_at(&f, "etc/two");
	node_at(&f, "etc/three");
	node_at(&f, "proc/self/root/four");
	fixture_free(&f);
}

static void made_up_parents_are_plain_directories(void **state)
{
	struct erofs_node node;
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "a/b/c" })));
	node = node_at(&f, "a/b");
	assert_int_equal(node.mode, S_IFDIR | 0755);
	assert_int_equal(node.uid, 0);
	assert_int_equal(node.mtime, 0);
	assert_false(node.is_extended);
	fixture_free(&f);
}

static void later_entries_describe_made_up_parents(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "a/b" }, { "a", DIR, .mode = 0700, .uid = 5 },
				       { ".", DIR, .mode = 0711 })));
	assert_int_equal(node_at(&f, "a").mode, S_IFDIR | 0700);
	assert_int_equal(node_at(&f, "a").uid, 5);
	assert_int_equal(node_at(&f, "").mode, S_IFDIR | 0711);
	node_at(&f, "a/b");
	fixture_free(&f);
}

static void last_entry_of_a_name_wins(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "x", .data = "1" }, { "x", .data = "22" }, { "y", DIR },
				       { "y/in" }, { "y", .data = "file" }, { "z", .data = "z" },
				       { "z", SYM, .link = "x" }, { "w", '6' }, { "w", DIR })));
	assert_content(&f, "x", "22");
	assert_content(&f, "y", "file");
	assert_content(&f, "z", "x");
	assert_true(S_ISDIR(node_at(&f, "w").mode));
	fixture_free(&f);
}

static void directories_and_files_replace_each_other_across_layers(void **state)
{
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "a", .data = "file" }, { "b", DIR }, { "b/in" },
				       { "c", SYM, .link = "b" }, { "d", DIR }, { "d/keep" }),
				 LAYER({ "a", DIR }, { "a/in" }, { "b", .data = "file" },
				       { "c", DIR }, { "c/own" }, { "d", DIR, .mode = 0700 })));
	node_at(&f, "a/in");
	assert_content(&f, "b", "file");
	node_at(&f, "c/own");
	node_at(&f, "d/keep");
	assert_int_equal(node_at(&f, "d").mode, S_IFDIR | 0700);
	fixture_free(&f);
}

static void device_nodes_and_fifos_keep_their_numbers(void **state)
{
	struct fixture f;
	uint32_t rdev;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "null", '3', .major = 1, .minor = 3 },
				       { "sda", '4', .major = 8, .minor = 300, .mode = 0660 },
				       { "zero", '3' }, { "pipe", '6' })));
	assert_true(S_ISCHR(node_at(&f, "null").mode));
	assert_true(index_rdev(1, 3, &rdev));
	assert_int_equal(node_at(&f, "null").rdev, rdev);
	assert_true(index_rdev(8, 300, &rdev));
	assert_int_equal(node_at(&f, "sda").rdev, rdev);
	/* overlayfs takes 0:0 for a whiteout: the guest sees nothing there. We keep what is said.
	 */
	assert_true(S_ISCHR(node_at(&f, "zero").mode));
	assert_true(S_ISFIFO(node_at(&f, "pipe").mode));
	fixture_free(&f);
}

static void modes_owners_and_times_are_kept(void **state)
{
	struct erofs_node n;
	struct fixture f;

	(void)state;
	fixture_build(&f, LAYERS(LAYER({ "suid", .mode = 06755, .uid = 1, .gid = 2 },
				       { "sticky", DIR, .mode = 01777 },
				       { "high", .uid = 4294967294, .gid = 70000 },
				       { "odd", .mode = 0100644 | 0200000 }, { "neg", .mtime = -5 },
				       { "far", .mtime = 1LL << 40 },
				       { "frac", .pax = "30 mtime=1700000000.123456789\n" })));
	n = node_at(&f, "suid");
	assert_int_equal(n.mode, S_IFREG | 06755);
	assert_int_equal(n.uid, 1);
	assert_int_equal(n.gid, 2);
	assert_int_equal(node_at(&f, "sticky").mode, S_IFDIR | 01777);
	assert_int_equal(node_at(&f, "high").uid, 4294967294u);
	assert_int_equal(node_at(&f, "high").gid, 70000);
	assert_int_equal(node_at(&f, "odd").mode, S_IFREG | 0644);
	assert_int_equal(node_at(&f, "neg").mtime, -5);
	assert_int_equal(node_at(&f, "far").mtime, 1LL << 40);
	assert_int_equal(node_at(&f, "frac").mtime, 1700000000);
	assert_int_equal(node_at(&f, "frac").mtime_nsec, 123456789);
	fixture_free(&f);
}

/* Extended attributes */

static void add_xattr(struct strbuf *b, const char *name, const void *value, size_t n)
{
	char key[300] = "SCHILY.xattr.";

	strncat(key, name, sizeof(key) - 20);
	pax_record(b, key, value, n);
}

static void xattrs_are_kept_as_bytes(void **state)
{
	struct strbuf pax = STRBUF_INIT;
	struct erofs_node n;
	struct fixture f;
	size_t len;

	(void)state;
	add_xattr(&pax, "user.zero", "a\0b", 3);
	add_xattr(&pax, "user.empty", "", 0);
	add_xattr(&pax, "security.capability", "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	add_xattr(&pax, "system.posix_acl_access", "\2\0\0\0", 4);
	add_xattr(&pax, "trusted.t", "t", 1);
	fixture_build(&f, LAYERS(LAYER({ "x", .pax = pax.buf, .pax_len = pax.len })));
	n = node_at(&f, "x");
	assert_memory_equal(erofs_xattr(&n, 1, "zero", &len), "a\0b", 3);
	assert_int_equal(len, 3);
	assert_non_null(erofs_xattr(&n, 1, "empty", &len));
	assert_int_equal(len, 0);
	assert_non_null(erofs_xattr(&n, 6, "capability", &len));
	assert_int_equal(len, 20);
	assert_non_null(erofs_xattr(&n, 2, "", &len));
	assert_non_null(erofs_xattr(&n, 4, "t", &len));
	fixture_free(&f);
	sb_free(&pax);
}

static void overlay_marks_and_foreign_xattrs_are_dropped(void **state)
{
	struct strbuf pax = STRBUF_INIT;
	struct erofs_node n;
	struct fixture f;

	(void)state;
	add_xattr(&pax, "trusted.overlay.opaque", "y", 1);
	add_xattr(&pax, "trusted.overlay.redirect", "/etc", 4);
	add_xattr(&pax, "user.overlay.opaque", "y", 1);
	add_xattr(&pax, "com.apple.quarantine", "x", 1);
	add_xattr(&pax, "system.other", "x", 1);
	fixture_build(&f, LAYERS(LAYER({ "d", DIR, .pax = pax.buf, .pax_len = pax.len })));
	n = node_at(&f, "d");
	assert_int_equal(n.xattr_len, 0);
	fixture_free(&f);
	sb_free(&pax);
}

static void xattrs_of_a_later_entry_replace_all(void **state)
{
	struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;
	struct erofs_node n;
	struct fixture f;
	size_t len;

	(void)state;
	add_xattr(&a, "user.old", "1", 1);
	add_xattr(&b, "user.new", "1", 1);
	add_xattr(&b, "user.new", "2", 1);
	fixture_build(&f,
		      LAYERS(LAYER({ "d", DIR, .pax = a.buf }), LAYER({ "d", DIR, .pax = b.buf })));
	n = node_at(&f, "d");
	assert_null(erofs_xattr(&n, 1, "old", &len));
	assert_memory_equal(erofs_xattr(&n, 1, "new", &len), "2", 1);
	fixture_free(&f);
	sb_free(&a);
	sb_free(&b);
}

static void large_xattrs_are_kept_up_to_64_kib(void **state)
{
	static char value[65536];
	struct strbuf pax = STRBUF_INIT;
	struct erofs_node n;
	struct fixture f;
	size_t len;

	(void)state;
	memset(value, 'v', sizeof(value));
	add_xattr(&pax, "user.big", value, 65000);
	fixture_build(&f, LAYERS(LAYER({ "x", .pax = pax.buf }, { "d", DIR, .pax = pax.buf },
				       { "d/in" }, { "l", SYM, .link = "t", .pax = pax.buf })));
	n = node_at(&f, "d");
	assert_memory_equal(erofs_xattr(&n, 1, "big", &len), value, 65000);
	assert_int_equal(len, 65000);
	node_at(&f, "d/in");
	assert_content(&f, "l", "t");
	fixture_free(&f);
	add_xattr(&pax, "user.more", value, 1000);
	assert_non_null(strstr(fixture_refusal(&f, LAYER({ "x", .pax = pax.buf })), "too large"));
	fixture_free(&f);
	sb_free(&pax);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whiteout_hides_a_lower_file),
		cmocka_unit_test(whiteout_hides_a_lower_directory_with_its_content),
		cmocka_unit_test(whiteout_spares_its_own_layer_in_any_order),
		cmocka_unit_test(opaque_hides_only_lower_content_in_any_order),
		cmocka_unit_test(opaque_root_hides_all_below),
		cmocka_unit_test(whiteout_of_what_is_not_there_is_nothing),
		cmocka_unit_test(whiteout_follows_a_symlinked_parent_within_the_root),
		cmocka_unit_test(aufs_metadata_is_ignored),
		cmocka_unit_test(hard_links_share_an_inode_across_layers),
		cmocka_unit_test(hard_link_to_a_symlink_links_the_symlink),
		cmocka_unit_test(hard_link_upon_itself_changes_nothing),
		cmocka_unit_test(hard_link_may_replace_the_directory_of_its_target),
		cmocka_unit_test(hard_link_payload_is_skipped),
		cmocka_unit_test(names_through_symlinks_stay_in_the_root),
		cmocka_unit_test(made_up_parents_are_plain_directories),
		cmocka_unit_test(later_entries_describe_made_up_parents),
		cmocka_unit_test(last_entry_of_a_name_wins),
		cmocka_unit_test(directories_and_files_replace_each_other_across_layers),
		cmocka_unit_test(device_nodes_and_fifos_keep_their_numbers),
		cmocka_unit_test(modes_owners_and_times_are_kept),
		cmocka_unit_test(xattrs_are_kept_as_bytes),
		cmocka_unit_test(overlay_marks_and_foreign_xattrs_are_dropped),
		cmocka_unit_test(xattrs_of_a_later_entry_replace_all),
		cmocka_unit_test(large_xattrs_are_kept_up_to_64_kib),
	};

	return cmocka_run_group_tests_name("layer_merge", tests, NULL, NULL);
}
