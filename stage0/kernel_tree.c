/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories: what kernel-config/build leaves (vmlinux, config, release), a kernel's build tree
 * (.config, vmlinux or arch/x86/boot/bzImage, modules.order), an unpacked package (boot/,
 * lib/modules/).  They are the user's own, so symlinks on the way are followed, but not beneath
 * lib/modules.
 */
#include "stage0/kernel_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define MAX_DEPTH 16

static ssize_t read_fd(void *ctx, void *buf, size_t n, struct err *e)
{
	ssize_t r;

	do
		r = read(*(int *)ctx, buf, n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? err_set(e, errno, "cannot read a file of it") : r;
}

/* Adds the regular file @name of @dir as @as.  Returns 1, or 0 when there is none. */
static int add_file(struct kernel_source *s, int dir, const char *name, const char *as,
		    struct err *e)
{
	cleanup_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct source_file f = { as, read_fd, &fd };
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot open %s", name);
	if (!S_ISREG(st.st_mode))
		return 0;
	return source_add(s, &f, e) < 0 ? -1 : 1;
}

static int walk(struct kernel_source *s, int dir, const char *as, unsigned depth, struct err *e);

static int walk_entry(struct kernel_source *s, int dir, const struct dirent *de, const char *as,
		      unsigned depth, struct err *e)
{
	cleanup_free char *path = fs_join(as, de->d_name);
	cleanup_close int sub = -1;
	struct stat st;

	if (fstatat(dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, errno, "cannot stat %s", path);
	if (S_ISREG(st.st_mode) && source_wants(path))
		return add_file(s, dir, de->d_name, path, e);
	if (!S_ISDIR(st.st_mode) || !depth)
		return 0;
	sub = openat(dir, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return err_set(e, errno, "cannot open %s", path);
	return walk(s, sub, path, depth - 1, e);
}

/* Adds all files beneath @dir, under the path @as, following no links. */
static int walk(struct kernel_source *s, int dir, const char *as, unsigned depth, struct err *e)
{
	cleanup_closedir DIR *d = NULL;
	struct dirent *de;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		d = fdopendir(fd);
	if (!d) {
		err_set(e, errno, "cannot read directory %s", as);
		close_p(&fd);
		return -1;
	}
	while ((de = readdir(d))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (walk_entry(s, dir, de, as, depth, e) < 0)
			return -1;
	}
	return 0;
}

/* Walks @name of @dir if it is a directory. */
static int walk_sub(struct kernel_source *s, int dir, const char *name, const char *as,
		    unsigned depth, struct err *e)
{
	cleanup_close int sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (sub < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : err_set(e, errno, "cannot open directory %s", name);
	return walk(s, sub, as, depth, e);
}

static bool same_dir(int dir, const char *a, const char *b)
{
	struct stat sa, sb;

	return !fstatat(dir, a, &sa, 0) && !fstatat(dir, b, &sb, 0) && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

static int read_unpacked(struct kernel_source *s, int dir, struct err *e)
{
	if (walk_sub(s, dir, "boot", "boot", 0, e) < 0 ||
	    walk_sub(s, dir, "lib/modules", "lib/modules", MAX_DEPTH, e) < 0)
		return -1;
	if (same_dir(dir, "lib/modules", "usr/lib/modules"))
		return 0;
	return walk_sub(s, dir, "usr/lib/modules", "lib/modules", MAX_DEPTH, e);
}

static void read_release(struct kernel_source *s, int dir, const char *name)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	struct err ignored; /* the image says it as well */

	if (!fs_read(dir, name, 4096, &text, &ignored))
		release_parse(text.buf, text.len, s->release);
}

/* One line of modules.order: fs/x.ko, kernel/fs/x.ko (to 6.1), or fs/x.o (from 6.2). */
static int add_built_module(struct kernel_source *s, int dir, char *line, struct err *e)
{
	cleanup_free char *file = NULL, *as = NULL;
	size_t n;

	if (!strncmp(line, "kernel/", 7))
		line += 7;
	n = strlen(line);
	if (n < 4 || line[0] == '/' || strstr(line, ".."))
		return 0;
	file = !strcmp(line + n - 2, ".o") ? xasprintf("%.*s.ko", (int)(n - 2), line)
					   : xstrdup(line);
	as = xasprintf("lib/modules/%s/kernel/%s", s->release, file);
	return add_file(s, dir, file, as, e);
}

static int add_built_modules(struct kernel_source *s, int dir, struct err *e)
{
	cleanup_free char *builtin = xasprintf("lib/modules/%s/modules.builtin", s->release);
	cleanup_sb struct strbuf order = STRBUF_INIT;
	struct err absent; /* a kernel without modules has none */
	char *line, *rest = NULL;

	if (fs_read(dir, "modules.order", KERNEL_CONFIG_MAX, &order, &absent) < 0)
		return 0;
	for (line = strtok_r(order.buf, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (add_built_module(s, dir, line, e) < 0)
			return -1;
	}
	return add_file(s, dir, "modules.builtin", builtin, e);
}

static int add_image(struct kernel_source *s, int dir, const char *name, struct err *e)
{
	cleanup_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_set(e, errno, "cannot open %s", name);
	s->image_name = xstrdup(name);
	return blob_map(fd, name, KERNEL_IMAGE_MAX, &s->image, e) < 0 ? -1 : 1;
}

static int read_config(struct kernel_source *s, int dir, const char *name, struct err *e)
{
	cleanup_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, "cannot open %s", name);
	return blob_map(fd, name, KERNEL_CONFIG_MAX, &s->config, e);
}

/* vmlinux before bzImage: of a build under way the older, whole one must not win. */
static int read_built(struct kernel_source *s, int dir, struct err *e)
{
	bool is_tree = !faccessat(dir, ".config", F_OK, 0);
	int r = add_image(s, dir, "vmlinux", e);

	if (!r)
		r = add_image(s, dir, "arch/x86/boot/bzImage", e);
	if (!r)
		r = add_image(s, dir, "bzImage", e);
	if (r <= 0)
		return r;
	read_release(s, dir, is_tree ? "include/config/kernel.release" : "release");
	if (read_config(s, dir, is_tree ? ".config" : "config", e) < 0)
		return -1;
	return is_tree && *s->release ? add_built_modules(s, dir, e) : 0;
}

int source_read_tree(struct kernel_source *s, int dir, const char *path, struct err *e)
{
	if (read_built(s, dir, e) < 0)
		return -1;
	if (!s->image.len && read_unpacked(s, dir, e) < 0)
		return -1;
	if (s->image.len)
		return 0;
	err_set(e, 0, "there is no kernel in it");
	return err_hint(e, "%s has none of vmlinux, arch/x86/boot/bzImage, boot/vmlinuz-*", path);
}

int source_read_siblings(struct kernel_source *s, const char *path, struct err *e)
{
	cleanup_free char *copy = xstrdup(path), *config = NULL, *modules = NULL, *as = NULL;
	char release[KERNEL_RELEASE_MAX + 1];
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	const char *dir = dirname(copy);
	cleanup_close int at = -1;

	if (strncmp(name, "vmlinuz-", 8) != 0)
		return 0;
	release_parse(name + 8, strlen(name + 8), release);
	if (!*release || strcmp(release, name + 8) != 0)
		return 0;
	at = fs_opendir(AT_FDCWD, dir, e);
	if (at < 0)
		return -1;
	config = xasprintf("config-%s", release);
	modules = xasprintf("../lib/modules/%s", release);
	as = xasprintf("lib/modules/%s", release);
	if (read_config(s, at, config, e) < 0)
		return -1;
	return walk_sub(s, at, modules, as, MAX_DEPTH, e);
}
