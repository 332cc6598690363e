/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_fixture.h"
#include "stage0/kernel_elf.h"
#include "stage0/kernel_image.h"
#include "stage0/kernel_unpack.h"

static struct bytes bytes_of(const struct strbuf *b)
{
	return (struct bytes){ (const uint8_t *)b->buf, b->len };
}

static void compress(struct strbuf *out, const void *p, size_t n, int (*filter)(struct archive *a))
{
	struct archive_entry *entry = archive_entry_new();
	struct archive *a = archive_write_new();
	static char buf[1 << 20];
	size_t used = 0;

	assert_int_equal(filter(a), ARCHIVE_OK);
	assert_int_equal(archive_write_set_format_raw(a), ARCHIVE_OK);
	archive_write_set_bytes_per_block(a, 1);
	assert_int_equal(archive_write_open_memory(a, buf, sizeof(buf), &used), ARCHIVE_OK);
	archive_entry_set_filetype(entry, AE_IFREG);
	assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, p, n), (la_ssize_t)n);
	archive_write_close(a);
	archive_write_free(a);
	archive_entry_free(entry);
	sb_add(out, buf, used);
}

static void make_bzimage(struct strbuf *out, const struct strbuf *vmlinux,
			 int (*filter)(struct archive *a), uint32_t size)
{
	cleanup_sb struct strbuf payload = STRBUF_INIT;

	compress(&payload, vmlinux->buf, vmlinux->len, filter);
	if (filter != archive_write_add_filter_gzip)
		sb_add(&payload, &size, sizeof(size));
	fixture_bzimage(out, "6.9.9-test (a@b) #1 SMP", payload.buf, payload.len);
}

static const struct {
	const char *name;
	int (*filter)(struct archive *a);
} filters[] = {
	{ "gzip", archive_write_add_filter_gzip }, { "xz", archive_write_add_filter_xz },
	{ "zstd", archive_write_add_filter_zstd }, { "bzip2", archive_write_add_filter_bzip2 },
	{ "lzma", archive_write_add_filter_lzma },
};

#define NR_FILTERS (sizeof(filters) / sizeof(filters[0]))

static void bzimage_of_each_compression_unpacks(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < NR_FILTERS; i++) {
		cleanup_sb struct strbuf elf = STRBUF_INIT, image = STRBUF_INIT;
		cleanup_blob struct blob out = { 0 };
		struct err e = { 0 };

		fixture_vmlinux(&elf, "payload", 7, 100000);
		make_bzimage(&image, &elf, filters[i].filter, (uint32_t)elf.len);
		if (bzimage_unpack(bytes_of(&image), filters[i].name, &out, &e) < 0)
			fail_msg("%s", e.msg);
		assert_int_equal(out.len, elf.len);
		assert_memory_equal(out.p, elf.buf, elf.len);
	}
}

static void bzimage_truncated_anywhere_is_an_error(void **state)
{
	size_t i, cut;

	(void)state;
	for (i = 0; i < NR_FILTERS; i++) {
		cleanup_sb struct strbuf elf = STRBUF_INIT, image = STRBUF_INIT;

		fixture_vmlinux(&elf, "payload", 7, 3000);
		make_bzimage(&image, &elf, filters[i].filter, (uint32_t)elf.len);
		for (cut = 0; cut < image.len; cut += 7) {
			cleanup_blob struct blob out = { 0 };
			struct bytes part = { (uint8_t *)image.buf, cut };
			struct err e = { 0 };

			assert_int_equal(bzimage_unpack(part, "x", &out, &e), -1);
			assert_true(e.msg[0]);
			assert_null(out.p);
		}
	}
}

static void bzimage_with_wrong_size_is_an_error(void **state)
{
	cleanup_sb struct strbuf elf = STRBUF_INIT, image = STRBUF_INIT;
	struct err e = { 0 };
	struct blob out;

	(void)state;
	fixture_vmlinux(&elf, "payload", 7, 100);
	make_bzimage(&image, &elf, archive_write_add_filter_xz, (uint32_t)elf.len + 1);
	assert_int_equal(bzimage_unpack(bytes_of(&image), "x", &out, &e), -1);
	assert_non_null(strstr(e.msg, "promises"));
}

