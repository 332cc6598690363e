/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "images/gc.h"
#include "images/key_lock.h"
#include "images/put.h"
#include "images/store.h"

/* printf hello | sha256sum */
#define HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static char dir[] = "/tmp/vpod-test-store-XXXXXX";

static int set_up(void **state)
{
	static struct store s;
	struct err e;

	snprintf(dir + strlen(dir) - 6, 7, "XXXXXX");
	if (!mkdtemp(dir) || store_open(dir, true, &s, &e) < 0 || store_make_tmp(&s, &e) < 0)
		return -1;
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	struct err e;

	store_close(*state);
	return fs_remove_tree(AT_FDCWD, dir, &e);
}

static unsigned count(struct store *s, const char *name)
{
	int fd = openat(s->dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *d = fdopendir(fd);
	struct dirent *de;
	unsigned n = 0;

	while ((de = readdir(d)))
		n += de->d_name[0] != '.';
	return n;
}

static struct desc hello_desc(uint64_t size)
{
	struct desc d = { .size = size };

	memcpy(d.digest.hex, HELLO, sizeof(HELLO));
	return d;
}

static int put(struct store *s, const struct desc *d, const char *text, struct err *e)
{
	struct put p;

	if (put_begin(s, &p, d, 100, "a blob", e) < 0)
		return -1;
	if (put_write(&p, text, strlen(text), e) < 0) {
		put_abort(&p);
		return -1;
	}
	return put_commit(&p, NULL, e);
}

static void blob_gets_its_name_when_its_digest_is_right(void **state)
{
	struct store *s = *state;
	struct desc d = hello_desc(5);
	char name[STORE_NAME_MAX];
	struct stat st;
	struct err e;

	assert_int_equal(put(s, &d, "hello", &e), 0);
	assert_int_equal(fstatat(s->dirfd, store_blob_name(&d.digest, name), &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(put(s, &d, "hello", &e), 0);
	assert_int_equal(count(s, "blobs/sha256"), 1);
}

static void wrong_blobs_leave_nothing(void **state)
{
	struct store *s = *state;
	struct desc d = hello_desc(5), longer = hello_desc(6), shorter = hello_desc(4);
	struct err e;

	assert_int_equal(put(s, &d, "hellO", &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_int_equal(put(s, &longer, "hello", &e), -1);
	assert_int_equal(put(s, &shorter, "hello", &e), -1);
	assert_int_equal(count(s, "blobs/sha256"), 0);
	assert_int_equal(faccessat(s->tmp_fd, "blob0", F_OK, 0), -1);
}

static void store_is_closed_to_others(void **state)
{
	static const char *const names[] = { "blobs", "blobs/sha256", "layers", "rootfs", "refs" };
	struct store *s = *state;
	struct stat st;
	size_t i;

	for (i = 0; i < nitems(names); i++) {
		assert_int_equal(fstatat(s->dirfd, names[i], &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
	}
}

static void names_are_kept_apart(void **state)
{
	static const char *const names[] = { "oci:/a/b:c", "oci:/a/b%2Fc", "docker://h/b:1",
					     "dir:/a\xff\n" };
	cleanup_store_refs struct store_refs refs = { 0 };
	struct store *s = *state;
	struct err e;
	size_t i;

	for (i = 0; i < nitems(names); i++) {
		struct store_ref r = { (char *)names[i], hello_desc(0).digest, i, (char *)"stamp" };

		/* JSON cannot hold a byte that is no UTF-8: that name is not found again. */
		assert_int_equal(store_ref_write(s, &r, &e), 0);
	}
	for (i = 0; i < 3; i++) {
		cleanup_store_ref struct store_ref r = { 0 };

		assert_int_equal(store_ref_read(s, names[i], &r, &e), 1);
		assert_string_equal(r.name, names[i]);
		assert_int_equal(r.time, i);
	}
	assert_int_equal(store_refs_list(s, &refs, &e), 0);
	assert_int_equal(refs.nr, 4);
	assert_int_equal(store_ref_remove(s, names[0], &e), 0);
	assert_int_equal(store_has(s, "refs/oci:%2Fa%2Fb:c"), false);
}

static void long_names_are_cut_and_still_found(void **state)
{
	struct store *s = *state;
	char name[3000] = "dir:";
	cleanup_store_ref struct store_ref r = { 0 }, other = { 0 };
	struct err e;

	memset(name + 4, 'x', sizeof(name) - 5);
	assert_int_equal(
		store_ref_write(s, &(struct store_ref){ name, hello_desc(0).digest, 1, (char *)"" },
				&e),
		0);
	assert_int_equal(store_ref_read(s, name, &r, &e), 1);
	name[2000] = 'y';
	assert_int_equal(store_ref_read(s, name, &other, &e), 0);
}

static void stale_temporary_directories_are_collected(void **state)
{
	struct store *s = *state, other;
	struct err e;

	assert_int_equal(mkdirat(s->dirfd, "tmp/999-dead", 0700), 0);
	assert_int_equal(mkdirat(s->dirfd, "tmp/999-dead/x", 0700), 0);
	assert_int_equal(store_open(dir, true, &other, &e), 0);
	assert_int_equal(store_make_tmp(&other, &e), 0);
	/* The dead one's is gone, ours, which lives, is not. */
	assert_int_equal(count(s, "tmp"), 2);
	store_close(&other);
	assert_int_equal(count(s, "tmp"), 1);
}

static void key_lock_is_taken_by_one(void **state)
{
	struct store *s = *state;
	struct digest d = hello_desc(0).digest;
	struct key_lock l;
	struct err e;
	pid_t pid;
	int status;

	assert_int_equal(key_lock(s, &d, "blob", &l, &e), 0);
	pid = fork();
	if (!pid) {
		int fd = openat(s->dirfd, l.name, O_RDWR);

		_exit(store_flock(fd, LOCK_EX, 0, &e) == 1 && store_lock_owner(fd) == getppid()
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	key_unlock(&l);
	assert_int_equal(count(s, "locks"), 0);
}

static int make_rootfs(struct store *s, const struct store_info *info)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	char name[STORE_NAME_MAX], path[STORE_NAME_MAX + 16];
	cleanup_close int fd = -1;

	store_info_print(&b, info);
	if (mkdirat(s->dirfd, store_rootfs_name(&info->id, name), 0700) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/info.json", name);
	fd = openat(s->dirfd, path, O_WRONLY | O_CREAT, 0400);
	if (fd < 0 || fs_write_all(fd, b.buf, b.len) < 0)
		return -1;
	close_p(&fd);
	snprintf(path, sizeof(path), "%s/meta", name);
	fd = openat(s->dirfd, path, O_WRONLY | O_CREAT, 0400);
	return fd < 0 ? -1 : 0;
}

static void sweep_keeps_what_an_image_needs(void **state)
{
	struct store *s = *state;
	struct desc kept;
	struct digest blobs[1];
	struct store_info info = { .id = hello_desc(0).digest, .blobs = blobs, .nr_blobs = 1 };
	uint64_t bytes = 0;
	struct err e;

	assert_int_equal(put_bytes(s, "kept", 4, "a blob", &kept, &e), 0);
	assert_int_equal(put_bytes(s, "lost", 4, "a blob", NULL, &e), 0);
	blobs[0] = kept.digest;
	info.config = kept.digest;
	assert_int_equal(make_rootfs(s, &info), 0);
	assert_int_equal(gc_try_sweep(s, &bytes, &e), 0);
	assert_int_equal(count(s, "blobs/sha256"), 1);
	assert_true(bytes > 0);
}

static void sweep_waits_for_fetches(void **state)
{
	struct store *s = *state, other;
	struct err e;

	assert_int_equal(put_bytes(s, "lost", 4, "a blob", NULL, &e), 0);
	assert_int_equal(store_open(dir, false, &other, &e), 0);
	assert_int_equal(store_lock(&other, LOCK_SH, 0, &e), 0);
	assert_int_equal(gc_try_sweep(s, NULL, &e), 0);
	assert_int_equal(count(s, "blobs/sha256"), 1);
	store_close(&other);
	assert_int_equal(gc_try_sweep(s, NULL, &e), 0);
	assert_int_equal(count(s, "blobs/sha256"), 0);
}

static void damaged_rootfs_counts_as_missing(void **state)
{
	struct store *s = *state;
	struct digest blob = hello_desc(0).digest;
	struct store_info info = { .id = blob, .config = blob, .meta_size = 4096 };
	cleanup_info struct store_info got = { 0 };
	struct err e;

	assert_int_equal(make_rootfs(s, &info), 0);
	assert_int_equal(store_open_rootfs(s, &info.id, &got, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(blob_gets_its_name_when_its_digest_is_right),
		STORE_TEST(wrong_blobs_leave_nothing),
		STORE_TEST(store_is_closed_to_others),
		STORE_TEST(names_are_kept_apart),
		STORE_TEST(long_names_are_cut_and_still_found),
		STORE_TEST(stale_temporary_directories_are_collected),
		STORE_TEST(key_lock_is_taken_by_one),
		STORE_TEST(sweep_keeps_what_an_image_needs),
		STORE_TEST(sweep_waits_for_fetches),
		STORE_TEST(damaged_rootfs_counts_as_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
