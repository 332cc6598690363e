/* SPDX-License-Identifier: Apache-2.0 */
/* The image as a whole: size, order, determinism, and what fsck.erofs and the kernel say of it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "images/erofs_fs.h"
#include "tests/unit/layer_fixture.h"

/* The concatenation that a guest sees, in a file that the test removes. */
static void write_image(const struct fixture *f, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct err e = { 0 };
	unsigned n;

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, f->meta, f->meta_len), 0);
	for (n = 0; n < f->nr_layers; n++)
		assert_int_equal(fs_copy(f->out[n].data_fd, fd, f->out[n].data_size, &e), 0);
	close(fd);
}

static int run(const char *cmd)
{
	int r = system(cmd);

	return WIFEXITED(r) ? WEXITSTATUS(r) : -1;
}

/* fsck.erofs says so. Skips where it is not installed. */
static void fsck(const struct fixture *f)
{
	char path[] = "/tmp/erofs-test.XXXXXX", cmd[200];
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	close(fd);
	write_image(f, path);
	snprintf(cmd, sizeof(cmd), "command -v fsck.erofs >/dev/null && fsck.erofs %s >&2", path);
	r = run("command -v fsck.erofs >/dev/null") ? 77 : run(cmd);
	unlink(path);
	if (r == 77)
		skip();
	assert_int_equal(r, 0);
}

/* @n files in directories of 1000, by names that sort otherwise than they come. */
static void many_files(struct strbuf *tar, unsigned n)
{
	unsigned i;
	char name[64];

	for (i = 0; i < n; i++) {
		struct ent ent = { name, .data = i % 10 ? NULL : name };

		snprintf(name, sizeof(name), "d%u/f%u", i / 1000, i * 7919 % 1000003);
		tar_add(tar, &ent);
	}
	tar_end(tar);
}

static void takes_100000_files(void **state)
{
	cleanup_sb struct strbuf tar = STRBUF_INIT;
	struct fixture f = { 0 };

	(void)state;
	many_files(&tar, 100000);
	if (fixture_convert(&f, tar.buf, tar.len, LAYER_TAR) < 0 || fixture_merge(&f) < 0)
		fail_msg("%s", f.e.msg);
	assert_int_equal(f.out[0].nr_entries, 100000);
	assert_int_equal(erofs_check(&f.img, &f.e), 100100);
	fsck(&f);
	fixture_free(&f);
}

static void takes_70000_names_in_one_directory(void **state)
{
	cleanup_sb struct strbuf tar = STRBUF_INIT;
	struct fixture f = { 0 };
	char name[300];
	unsigned i;

	(void)state;
	/* Directories: more links of their parent than a compact inode can tell. */
	for (i = 0; i < 70000; i++) {
		struct ent ent = { name, '5' };

		snprintf(name, sizeof(name), "big/%u", i);
		tar_add(&tar, &ent);
	}
	tar_end(&tar);
	if (fixture_convert(&f, tar.buf, tar.len, LAYER_TAR) < 0 || fixture_merge(&f) < 0)
		fail_msg("%s", f.e.msg);
	assert_int_equal(node_at(&f, "big").nr_links, 70002);
	node_at(&f, "big/69999");
	fsck(&f);
	fixture_free(&f);
}

static void same_layers_give_the_same_bytes(void **state)
{
	cleanup_sb struct strbuf tar = STRBUF_INIT;
	struct fixture a = { 0 }, b = { 0 };

	(void)state;
	many_files(&tar, 3000);
	assert_int_equal(fixture_convert(&a, tar.buf, tar.len, LAYER_TAR), 0);
	assert_int_equal(fixture_convert(&b, tar.buf, tar.len, LAYER_TAR), 0);
	assert_int_equal(fixture_merge(&a), 0);
	assert_int_equal(fixture_merge(&b), 0);
	assert_int_equal(a.meta_len, b.meta_len);
	assert_memory_equal(a.meta, b.meta, a.meta_len);
	fixture_free(&a);
	fixture_free(&b);
}

static void no_layer_at_all_is_an_empty_root(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	if (fixture_merge(&f) < 0)
		fail_msg("%s", f.e.msg);
	assert_int_equal(node_at(&f, "").mode, S_IFDIR | 0755);
	assert_int_equal(node_at(&f, "").nr_links, 2);
	fixture_free(&f);
}

static void image_needs_no_feature_of_new_kernels(void **state)
{
	struct fixture f;
	struct erofs_super sb;

	(void)state;
	fixture_build(&f,
		      (const struct ent *const[]){ (const struct ent[]){ { "x" }, { 0 } }, NULL });
	memcpy(&sb, (char *)f.meta + EROFS_SUPER_OFFSET, sizeof(sb));
	assert_int_equal(sb.feature_incompat, 0);
	assert_int_equal(sb.build_time, 0);
	fixture_free(&f);
}