static void bzimage_of_unknown_compression_is_named(void **state)
{
	cleanup_sb struct strbuf image = STRBUF_INIT;
	struct err e = { 0 };
	struct blob out;

	(void)state;
	fixture_bzimage(&image, "6.1", "\x89LZO\0\1\2\3\4\5\6\7", 12);
	assert_int_equal(bzimage_unpack(bytes_of(&image), "x", &out, &e), -1);
	assert_string_equal(e.msg, "cannot unpack x: unknown compression (89 4c 5a 4f)");
}

static void more_than_the_bound_does_not_unpack(void **state)
{
	cleanup_sb struct strbuf zeros = STRBUF_INIT, packed = STRBUF_INIT;
	struct err e = { 0 };
	struct blob out;
	size_t i;

	(void)state;
	for (i = 0; i < 100000; i++)
		sb_addc(&zeros, 'z');
	compress(&packed, zeros.buf, zeros.len, archive_write_add_filter_gzip);
	assert_int_equal(unpack_bytes(bytes_of(&packed), 99999, "x", &out, &e), -1);
	assert_non_null(strstr(e.msg, "more than 99999 bytes"));
	assert_int_equal(unpack_bytes(bytes_of(&packed), 100000, "x", &out, &e), 0);
	blob_free(&out);
}

static void release_comes_from_header_and_banner(void **state)
{
	cleanup_sb struct strbuf image = STRBUF_INIT;
	static const char text[] = "Linux version %s\nLinux version 6.1.0-5+x-amd64 (a@b)";
	struct bytes in = { (const uint8_t *)text, sizeof(text) };
	char release[KERNEL_RELEASE_MAX + 1];

	(void)state;
	fixture_bzimage(&image, "6.9.9-test (a@b) #1 SMP", "", 0);
	bzimage_release(bytes_of(&image), release);
	assert_string_equal(release, "6.9.9-test");
	image.buf[0x20f] = (char)0xf0; /* the string would lie in the payload */
	bzimage_release(bytes_of(&image), release);
	assert_string_equal(release, "");
	vmlinux_release(in, release);
	assert_string_equal(release, "6.1.0-5+x-amd64");
	in.len = 14;
	vmlinux_release(in, release);
	assert_string_equal(release, "");
}

static void configuration_inside_is_found(void **state)
{
	cleanup_sb struct strbuf v = STRBUF_INIT;
	cleanup_blob struct blob config = { 0 };
	struct err e = { 0 };

	(void)state;
	sb_adds(&v, "code with IKCFG_ST as a string ");
	assert_int_equal(vmlinux_ikconfig(bytes_of(&v), "x", &config, &e), 0);
	sb_adds(&v, "IKCFG_ST");
	compress(&v, "CONFIG_A=y\n", 11, archive_write_add_filter_gzip);
	assert_int_equal(vmlinux_ikconfig(bytes_of(&v), "x", &config, &e), -1);
	sb_adds(&v, "IKCFG_ED");
	assert_int_equal(vmlinux_ikconfig(bytes_of(&v), "x", &config, &e), 1);
	assert_int_equal(config.len, 11);
	assert_memory_equal(config.p, "CONFIG_A=y\n", 11);
}

static void elf_check_leaves_out_what_is_not_loaded(void **state)
{
	cleanup_sb struct strbuf v = STRBUF_INIT;
	struct err e = { 0 };
	size_t loaded = 0;

	(void)state;
	fixture_vmlinux(&v, "payload", 7, 1000);
	assert_int_equal(elf_check_kernel(bytes_of(&v), "x", &loaded, &e), 0);
	assert_int_equal(loaded, v.len - 1000);
}

