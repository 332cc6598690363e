/* SPDX-License-Identifier: Apache-2.0 */
/* Imports of made-up kernels from files, packages and trees, and what the store makes of them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "kernel_fixture.h"
#include "stage0/config.h"
#include "stage0/kernel.h"
#include "stage0/kernel_config.h"
#include "stage0/kernel_import.h"
#include "stage0/kernel_store.h"

static char dir[] = "/tmp/vpod-test-import-XXXXXX";
static char *data, *input;

static int setup(void **state)
{
	(void)state;
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(dir));
	data = fs_join(dir, "data");
	input = fs_join(dir, "input");
	return 0;
}

static int teardown(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(fs_remove_tree(AT_FDCWD, dir, &e), 0);
	free(data);
	free(input);
	return 0;
}

static void put(const char *path, const void *p, size_t n)
{
	cleanup_free char *full = fs_join(input, path), *parent = xstrdup(full);
	struct err e;

	*strrchr(parent, '/') = '\0';
	assert_int_equal(fs_mkdir_p(parent, 0755, &e), 0);
	assert_int_equal(fs_write_atomic(AT_FDCWD, full, p, n, 0644, &e), 0);
}

static void put_vmlinux(const char *path, const char *banner)
{
	cleanup_sb struct strbuf v = STRBUF_INIT;

	fixture_vmlinux(&v, banner, strlen(banner), 500);
	put(path, v.buf, v.len);
}

static void put_module(const char *path, const char *info, size_t n)
{
	cleanup_sb struct strbuf m = STRBUF_INIT;

	fixture_module(&m, info, n);
	put(path, m.buf, m.len);
}

static int import(const char *name, cJSON **result, struct err *e)
{
	struct import_opts o = { .dir = data, .name = name, .source = input };

	*e = (struct err){ 0 };
	return kernel_import(&o, result, e);
}

static void assert_state(cJSON *result, const char *state)
{
	const char *s = "";
	struct err e;

	assert_int_equal(json_get_str(result, "state", &s, &e), 1);
	assert_string_equal(s, state);
	cJSON_Delete(result);
}

static void import_ok(const char *name, const char *state)
{
	cJSON *result = NULL;
	struct err e;

	if (import(name, &result, &e) < 0)
		fail_msg("%s", e.msg);
	assert_state(result, state);
}

static void import_fails(const char *why)
{
	cJSON *result = NULL;
	struct err e;

	assert_int_equal(import(NULL, &result, &e), -1);
	assert_null(result);
	if (!strstr(e.msg, why))
		fail_msg("\"%s\" is not in \"%s\"", why, e.msg);
}

/* Entries of the store, the lock apart. */
static unsigned nr_entries(void)
{
	cleanup_free char *path = kernel_store_path(data);
	cleanup_closedir DIR *d = opendir(path);
	struct dirent *de;
	unsigned n = 0;

	while (d && (de = readdir(d)))
		n += de->d_name[0] != '.' || !strncmp(de->d_name, ".tmp", 4);
	return n;
}

static void find(const char *name, struct kernel *k)
{
	struct config cfg = { .dir = data };
	struct err e = { 0 };

	kernel_free(k);
	if (kernel_find(&cfg, name, k, &e) < 0)
		fail_msg("%s", e.msg);
}

static void vmlinux_imports_replaces_and_stays(void **state)
{
	cleanup_kernel struct kernel k = { 0 };
	struct stat st;

	(void)state;
	put_vmlinux("vmlinux", "Linux version 6.9.1-vpod (x)");
	put("config", "CONFIG_A=y\nCONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y\n", 49);
	import_ok(NULL, "imported");
	import_ok(NULL, "unchanged");
	put("config", "CONFIG_B=y\n", 11);
	import_ok(NULL, "replaced");
	assert_int_equal(nr_entries(), 1);
	find(NULL, &k);
	assert_string_equal(k.name, "6.9.1-vpod");
	assert_true(k.is_tuned);
	assert_false(k.has_cmdline_mmio);
	assert_null(k.modules_cpio);
	assert_int_equal(stat(k.vmlinux, &st), 0);
	assert_int_equal(st.st_size, sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) + 28);
}

