/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/kernel_store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"

#define DEFAULT_LINK "default"

void kernel_info_free(struct kernel_info *k)
{
	free(k->name);
	free(k->release);
	free(k->source);
	free(k->digest);
	free(k->imported);
	strv_free(&k->modules);
	*k = (struct kernel_info){ 0 };
}

void kernel_list_free(struct kernel_list *l)
{
	size_t i;

	for (i = 0; i < l->nr_v; i++)
		kernel_info_free(&l->v[i]);
	free(l->v);
	*l = (struct kernel_list){ 0 };
}

bool kernel_name_is_valid(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("._+-", name[i]))
			return false;
	}
	return i && i <= KERNEL_NAME_MAX && name[0] != '.' && name[0] != '-' &&
	       strcmp(name, DEFAULT_LINK) != 0;
}

int kernel_name_check(const char *name, struct err *e)
{
	if (kernel_name_is_valid(name))
		return 0;
	err_setk(e, ERR_USAGE, 0, "cannot name a kernel %s", *name ? name : "''");
	return err_hint(e,
			"a name has up to %d letters, digits and ._+-, begins with a letter or "
			"digit, and is not '%s'",
			KERNEL_NAME_MAX, DEFAULT_LINK);
}

char *kernel_store_path(const char *dir)
{
	return fs_join(dir, "kernels");
}

int kernel_store_open(const char *dir, bool create, struct err *e)
{
	cleanup_free char *path = kernel_store_path(dir);

	if (create && fs_mkdir_p(path, 0755, e) < 0)
		return -1;
	return fs_opendir(AT_FDCWD, path, e);
}

/* Directory entries of @store that begin with @prefix, or for "" those that can be names. */
static int store_names(int store, const char *prefix, struct strv *names, struct err *e)
{
	cleanup_closedir DIR *d = NULL;
	struct dirent *de;
	int fd = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		d = fdopendir(fd);
	if (!d) {
		err_set(e, errno, "cannot read the kernel store");
		close_p(&fd);
		return -1;
	}
	while ((de = readdir(d))) {
		if (*prefix ? !strncmp(de->d_name, prefix, strlen(prefix))
			    : kernel_name_is_valid(de->d_name))
			strv_add(names, de->d_name);
	}
	return 0;
}

int kernel_store_lock(int store, struct err *e)
{
	cleanup_strv struct strv stale = { 0 };
	cleanup_close int fd =
		openat(store, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	size_t i;

	if (fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM))
		return err_setk(e, ERR_DENIED, errno, "cannot change the kernel store");
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_set(e, errno, "cannot lock the kernel store");
	if (store_names(store, KERNEL_TMP_PREFIX, &stale, e) < 0)
		return -1;
	for (i = 0; i < stale.nr_v; i++) {
		if (fs_remove_tree(store, stale.v[i], e) < 0)
			return -1;
	}
	return take_fd(&fd);
}

static int get_copy(const cJSON *j, const char *key, char **out, struct err *e)
{
	const char *s = "";

	if (json_get_str(j, key, &s, e) < 0)
		return -1;
	*out = xstrdup(s);
	return 0;
}

static int info_parse(const cJSON *j, struct kernel_info *k, struct err *e)
{
	if (get_copy(j, "release", &k->release, e) < 0 ||
	    get_copy(j, "source", &k->source, e) < 0 || get_copy(j, "digest", &k->digest, e) < 0 ||
	    get_copy(j, "imported", &k->imported, e) < 0)
		return -1;
	if (json_get_u64(j, "size", &k->size, e) < 0 ||
	    json_get_bool(j, "tuned", &k->is_tuned, e) < 0 ||
	    json_get_bool(j, "config", &k->has_config, e) < 0 ||
	    json_get_bool(j, "cmdline_mmio", &k->has_cmdline_mmio, e) < 0 ||
	    json_get_strv(j, "modules", &k->modules, e) < 0)
		return -1;
	return 0;
}

int kernel_info_read(int store, const char *name, struct kernel_info *out, struct err *e)
{
	cleanup_kernel_info struct kernel_info k = { 0 };
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cleanup_free char *path = fs_join(name, "info.json");
	cleanup_json cJSON *j = NULL;

	if (fs_read(store, path, JSON_MAX_SIZE, &text, e) < 0)
		return -1;
	j = json_parse(text.buf, text.len, path, e);
	if (!j || info_parse(j, &k, e) < 0)
		return -1;
	k.name = xstrdup(name);
	*out = k;
	k = (struct kernel_info){ 0 };
	return 0;
}