static int check_patched(size_t off, const void *p, size_t n)
{
	cleanup_sb struct strbuf v = STRBUF_INIT;
	struct err e = { 0 };
	size_t loaded;

	fixture_vmlinux(&v, "payload", 7, 0);
	memcpy(v.buf + off, p, n);
	return elf_check_kernel(bytes_of(&v), "x", &loaded, &e);
}

static void elf_check_refuses_lies(void **state)
{
	const uint64_t huge = UINT64_MAX - 8, one = 1;
	const size_t ph = sizeof(Elf64_Ehdr);

	(void)state;
	assert_int_equal(check_patched(0, "\x7f", 1), 0);
	assert_int_equal(check_patched(EI_CLASS, "\1", 1), -1);
	assert_int_equal(check_patched(offsetof(Elf64_Ehdr, e_machine), "\3", 1), -1);
	assert_int_equal(check_patched(offsetof(Elf64_Ehdr, e_type), "\1", 1), -1);
	assert_int_equal(check_patched(offsetof(Elf64_Ehdr, e_phoff), &huge, 8), -1);
	assert_int_equal(check_patched(offsetof(Elf64_Ehdr, e_phnum), "\xff\xff", 2), -1);
	assert_int_equal(check_patched(offsetof(Elf64_Ehdr, e_phnum), "\0\0", 2), -1);
	assert_int_equal(check_patched(ph + offsetof(Elf64_Phdr, p_offset), &huge, 8), -1);
	assert_int_equal(check_patched(ph + offsetof(Elf64_Phdr, p_filesz), &huge, 8), -1);
	assert_int_equal(check_patched(ph + offsetof(Elf64_Phdr, p_memsz), &one, 8), -1);
	assert_int_equal(check_patched(ph + offsetof(Elf64_Phdr, p_type), "\4", 1), -1);
}

static void modinfo_gives_each_value_and_ends(void **state)
{
	static const char text[] = "depends=a,b\0alias=x\0alias=y\0aliasz=q\0alias=broken";
	cleanup_sb struct strbuf m = STRBUF_INIT;
	struct bytes info;
	size_t pos = 0;

	(void)state;
	fixture_module(&m, text, sizeof(text) - 1); /* the last one is not terminated */
	assert_true(elf_section(bytes_of(&m), ".modinfo", &info));
	assert_false(elf_section(bytes_of(&m), ".text", &info));
	assert_string_equal(modinfo_next(info, "alias", &pos), "x");
	assert_string_equal(modinfo_next(info, "alias", &pos), "y");
	assert_null(modinfo_next(info, "alias", &pos));
	pos = 0;
	assert_string_equal(modinfo_next(info, "depends", &pos), "a,b");
}

static void truncated_module_has_no_section(void **state)
{
	cleanup_sb struct strbuf m = STRBUF_INIT;
	struct bytes info;
	size_t cut;

	(void)state;
	fixture_module(&m, "depends=\0", 9);
	for (cut = 0; cut < m.len; cut++) {
		char *copy =
			malloc(cut + 1); /* exactly as large: the sanitizer sees one byte more */
		struct bytes part = { (uint8_t *)copy + 1, cut };

		memcpy(copy + 1, m.buf, cut);
		assert_false(elf_section(part, ".modinfo", &info));
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bzimage_of_each_compression_unpacks),
		cmocka_unit_test(bzimage_truncated_anywhere_is_an_error),
		cmocka_unit_test(bzimage_with_wrong_size_is_an_error),
		cmocka_unit_test(bzimage_of_unknown_compression_is_named),
		cmocka_unit_test(more_than_the_bound_does_not_unpack),
		cmocka_unit_test(release_comes_from_header_and_banner),
		cmocka_unit_test(configuration_inside_is_found),
		cmocka_unit_test(elf_check_leaves_out_what_is_not_loaded),
		cmocka_unit_test(elf_check_refuses_lies),
		cmocka_unit_test(modinfo_gives_each_value_and_ends),
		cmocka_unit_test(truncated_module_has_no_section),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
