/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/kernel_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define MODULES_MAX (8ull << 30) /* Debian's largest have 0.4 GiB; a debug build some more */
#define MODULES_MAX_NR 100000

enum kind { KIND_NONE, KIND_IMAGE, KIND_CONFIG, KIND_MODULE };

/* What a path means; @release points at @release_len bytes of it, @rest behind "R/". */
struct meaning {
	enum kind kind;
	const char *release, *rest;
	size_t release_len;
};

static const char *after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) ? NULL : s + n;
}

/* lib/modules/R/: Fedora and Arch keep image and config there as well. */
static struct meaning in_modules(const char *s)
{
	const char *slash = strchr(s, '/');
	struct meaning m = { .release = s };

	if (!slash)
		return m;
	m.release_len = (size_t)(slash - s);
	m.rest = slash + 1;
	if (!strcmp(m.rest, "vmlinuz"))
		m.kind = KIND_IMAGE;
	else if (!strcmp(m.rest, "config"))
		m.kind = KIND_CONFIG;
	else if (after(m.rest, "kernel/") || after(m.rest, "extra/") || after(m.rest, "updates/") ||
		 (after(m.rest, "modules.") && !strchr(m.rest, '/')))
		m.kind = KIND_MODULE;
	return m;
}

static struct meaning classify(const char *path)
{
	const char *s = path, *rest;
	struct meaning m = { 0 };

	while (*s == '/' || (s[0] == '.' && s[1] == '/'))
		s++;
	if ((rest = after(s, "usr/")))
		s = rest;
	if ((rest = after(s, "lib/modules/")))
		return in_modules(rest);
	if ((rest = after(s, "boot/vmlinuz-")) || (rest = after(s, "boot/vmlinux-")))
		m.kind = KIND_IMAGE;
	else if ((rest = after(s, "boot/config-")))
		m.kind = KIND_CONFIG;
	m.release = rest;
	m.release_len = rest ? strlen(rest) : 0;
	return m;
}

bool source_wants(const char *path)
{
	return classify(path).kind != KIND_NONE;
}

static int note_release(struct kernel_source *s, const struct meaning *m, struct err *e)
{
	char release[KERNEL_RELEASE_MAX + 1];

	release_parse(m->release, m->release_len, release);
	if (!*release || strlen(release) != m->release_len)
		return 0; /* a name that is no release says nothing */
	if (*s->release && strcmp(s->release, release) != 0) {
		err_set(e, 0, "it holds more than one kernel: %s and %s", s->release, release);
		return err_hint(e, "import one of them by its file boot/vmlinuz-%s", release);
	}
	memcpy(s->release, release, sizeof(release));
	return 0;
}

static int read_blob(const struct source_file *f, size_t max, struct blob *out, struct err *e)
{
	char buf[65536];
	ssize_t n;

	blob_free(out);
	while ((n = f->read(f->ctx, buf, sizeof(buf), e)) > 0) {
		if (blob_append(out, buf, (size_t)n, max, f->path, e) < 0)
			return -1;
	}
	return (int)n;
}

/* Whether @path stays beneath where it is taken to be. */
static bool path_is_sound(const char *path)
{
	const char *p = path;

	for (;;) {
		size_t n = strcspn(p, "/");

		if (!n || n > NAME_MAX || (n == 1 && *p == '.') || (n == 2 && !strncmp(p, "..", 2)))
			return false;
		if (!p[n])
			return strlen(path) < PATH_MAX;
		p += n + 1;
	}
}

/* Creates @path beneath @dir with its parents.  Nothing there is a symlink: we made all of it. */
static int create_beneath(int dir, const char *path, struct err *e)
{
	char buf[PATH_MAX];
	char *p;
	int fd;

	snprintf(buf, sizeof(buf), "%s", path);
	for (p = strchr(buf, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdirat(dir, buf, 0755) < 0 && errno != EEXIST)
			return err_set(e, errno, "cannot create directory modules/%s", buf);
		*p = '/';
	}
	fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? err_set(e, errno, "cannot create modules/%s", path) : fd;
}

static int write_module(struct kernel_source *s, const struct source_file *f, const char *rest,
			struct err *e)
{
	cleanup_close int fd = -1;
	char buf[65536];
	ssize_t n;

	if (!path_is_sound(rest))
		return err_setk(e, ERR_DENIED, 0, "it holds a file with the path %s", f->path);
	if (++s->nr_modules > MODULES_MAX_NR)
		return err_set(e, 0, "it holds more than %d modules", MODULES_MAX_NR);
	fd = create_beneath(s->modules, rest, e);
	if (fd < 0)
		return -1;
	while ((n = f->read(f->ctx, buf, sizeof(buf), e)) > 0) {
		s->modules_size += (uint64_t)n;
		if (s->modules_size > MODULES_MAX)
			return err_set(e, 0, "its modules have more than %llu bytes", MODULES_MAX);
		if (fs_write_all(fd, buf, (size_t)n) < 0)
			return err_set(e, errno, "cannot write modules/%s", rest);
	}
	return (int)n;
}

int source_add(struct kernel_source *s, const struct source_file *f, struct err *e)
{
	struct meaning m = classify(f->path);

	if (m.kind == KIND_NONE)
		return 0;
	if (note_release(s, &m, e) < 0)
		return -1;
	if (m.kind == KIND_MODULE)
		return write_module(s, f, m.rest, e);
	if (m.kind == KIND_CONFIG)
		return read_blob(f, KERNEL_CONFIG_MAX, &s->config, e);
	free(s->image_name);
	s->image_name = xstrdup(f->path);
	return read_blob(f, KERNEL_VMLINUX_MAX, &s->image, e);
}

void source_free(struct kernel_source *s)
{
	blob_free(&s->image);
	blob_free(&s->config);
	free(s->image_name);
	*s = (struct kernel_source){ .modules = -1 };
}

static int unknown_file(struct err *e)
{
	err_set(e, 0, "it is none of .deb, bzImage and x86-64 vmlinux");
	return err_hint(e, "import also takes a kernel's build tree or an unpacked package");
}

/* A lone image. Mapped: a vmlinux with debug information may be larger than memory. */
static int read_image(struct kernel_source *s, int fd, const char *path, struct err *e)
{
	s->image_name = xstrdup(path);
	if (blob_map(fd, path, KERNEL_IMAGE_MAX, &s->image, e) < 0)
		return -1;
	if (!image_is_bzimage(blob_bytes(&s->image)) && !image_is_elf(blob_bytes(&s->image)))
		return unknown_file(e);
	return source_read_siblings(s, path, e);
}

int source_read(struct kernel_source *s, const char *path, struct err *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char magic[8] = "";
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_setk(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_ENGINE, errno,
				"cannot open it");
	if (S_ISDIR(st.st_mode))
		return source_read_tree(s, fd, path, e);
	if (!S_ISREG(st.st_mode))
		return err_set(e, 0, "it is neither a regular file nor a directory");
	if (!st.st_size)
		return err_set(e, 0, "it is empty");
	if (pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	    !memcmp(magic, "!<arch>\n", sizeof(magic)))
		return source_read_deb(s, fd, e);
	return read_image(s, fd, path, e);
}
