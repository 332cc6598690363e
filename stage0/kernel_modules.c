/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/kernel_modules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "stage0/cpio.h"
#include "stage0/kernel_elf.h"
#include "stage0/kernel_unpack.h"

#define MODULE_MAX (64u << 20) /* with debug information */
#define BUILTIN_MAX (1u << 20)
#define MAX_DEPTH 16

/* What pods may use, in the order in which the guest wants it. */
static const char *const wanted[] = {
	"virtio_mmio", "virtio_console", "virtio_blk", "virtio_rng",	"virtio_net",
	"erofs",       "overlay",	 "ext4",       "binfmt_script",
};

void modules_free(struct module_set *m)
{
	size_t i;

	for (i = 0; i < m->nr_all; i++) {
		free(m->all[i].name);
		free(m->all[i].path);
		blob_free(&m->all[i].content);
	}
	free(m->all);
	free(m->closure);
	strv_free(&m->builtin);
	*m = (struct module_set){ 0 };
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *module_name(const char *path)
{
	static const char *const ends[] = { ".ko", ".ko.xz", ".ko.zst", ".ko.gz" };
	const char *base = base_name(path);
	size_t n = strlen(base), i;
	char *name, *p;

	for (i = 0; i < nitems(ends); i++) {
		size_t end = strlen(ends[i]);

		if (n <= end || strcmp(base + n - end, ends[i]) != 0)
			continue;
		name = xasprintf("%.*s", (int)(n - end), base);
		for (p = name; *p; p++) {
			if (*p == '-')
				*p = '_';
		}
		return name;
	}
	return NULL;
}

/* Beneath modules/ there are only files and directories that source_add() made. */
static int collect(int dir, const char *path, unsigned depth, struct strv *out, struct err *e)
{
	cleanup_closedir DIR *d = NULL;
	struct dirent *de;
	int fd = openat(dir, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		d = fdopendir(fd);
	if (!d) {
		err_set(e, errno, "cannot read directory modules/%s", path);
		close_p(&fd);
		return -1;
	}
	while ((de = readdir(d))) {
		cleanup_free char *sub = *path ? fs_join(path, de->d_name) : xstrdup(de->d_name);
		cleanup_free char *name = module_name(de->d_name);

		if (de->d_name[0] == '.')
			continue;
		if (name)
			strv_add(out, sub);
		else if (depth && !strchr(de->d_name, '.') && de->d_type != DT_REG &&
			 collect(dir, sub, depth - 1, out, e) < 0)
			return -1;
	}
	return 0;
}

/* By name; of two alike the one in updates/, as depmod's default search order has it, then by path.
 */
static int by_name(const void *a, const void *b)
{
	const struct module *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	if (r)
		return r;
	r = !strncmp(y->path, "updates/", 8) - !strncmp(x->path, "updates/", 8);
	return r ? r : strcmp(x->path, y->path);
}

static int read_index(int fd, struct module_set *m, struct err *e)
{
	cleanup_strv struct strv paths = { 0 };
	size_t i;

	if (collect(fd, "", MAX_DEPTH, &paths, e) < 0)
		return -1;
	m->all = xcalloc(paths.nr_v + 1, sizeof(*m->all));
	m->closure = xcalloc(paths.nr_v + 1, sizeof(*m->closure));
	for (i = 0; i < paths.nr_v; i++) {
		m->all[i].name = module_name(paths.v[i]);
		m->all[i].path = xstrdup(paths.v[i]);
	}
	m->nr_all = paths.nr_v;
	qsort(m->all, m->nr_all, sizeof(*m->all), by_name);
	return 0;
}

static int read_builtin(int fd, struct module_set *m, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	char *line, *rest = NULL;

	if (fs_read(fd, "modules.builtin", BUILTIN_MAX, &text, e) < 0)
		return e->num == ENOENT ? 0 : -1;
	for (line = strtok_r(text.buf, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *name = module_name(line);

		if (name)
			strv_take(&m->builtin, name);
	}
	return 0;
}

static struct module *find_module(const struct module_set *m, const char *name)
{
	size_t lo = 0, hi = m->nr_all;

	while (lo < hi) { /* the first of equal names: bsearch(3) would take any */
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(m->all[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->nr_all && !strcmp(m->all[lo].name, name) ? &m->all[lo] : NULL;
}

static bool is_builtin(const struct module_set *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->builtin.nr_v; i++) {
		if (!strcmp(m->builtin.v[i], name))
			return true;
	}
	return false;
}

static int load(int fd, struct module *mod, struct bytes *info, struct err *e)
{
	cleanup_close int file = openat(fd, mod->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_blob struct blob raw = { 0 };

	if (file < 0)
		return err_set(e, errno, "cannot open modules/%s", mod->path);
	if (blob_map(file, mod->path, MODULE_MAX, &raw, e) < 0)
		return -1;
	blob_free(&mod->content);
	if (!unpack_knows(blob_bytes(&raw))) {
		mod->content = raw;
		raw = (struct blob){ 0 };
	} else if (unpack_bytes(blob_bytes(&raw), MODULE_MAX, mod->path, &mod->content, e) < 0) {
		return -1;
	}
	if (!elf_section(blob_bytes(&mod->content), ".modinfo", info))
		return err_set(e, 0, "cannot use modules/%s: not a kernel module", mod->path);
	return 0;
}

static int visit(int fd, struct module_set *m, const char *name, struct err *e);

/* Visits the words of @list that @sep parts; names are taken as file names have them. */
static int visit_list(int fd, struct module_set *m, const char *list, const char *sep,
		      struct err *e)
{
	cleanup_free char *copy = xstrdup(list);
	char *word, *p, *rest = NULL;

	for (word = strtok_r(copy, sep, &rest); word; word = strtok_r(NULL, sep, &rest)) {
		for (p = word; *p; p++) {
			if (*p == '-')
				*p = '_';
		}
		if (visit(fd, m, word, e) < 0)
			return -1;
	}
	return 0;
}

static bool has_alias(struct bytes info, const char *alias)
{
	const char *value;
	size_t pos = 0;

	while ((value = modinfo_next(info, "alias", &pos))) {
		if (!strcmp(value, alias))
			return true;
	}
	return false;
}

/* "crc32c" is provided by crypto/crc32c_generic.ko and arch/x86/crypto/crc32c-intel.ko. */
static int visit_algorithm(int fd, struct module_set *m, const char *alias, struct err *e)
{
	cleanup_free char *family = xasprintf("%s_", alias);
	struct bytes info;
	size_t i;

	for (i = 0; i < m->nr_all; i++) {
		struct module *mod = &m->all[i];
		bool provides;

		if (mod->is_visited || strncmp(mod->name, family, strlen(family)) != 0 ||
		    !strstr(mod->path, "crypto/"))
			continue;
		if (load(fd, mod, &info, e) < 0)
			return -1;
		provides = has_alias(info, alias);
		blob_free(&mod->content);
		if (provides && visit(fd, m, mod->name, e) < 0)
			return -1;
	}
	return 0;
}

/* "pre: a b post: c": what comes after "post:" is not needed before this one works. */
static int visit_soft(int fd, struct module_set *m, const char *value, struct err *e)
{
	cleanup_free char *copy = xstrdup(value);
	bool is_pre = false;
	char *word, *rest = NULL;

	for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		if (!strcmp(word, "pre:") || !strcmp(word, "post:")) {
			is_pre = word[1] == 'r';
			continue;
		}
		if (!is_pre)
			continue;
		if (visit_list(fd, m, word, " ", e) < 0 || visit_algorithm(fd, m, word, e) < 0)
			return -1;
	}
	return 0;
}

static int visit_needs(int fd, struct module_set *m, struct bytes info, struct err *e)
{
	const char *value;
	size_t pos = 0;

	while ((value = modinfo_next(info, "softdep", &pos))) {
		if (visit_soft(fd, m, value, e) < 0)
			return -1;
	}
	for (pos = 0; (value = modinfo_next(info, "depends", &pos));) {
		if (visit_list(fd, m, value, ",", e) < 0)
			return -1;
	}
	return 0;
}

/*
 * Depth first, each module once: what it needs goes into the closure before itself.  One that is
 * neither built in nor there is left out: kernel_check() names it, if a pod needs it.  The marks
 * bound the recursion, to the longest chain of modules.
 */
static int visit(int fd, struct module_set *m, const char *name, struct err *e)
{
	struct module *mod = is_builtin(m, name) ? NULL : find_module(m, name);
	struct bytes info;

	if (!mod || mod->is_visited)
		return 0;
	mod->is_visited = true;
	if (load(fd, mod, &info, e) < 0 || visit_needs(fd, m, info, e) < 0)
		return -1;
	m->closure[m->nr_closure++] = mod;
	return 0;
}

int modules_find(int fd, struct module_set *m, struct err *e)
{
	size_t i;

	if (read_index(fd, m, e) < 0 || read_builtin(fd, m, e) < 0)
		return -1;
	for (i = 0; i < nitems(wanted); i++) {
		if (visit(fd, m, wanted[i], e) < 0)
			return -1;
	}
	return 0;
}

/* "kernel/drivers/net/virtio_net.ko.xz" to "virtio_net.ko". */
static char *unpacked_name(const struct module *mod)
{
	const char *base = base_name(mod->path);

	return xasprintf("%.*s", (int)(strlen(mod->name) + strlen(".ko")), base);
}

int modules_write_cpio(const struct module_set *m, int fd, struct err *e)
{
	struct cpio c = { .fd = fd, .what = "modules.cpio" };
	cleanup_sb struct strbuf order = STRBUF_INIT;
	size_t i;

	if (cpio_add_dir(&c, "modules", 0755, e) < 0)
		return -1;
	for (i = 0; i < m->nr_closure; i++) {
		const struct blob *content = &m->closure[i]->content;
		cleanup_free char *file = unpacked_name(m->closure[i]);
		cleanup_free char *path = fs_join("modules", file);

		sb_addf(&order, "%s\n", file);
		if (cpio_add_file(&c, path, 0644, content->p, content->len, e) < 0)
			return -1;
	}
	if (cpio_add_file(&c, "modules/order", 0644, order.buf, order.len, e) < 0)
		return -1;
	return cpio_end(&c, e);
}
