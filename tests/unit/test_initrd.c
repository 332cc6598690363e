/* SPDX-License-Identifier: Apache-2.0 */
/* The initramfs, read back by a reader of its own, with the kernel's rules. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "guest-init/podspec.h"
#include "stage0/cpio.h"
#include "stage0/initrd.h"
#include "stage0/kernel.h"

static unsigned long field(const char *h, unsigned i)
{
	char hex[9] = "";

	memcpy(hex, h + 6 + i * 8, 8);
	return strtoul(hex, NULL, 16);
}

/* "name mode rdev content" of every entry, "--" for a trailer. */
static void list(const struct strbuf *in, struct strbuf *out)
{
	size_t at = 0;

	while (at < in->len) {
		const char *h = in->buf + at, *name = h + 110;
		unsigned long size = field(h, 6), name_len = field(h, 11);
		size_t data = (at + 110 + name_len + 3) & ~3ul;

		assert_int_equal(at % 4, 0);
		assert_true(data + size <= in->len);
		assert_memory_equal(h, "070701", 6);
		assert_int_equal(strlen(name) + 1, name_len);
		assert_int_equal(field(h, 4), 1);			      /* links */
		assert_int_equal(field(h, 2) | field(h, 3) | field(h, 5), 0); /* owner, time */
		if (!strcmp(name, "TRAILER!!!"))
			sb_adds(out, "--\n");
		else
			sb_addf(out, "%s %lo %lu,%lu %.*s\n", name, field(h, 1), field(h, 9),
				field(h, 10), (int)size, in->buf + data);
		at = (data + size + 3) & ~3ul;
	}
	assert_int_equal(at, in->len);
}

static char *make_file(const char *content)
{
	char *path = xstrdup("/tmp/vpod-test-initrd-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, content, strlen(content)), 0);
	close(fd);
	return path;
}

static char *make_modules(void)
{
	char *path = make_file("");
	int fd = open(path, O_WRONLY);
	struct cpio c = { .fd = fd, .what = "modules" };
	struct err e;

	assert_int_equal(cpio_add_dir(&c, "modules", 0755, &e), 0);
	assert_int_equal(cpio_add_file(&c, "modules/a.ko", 0644, "AAA", 3, &e), 0);
	assert_int_equal(cpio_add_file(&c, "modules/order", 0644, "a.ko\n", 5, &e), 0);
	assert_int_equal(cpio_end(&c, &e), 0);
	close(fd);
	return path;
}

static int make(struct kernel *k, const char *init, const char *spec, struct strbuf *out,
		struct err *e)
{
	cleanup_close int fd = memfd_create("initrd", MFD_CLOEXEC);
	int r = initrd_write(fd, init, k, spec, strlen(spec), e);

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	if (!r)
		assert_int_equal(fs_read_fd(fd, "initrd", 1 << 20, out, e), 0);
	return r;
}

static void initrd_holds_init_modules_and_spec_in_order(void **state)
{
	cleanup_sb struct strbuf first = STRBUF_INIT, again = STRBUF_INIT, text = STRBUF_INIT;
	cleanup_free char *init = make_file("#!init"), *modules = make_modules();
	struct kernel k = { .modules_cpio = modules };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(make(&k, init, "spec!", &first, &e), 0);
	assert_int_equal(make(&k, init, "spec!", &again, &e), 0);
	assert_int_equal(first.len, again.len);
	assert_memory_equal(first.buf, again.buf, first.len);
	list(&first, &text);
	assert_string_equal(text.buf, "dev 40755 0,0 \n"
				      "proc 40755 0,0 \n"
				      "sys 40755 0,0 \n"
				      "run 40755 0,0 \n"
				      "tmp 40755 0,0 \n"
				      "mnt 40755 0,0 \n"
				      "dev/console 100600 0,0 \n"
				      "dev/console 20600 1,3 \n"
				      "dev/vpod-console 20600 5,1 \n"
				      "init 100755 0,0 #!init\n"
				      "--\n"
				      "modules 40755 0,0 \n"
				      "modules/a.ko 100644 0,0 AAA\n"
				      "modules/order 100644 0,0 a.ko\n\n"
				      "--\n"
				      "pod.spec 100400 0,0 spec!\n"
				      "--\n");
	unlink(init);
	unlink(modules);
}

static void initrd_of_kernel_without_modules_has_none(void **state)
{
	cleanup_sb struct strbuf out = STRBUF_INIT, text = STRBUF_INIT;
	cleanup_free char *init = make_file("x");
	struct kernel k = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(make(&k, init, "", &out, &e), 0);
	list(&out, &text);
	assert_null(strstr(text.buf, "modules"));
	assert_non_null(strstr(text.buf, "pod.spec 100400 0,0 \n--\n"));
	unlink(init);
}

static void missing_init_and_full_disk_are_one_message(void **state)
{
	cleanup_sb struct strbuf out = STRBUF_INIT;
	cleanup_free char *init = make_file("x");
	cleanup_close int full = open("/dev/full", O_WRONLY);
	struct kernel k = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(make(&k, "/nonexistent", "", &out, &e), -1);
	assert_string_equal(e.msg, "cannot make the initramfs: cannot open the guest's init "
				   "/nonexistent: No such file or directory");
	assert_int_equal(initrd_write(full, init, &k, "", 0, &e), -1);
	assert_string_equal(e.msg, "cannot make the initramfs: cannot write the initramfs: No "
				   "space left on device");
	unlink(init);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(initrd_holds_init_modules_and_spec_in_order),
		cmocka_unit_test(initrd_of_kernel_without_modules_has_none),
		cmocka_unit_test(missing_init_and_full_disk_are_one_message),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
