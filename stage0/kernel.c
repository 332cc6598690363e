/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "stage0/config.h"
#include "stage0/kernel_config.h"
#include "stage0/kernel_store.h"

#define HINT_IMPORT                                                         \
	"import one: 'vpod kernel import FILE' with a linux-image .deb, a " \
	"bzImage or a vmlinux, or 'make kernel' for vpod's own"

void kernel_free(struct kernel *k)
{
	free(k->name);
	free(k->release);
	free(k->dir);
	free(k->vmlinux);
	free(k->modules_cpio);
	*k = (struct kernel){ 0 };
}

static void fill(const char *store_path, struct kernel_info *info, struct kernel *out)
{
	*out = (struct kernel){
		.name = take_ptr(&info->name),
		.release = take_ptr(&info->release),
		.has_cmdline_mmio = info->has_cmdline_mmio,
		.is_tuned = info->is_tuned,
	};
	out->dir = fs_join(store_path, out->name);
	out->vmlinux = fs_join(out->dir, "vmlinux");
	if (info->modules.nr_v)
		out->modules_cpio = fs_join(out->dir, "modules.cpio");
}

/* Not through the list: a pod with --kernel must not depend on the other entries. */
static int find_named(int store, const char *name, struct kernel_info *out, struct err *e)
{
	if (kernel_name_check(name, e) < 0)
		return -1;
	if (store >= 0 && !kernel_info_read(store, name, out, e))
		return 0;
	if (store >= 0 && e->num != ENOENT)
		return err_wrap(e, "cannot use kernel %s", name);
	err_setk(e, ERR_NOT_FOUND, 0, "cannot find kernel %s", name);
	return err_hint(e,
			"'vpod kernel list' shows what is there; 'vpod kernel import FILE' adds");
}

static int no_kernel(struct err *e)
{
	err_setk(e, ERR_NOT_FOUND, 0, "cannot find a guest kernel: none has been imported");
	return err_hint(e, HINT_IMPORT);
}

static int find_default(int store, struct kernel_info *out, struct err *e)
{
	cleanup_kernel_list struct kernel_list l = { 0 };
	cleanup_free char *set = kernel_default_get(store);
	int i;

	if (set && !kernel_info_read(store, set, out, e))
		return 0;
	if (kernel_store_list(store, &l, e) < 0)
		return -1;
	i = kernel_store_choose(&l, set);
	if (i < 0)
		return no_kernel(e);
	*out = l.v[i];
	l.v[i] = (struct kernel_info){ 0 };
	return 0;
}

int kernel_find(const struct config *cfg, const char *name, struct kernel *out, struct err *e)
{
	cleanup_kernel_info struct kernel_info info = { 0 };
	cleanup_free char *path = kernel_store_path(cfg->dir);
	cleanup_close int store = kernel_store_open(cfg->dir, false, e);

	if (store < 0 && e->num == ENOENT && !name)
		return no_kernel(e);
	if (store < 0 && e->num != ENOENT)
		return -1;
	if (name ? find_named(store, name, &info, e) : find_default(store, &info, e))
		return -1;
	fill(path, &info, out);
	return 0;
}

static void join(struct strbuf *b, const struct strv *v)
{
	size_t i;

	for (i = 0; i < v->nr_v; i++)
		sb_addf(b, "%s%s", i ? ", " : "", v->v[i]);
}

/* Symbols that @k misses; returns 0 when its configuration is not known, else 1. */
static int check_config(const struct kernel *k, struct strv *missing, struct strv *wanted,
			struct err *e)
{
	cleanup_kernel_info struct kernel_info info = { 0 };
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cleanup_close int dir = fs_opendir(AT_FDCWD, k->dir, e);

	if (dir < 0 || kernel_info_read(dir, ".", &info, e) < 0)
		return -1;
	if (!info.has_config)
		return 0;
	if (fs_read(dir, "config", KERNEL_CONFIG_MAX, &text, e) < 0)
		return -1;
	config_check(text.buf, text.len, &info.modules, missing, wanted);
	return 1;
}

int kernel_missing(const struct kernel *k, struct strv *missing, struct strv *wanted, struct err *e)
{
	int r = check_config(k, missing, wanted, e);

	return r < 0 ? err_wrap(e, "cannot check kernel %s", k->name) : r;
}

int kernel_check_result(const char *what, const struct strv *missing, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;

	if (!missing->nr_v)
		return 0;
	join(&text, missing);
	err_set(e, 0, "cannot run a pod on kernel %s: %s", what, text.buf);
	return err_hint(e, "set %s and import the kernel again, or name another with --kernel",
			missing->nr_v > 1 ? "these symbols" : "it");
}

int kernel_check(const struct kernel *k, struct err *e)
{
	cleanup_strv struct strv missing = { 0 }, wanted = { 0 };
	cleanup_sb struct strbuf text = STRBUF_INIT;
	int r = kernel_missing(k, &missing, &wanted, e);

	if (r < 0)
		return -1;
	if (!r)
		log_warn("kernel %s: its configuration is not known, so it is not checked",
			 k->name);
	join(&text, &wanted);
	if (wanted.nr_v)
		log_debug("kernel %s: pods would be better off with %s", k->name, text.buf);
	return kernel_check_result(k->name, &missing, e);
}