static void default_is_the_one_set_then_the_tuned_then_the_newest(void **state)
{
	cleanup_kernel struct kernel k = { 0 };
	struct err e = { 0 };
	int store, lock;

	(void)state;
	put_vmlinux("vmlinux", "Linux version 6.1.0-a (x)");
	import_ok("first", "imported");
	import_ok("second", "imported");
	find(NULL, &k);
	assert_string_equal(k.name, "second");
	put_vmlinux("vmlinux", "Linux version 6.1.0-vpod (x)");
	import_ok(NULL, "imported");
	put_vmlinux("vmlinux", "Linux version 6.2.0 (x)");
	import_ok(NULL, "imported");
	find(NULL, &k);
	assert_string_equal(k.name, "6.1.0-vpod");

	store = kernel_store_open(data, false, &e);
	lock = kernel_store_lock(store, &e);
	assert_true(lock >= 0);
	assert_int_equal(kernel_default_set(store, "none", &e), -1);
	assert_int_equal(kernel_default_set(store, "first", &e), 0);
	find(NULL, &k);
	assert_string_equal(k.name, "first");
	assert_int_equal(kernel_store_remove(store, "first", &e), 0);
	find(NULL, &k);
	assert_string_equal(k.name, "6.1.0-vpod");
	close(lock);
	close(store);
}