cJSON *kernel_info_json(const struct kernel_info *k)
{
	cJSON *j = cJSON_CreateObject(), *modules;
	size_t i;

	cJSON_AddStringToObject(j, "name", k->name);
	cJSON_AddStringToObject(j, "release", k->release);
	cJSON_AddStringToObject(j, "source", k->source);
	cJSON_AddStringToObject(j, "digest", k->digest);
	cJSON_AddStringToObject(j, "version", VPOD_VERSION);
	cJSON_AddStringToObject(j, "imported", k->imported);
	cJSON_AddNumberToObject(j, "size", (double)k->size);
	cJSON_AddBoolToObject(j, "tuned", k->is_tuned);
	cJSON_AddBoolToObject(j, "config", k->has_config);
	cJSON_AddBoolToObject(j, "cmdline_mmio", k->has_cmdline_mmio);
	modules = cJSON_AddArrayToObject(j, "modules");
	for (i = 0; i < k->modules.nr_v; i++)
		cJSON_AddItemToArray(modules, cJSON_CreateString(k->modules.v[i]));
	return j;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct kernel_info *)a)->name, ((const struct kernel_info *)b)->name);
}

int kernel_store_list(int store, struct kernel_list *out, struct err *e)
{
	cleanup_strv struct strv names = { 0 };
	size_t i;

	*out = (struct kernel_list){ 0 };
	if (store_names(store, "", &names, e) < 0)
		return -1;
	out->v = xcalloc(names.nr_v + 1, sizeof(*out->v));
	for (i = 0; i < names.nr_v; i++) {
		if (!kernel_info_read(store, names.v[i], &out->v[out->nr_v], e))
			out->nr_v++;
		else if (e->num != ENOENT && e->num != ENOTDIR) /* removed meanwhile, or not ours */
			return err_wrap(e, "cannot read kernel %s", names.v[i]);
	}
	qsort(out->v, out->nr_v, sizeof(*out->v), by_name);
	return 0;
}

char *kernel_default_get(int store)
{
	char name[KERNEL_NAME_MAX + 2];
	ssize_t n = readlinkat(store, DEFAULT_LINK, name, sizeof(name) - 1);

	if (n <= 0)
		return NULL;
	name[n] = '\0';
	return kernel_name_is_valid(name) ? xstrdup(name) : NULL;
}

int kernel_default_set(int store, const char *name, struct err *e)
{
	static const char tmp[] = KERNEL_TMP_PREFIX DEFAULT_LINK;
	struct kernel_info k = { 0 };

	if (kernel_info_read(store, name, &k, e) < 0)
		return err_wrap(e, "cannot make kernel %s the default", name);
	kernel_info_free(&k);
	if (symlinkat(name, store, tmp) < 0 || renameat(store, tmp, store, DEFAULT_LINK) < 0)
		return err_set(e, errno, "cannot make kernel %s the default", name);
	return fs_sync_dir(store, "kernels", e);
}

int kernel_store_remove(int store, const char *name, struct err *e)
{
	cleanup_free char *tmp = xasprintf(KERNEL_TMP_PREFIX "rm-%s", name);
	cleanup_free char *set = kernel_default_get(store);

	if (renameat(store, name, store, tmp) < 0)
		return err_setk(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_ENGINE, errno,
				"cannot remove kernel %s", name);
	if (set && !strcmp(set, name) && unlinkat(store, DEFAULT_LINK, 0) < 0)
		return err_set(e, errno, "cannot unset the default kernel %s", name);
	if (fs_sync_dir(store, "kernels", e) < 0)
		return -1;
	return fs_remove_tree(store, tmp, e);
}

/* A tuned one beats any other; then the later import; then the name, for a stable answer. */
static bool is_better(const struct kernel_info *a, const struct kernel_info *b)
{
	int later = strcmp(a->imported, b->imported);

	if (a->is_tuned != b->is_tuned)
		return a->is_tuned;
	return later > 0;
}

int kernel_store_choose(const struct kernel_list *l, const char *default_name)
{
	size_t i, best = 0;

	for (i = 0; i < l->nr_v; i++) {
		if (default_name && !strcmp(l->v[i].name, default_name))
			return (int)i;
		if (is_better(&l->v[i], &l->v[best]))
			best = i;
	}
	return l->nr_v ? (int)best : -1;
}