/* Directory blocks and inline tails at every fill: names of one length, one more each time. */
static void directories_of_every_size_are_sound(void **state)
{
	static struct ent ents[700];
	static char names[700][128];
	unsigned n, step;

	(void)state;
	for (step = 1; step < 6; step++) {
		struct fixture f;
		unsigned count = 0, k;

		for (n = 1; n <= 34; n++) {
			for (k = 0; k < n && count < 690; k++, count++) {
				snprintf(names[count], sizeof(names[count]), "d%u/%0*u", n,
					 (int)(step * 23), k);
				ents[count] = (struct ent){ names[count] };
			}
		}
		ents[count] = (struct ent){ 0 };
		fixture_build(&f, (const struct ent *const[]){ ents, NULL });
		fsck(&f);
		fixture_free(&f);
	}
}

static void link_targets_of_every_size_are_sound(void **state)
{
	static struct ent ents[260];
	static char names[260][16];
	struct fixture f;
	unsigned n;

	(void)state;
	for (n = 0; n < 256; n++) {
		unsigned len = n < 120 ? 3976 + n : 1 + (n - 120) * 29;
		char *copy = malloc(len + 1);

		memset(copy, 'a' + (int)(n % 26), len);
		copy[len] = '\0';
		snprintf(names[n], sizeof(names[n]), "l%u", n);
		ents[n] = (struct ent){ names[n], '2', .link = copy };
	}
	fixture_build(&f, (const struct ent *const[]){ ents, NULL });
	for (n = 0; n < 256; n++) {
		assert_content(&f, names[n], ents[n].link);
		free((void *)(uintptr_t)ents[n].link);
	}
	fsck(&f);
	fixture_free(&f);
}

static void compare_in_kernel(const char *dir)
{
	char path[200], buf[100] = "";
	struct stat a, b;
	int fd;

	snprintf(path, sizeof(path), "%s/usr/file", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, buf, sizeof(buf)), 7);
	assert_string_equal(buf, "content");
	assert_int_equal(fstat(fd, &a), 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/hard", dir);
	assert_int_equal(lstat(path, &b), 0);
	assert_true(a.st_ino == b.st_ino);
	assert_int_equal(a.st_nlink, 2);
	assert_int_equal(a.st_mtime, -5);
	assert_int_equal(a.st_uid, 4294967294u);
	snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(readlink(path, buf, sizeof(buf)), 8);
}

static void kernel_mounts_what_the_layers_say(void **state)
{
	char img[] = "/tmp/erofs-test.XXXXXX", dir[] = "/tmp/erofs-mnt.XXXXXX", cmd[200];
	struct fixture f;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	fixture_build(&f, (const struct ent *const[]){
				  (const struct ent[]){ { "usr/file", .data = "content",
							  .mtime = -5, .uid = 4294967294 },
							{ "hard", '1', .link = "usr/file" },
							{ "link", '2', .link = "usr/file" },
							{ 0 } },
				  NULL });
	fd = mkstemp(img);
	close(fd);
	write_image(&f, img);
	assert_non_null(mkdtemp(dir));
	snprintf(cmd, sizeof(cmd), "mount -t erofs -o loop,ro %s %s 2>/dev/null", img, dir);
	if (run(cmd) == 0) {
		compare_in_kernel(dir);
		assert_int_equal(umount(dir), 0);
		fd = -2;
	}
	unlink(img);
	rmdir(dir);
	fixture_free(&f);
	if (fd != -2)
		skip(); /* no EROFS or no loop devices here */
}

/* As an ordinary user: seccomp alone keeps the workers. */
static void works_without_root(void **state)
{
	struct fixture f;
	pid_t pid;
	int status;

	(void)state;
	if (geteuid() != 0)
		skip(); /* every other test shows it */
	pid = fork();
	if (pid == 0) {
		if (setgid(1234) < 0 || setuid(1234) < 0)
			_exit(2);
		fixture_build(&f,
			      (const struct ent *const[]){
				      (const struct ent[]){ { "x", .data = "X" }, { 0 } }, NULL });
		assert_content(&f, "x", "X");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_100000_files),
		cmocka_unit_test(takes_70000_names_in_one_directory),
		cmocka_unit_test(same_layers_give_the_same_bytes),
		cmocka_unit_test(no_layer_at_all_is_an_empty_root),
		cmocka_unit_test(image_needs_no_feature_of_new_kernels),
		cmocka_unit_test(directories_of_every_size_are_sound),
		cmocka_unit_test(link_targets_of_every_size_are_sound),
		cmocka_unit_test(kernel_mounts_what_the_layers_say),
		cmocka_unit_test(works_without_root),
	};

	return cmocka_run_group_tests_name("erofs_image", tests, NULL, NULL);
}