static void find_says_what_to_do(void **state)
{
	struct config cfg = { .dir = data };
	struct kernel k = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(kernel_find(&cfg, NULL, &k, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(e.hint, "vpod kernel import"));
	assert_int_equal(kernel_find(&cfg, "x", &k, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(kernel_find(&cfg, "../x", &k, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
}

static void names_are_plain(void **state)
{
	(void)state;
	assert_true(kernel_name_is_valid("6.12.117+deb12-cloud-amd64"));
	assert_false(kernel_name_is_valid("default"));
	assert_false(kernel_name_is_valid(".x"));
	assert_false(kernel_name_is_valid("-x"));
	assert_false(kernel_name_is_valid(""));
	assert_false(kernel_name_is_valid("a/b"));
	assert_false(kernel_name_is_valid("a b"));
}

#define R "6.1.0-d"
#define MODS "lib/modules/" R "/kernel/"

static void put_distro(const char *release)
{
	cleanup_free char *image = xasprintf("boot/vmlinuz-%s", release);
	cleanup_free char *banner = xasprintf("Linux version %s (x)", release);
	cleanup_free char *config = xasprintf("boot/config-%s", release);

	put_vmlinux(image, banner);
	put(config, "CONFIG_A=y\n", 11);
}

static void assert_modules(const char *name, const char *const *want)
{
	cleanup_kernel_info struct kernel_info info = { 0 };
	struct err e;
	cleanup_close int store = kernel_store_open(data, false, &e);
	size_t i;

	assert_int_equal(kernel_info_read(store, name, &info, &e), 0);
	for (i = 0; want[i]; i++) {
		assert_true(i < info.modules.nr_v);
		assert_string_equal(info.modules.v[i], want[i]);
	}
	assert_int_equal(info.modules.nr_v, i);
}

/* Dependencies first, each once, built-in ones left out, soft ones by algorithm; loops end. */
static void closure_is_in_load_order(void **state)
{
	static const char *const want[] = { "virtio_ring", "virtio_blk", "crc32c_intel",
					    "libcrc32c",   "erofs",	 "mbcache",
					    "ext4",	   NULL };

	(void)state;
	put_distro(R);
	put("lib/modules/" R "/modules.builtin", "kernel/drivers/virtio/virtio.ko\n", 32);
#define M(path, info) put_module(MODS path, info, sizeof(info))
	M("block/virtio_blk.ko", "depends=virtio,virtio-ring");
	M("virtio/virtio_ring.ko", "depends=virtio_blk");
	M("virtio/virtio.ko", "depends=");
	M("fs/erofs.ko", "depends=libcrc32c");
	M("lib/libcrc32c.ko", "softdep=pre: crc32c post: late");
	M("fs/late.ko", "depends=");
	M("arch/x86/crypto/crc32c-intel.ko", "alias=crc32c");
	M("crypto/crc32c_other.ko", "alias=other");
	M("fs/ext4.ko", "depends=gone,mbcache");
	M("fs/mbcache.ko", "depends=");
#undef M
	import_ok(NULL, "imported");
	assert_modules(R, want);
}

static void broken_module_in_the_closure_is_named(void **state)
{
	(void)state;
	put_distro(R);
	put(MODS "fs/erofs.ko", "garbage", 7);
	import_fails("cannot use modules/kernel/fs/erofs.ko: not a kernel module");
	put(MODS "fs/erofs.ko", "\x1f\x8b\x08garbage", 10);
	import_fails("cannot unpack kernel/fs/erofs.ko");
	assert_int_equal(nr_entries(), 0);
}

static void build_tree_is_understood(void **state)
{
	static const char *const want[] = { "erofs", "overlay", NULL };
	cleanup_kernel struct kernel k = { 0 };

	(void)state;
	put_vmlinux("vmlinux", "Linux version 6.5.0-mine (x)");
	put(".config", "CONFIG_A=y\n", 11);
	put("include/config/kernel.release", "6.5.0-mine\n", 11);
	put("modules.order", "fs/erofs/erofs.o\nkernel/fs/overlay.ko\n../../evil.ko\n", 52);
	put_module("fs/erofs/erofs.ko", "depends=", 9);
	put_module("fs/overlay.ko", "depends=", 9);
	import_ok(NULL, "imported");
	assert_modules("6.5.0-mine", want);
	find(NULL, &k);
	assert_non_null(k.modules_cpio);
}

static void two_kernels_in_a_tree_are_refused(void **state)
{
	(void)state;
	put_distro("6.1.0-a");
	put_distro("6.1.0-b");
	import_fails("it holds more than one kernel: 6.1.0-");
	assert_int_equal(nr_entries(), 0);
}

static void lone_image_takes_its_siblings(void **state)
{
	static const char *const want[] = { "erofs", NULL };
	char *whole = input;

	(void)state;
	put_distro(R);
	put_distro("6.1.0-other");
	put_module(MODS "fs/erofs.ko", "depends=", 9);
	input = fs_join(whole, "boot/vmlinuz-" R);
	import_ok(NULL, "imported");
	free(input);
	input = whole;
	assert_modules(R, want);
}

static void add_tar_entry(struct archive *a, const char *path, int type, const void *p, size_t n)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, (unsigned)type);
	archive_entry_set_perm(entry, 0644);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(entry, "/etc");
	else
		archive_entry_set_size(entry, (la_int64_t)n);
	assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
	if (n)
		assert_int_equal(archive_write_data(a, p, n), (la_ssize_t)n);
	archive_entry_free(entry);
}

/* A package whose one module has the path @module. */
static void put_deb(const char *module)
{
	static char tar[1 << 20], deb[1 << 20];
	cleanup_sb struct strbuf v = STRBUF_INIT, m = STRBUF_INIT;
	struct archive *a = archive_write_new();
	size_t tar_len = 0, deb_len = 0;
	struct err e;

	fixture_vmlinux(&v, "Linux version " R " (x)", 25, 0);
	fixture_module(&m, "depends=", 9);
	archive_write_add_filter_xz(a);
	archive_write_set_format_pax_restricted(a);
	archive_write_set_bytes_in_last_block(a, 1);
	assert_int_equal(archive_write_open_memory(a, tar, sizeof(tar), &tar_len), ARCHIVE_OK);
	add_tar_entry(a, "./boot/vmlinuz-" R, AE_IFREG, v.buf, v.len);
	add_tar_entry(a, "./lib/modules/" R "/kernel", AE_IFLNK, NULL, 0);
	add_tar_entry(a, module, AE_IFREG, m.buf, m.len);
	archive_write_close(a);
	archive_write_free(a);

	a = archive_write_new();
	archive_write_set_format_ar_svr4(a);
	archive_write_set_bytes_in_last_block(a, 1);
	assert_int_equal(archive_write_open_memory(a, deb, sizeof(deb), &deb_len), ARCHIVE_OK);
	add_tar_entry(a, "debian-binary", AE_IFREG, "2.0\n", 4);
	add_tar_entry(a, "data.tar.xz", AE_IFREG, tar, tar_len);
	archive_write_close(a);
	archive_write_free(a);
	assert_int_equal(fs_write_atomic(AT_FDCWD, input, deb, deb_len, 0644, &e), 0);
}

static void deb_imports(void **state)
{
	static const char *const want[] = { "erofs", NULL };

	(void)state;
	put_deb("./lib/modules/" R "/kernel/fs/erofs.ko");
	import_ok(NULL, "imported");
	assert_modules(R, want);
}

static void deb_cannot_write_outside_its_directory(void **state)
{
	(void)state;
	put_deb("./lib/modules/" R "/kernel/../../../../../tmp/vpod-evil.ko");
	import_fails("it holds a file with the path");
	put_deb("./lib/modules/" R "/kernel//x.ko");
	import_fails("it holds a file with the path");
	assert_int_equal(nr_entries(), 0);
}

static void truncated_deb_leaves_nothing(void **state)
{
	cleanup_sb struct strbuf whole = STRBUF_INIT;
	struct err e;
	size_t cut;

	(void)state;
	put_deb("./lib/modules/" R "/kernel/fs/erofs.ko");
	assert_int_equal(fs_read(AT_FDCWD, input, 1 << 20, &whole, &e), 0);
	/* ar pads, xz ends with an index that the last tar block does not need: not to the end */
	for (cut = 1; cut + 100 < whole.len; cut += 13) {
		assert_int_equal(truncate(input, 0), 0);
		assert_int_equal(fs_write_atomic(AT_FDCWD, input, whole.buf, cut, 0644, &e), 0);
		import_fails("cannot import ");
		assert_int_equal(nr_entries(), 0);
	}
}

static void stale_stage_is_removed_by_the_next_import(void **state)
{
	cleanup_free char *stale = fs_join(data, "kernels/.tmp-import/modules/kernel");
	struct err e;

	(void)state;
	assert_int_equal(fs_mkdir_p(stale, 0755, &e), 0);
	put_vmlinux("vmlinux", "Linux version 6.9.1 (x)");
	import_ok(NULL, "imported");
	assert_int_equal(nr_entries(), 1);
}

static void check_names_what_is_missing(void **state)
{
	cleanup_sb struct strbuf config = STRBUF_INIT;
	cleanup_kernel struct kernel k = { 0 };
	const struct kernel_need *n;
	struct err e = { 0 };

	(void)state;
	for (n = kernel_needs; n->symbol; n++) {
		if (strcmp(n->symbol, "VIRTIO_BLK") != 0)
			sb_addf(&config, "CONFIG_%s=y\n", n->symbol);
	}
	put_vmlinux("vmlinux", "Linux version 6.9.1 (x)");
	put("config", config.buf, config.len);
	import_ok("x", "imported");
	find("x", &k);
	assert_int_equal(kernel_check(&k, &e), -1);
	assert_string_equal(e.msg, "cannot run a pod on kernel x: CONFIG_VIRTIO_BLK is not set "
				   "(the root disks)");
	sb_adds(&config, "CONFIG_VIRTIO_BLK=y\n");
	put("config", config.buf, config.len);
	import_ok("x", "replaced");
	assert_int_equal(kernel_check(&k, &e), 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(vmlinux_imports_replaces_and_stays),
		test(default_is_the_one_set_then_the_tuned_then_the_newest),
		test(find_says_what_to_do),
		test(names_are_plain),
		test(closure_is_in_load_order),
		test(broken_module_in_the_closure_is_named),
		test(build_tree_is_understood),
		test(two_kernels_in_a_tree_are_refused),
		test(lone_image_takes_its_siblings),
		test(deb_imports),
		test(deb_cannot_write_outside_its_directory),
		test(truncated_deb_leaves_nothing),
		test(stale_stage_is_removed_by_the_next_import),
		test(check_names_what_is_missing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
