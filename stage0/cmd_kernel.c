/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/helper.h"
#include "base/json.h"
#include "base/num.h"
#include "stage0/cmd.h"
#include "stage0/config.h"
#include "stage0/kernel.h"
#include "stage0/kernel_config.h"
#include "stage0/kernel_store.h"

extern const struct cmd cmd_kernel_import, cmd_kernel_list, cmd_kernel_info, cmd_kernel_rm,
	cmd_kernel_default, cmd_kernel_check;

/* kernel import */

struct import_args {
	const char *name;
	bool make_default;
};

static const struct opt import_opts[] = {
	{ "name", 0, OPT_STR, offsetof(struct import_args, name), "NAME", NULL,
	  "name in the store, instead of the release", NULL },
	{ "default", 0, OPT_BOOL, offsetof(struct import_args, make_default), NULL, NULL,
	  "make it the default kernel", NULL },
	OPT_END,
};

static void say_import(const cJSON *result)
{
	const char *name = "", *state = "";
	struct err ignored; /* our own helper's answer */

	(void)json_get_str(result, "name", &name, &ignored);
	(void)json_get_str(result, "state", &state, &ignored);
	if (!strcmp(state, "unchanged"))
		fprintf(stderr, "kernel %s is already there\n", name);
	printf("%s\n", name);
}

/* A kernel that cannot run a pod may be imported, but one is told. */
static void warn_missing(const struct config *cfg, const cJSON *result)
{
	cleanup_kernel struct kernel k = { 0 };
	const char *name = NULL;
	struct err e = { 0 };

	if (json_get_str(result, "name", &name, &e) > 0 && !kernel_find(cfg, name, &k, &e) &&
	    kernel_check(&k, &e) < 0)
		fprintf(stderr, "warning: %s\n", e.msg);
}

static int run_import(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct import_args a = { 0 };
	cleanup_strv struct strv args = { 0 };
	cleanup_json cJSON *result = NULL;
	int i = cmd_parse(&cmd_kernel_import, &a, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_kernel_import, argc - i, 1, 1, e) < 0)
		return -1;
	strv_addf(&args, "--dir=%s", cfg->dir);
	if (a.name)
		strv_addf(&args, "--name=%s", a.name);
	if (a.make_default)
		strv_add(&args, "--default");
	strv_add(&args, "--");
	strv_add(&args, argv[i]);
	if (helper_run("vpod-kernel", &args, &result, e) < 0)
		return -1;
	say_import(result);
	warn_missing(cfg, result);
	return 0;
}

const struct cmd cmd_kernel_import = {
	.name = "kernel import",
	.args = "FILE|DIRECTORY",
	.summary = "add a guest kernel to the store",
	.opts = import_opts,
	.description =
		"Takes a linux-image .deb, a bzImage, an x86-64 vmlinux, a kernel's build tree or an\n"
		"unpacked package; nothing is installed.  Prints the kernel's name.",
	.run = run_import,
};

/* kernel list */

struct list_args {
	const char *format;
	bool no_legend;
};

static const struct opt list_opts[] = {
	{ "format", 0, OPT_STR, offsetof(struct list_args, format), "FORMAT", NULL,
	  "json, json-pretty or table", NULL },
	{ "no-legend", 0, OPT_BOOL, offsetof(struct list_args, no_legend), NULL, NULL,
	  "leave the head of the table out", NULL },
	OPT_END,
};

/* Opens the store. Returns its fd, or -2 when there is none yet, which is an empty one. */
static int open_store(const struct config *cfg, struct err *e)
{
	int fd = kernel_store_open(cfg->dir, false, e);

	return fd < 0 && e->kind == ERR_NOT_FOUND ? -2 : fd;
}

/* What a run without --kernel would take: its index, or -1. */
static int load_list(const struct config *cfg, struct kernel_list *l, int *chosen, struct err *e)
{
	cleanup_close int store = open_store(cfg, e);
	cleanup_free char *set = NULL;

	*chosen = -1;
	if (store < 0)
		return store == -2 ? 0 : -1;
	if (kernel_store_list(store, l, e) < 0)
		return -1;
	set = kernel_default_get(store);
	*chosen = kernel_store_choose(l, set);
	return 0;
}

static void print_json(cJSON *j, enum output format)
{
	struct strbuf b = STRBUF_INIT;

	json_print(&b, j, format == OUTPUT_JSON_PRETTY);
	puts(b.buf);
	sb_free(&b);
}

static void list_json(const struct kernel_list *l, int chosen, enum output format)
{
	cleanup_json cJSON *j = cJSON_CreateArray();
	size_t i;

	for (i = 0; i < l->nr_v; i++) {
		cJSON *k = kernel_info_json(&l->v[i]);

		cJSON_AddBoolToObject(k, "default", (int)i == chosen);
		cJSON_AddItemToArray(j, k);
	}
	print_json(j, format);
}

/* The last component tells most: sources are long paths. */
static const char *short_source(const struct kernel_info *k)
{
	const char *slash = strrchr(k->source, '/');

	return slash && slash[1] ? slash + 1 : k->source;
}

struct widths {
	int name, release, source;
};

static void widen(int *width, const char *s)
{
	if ((int)strlen(s) > *width)
		*width = (int)strlen(s);
}

static struct widths measure(const struct kernel_list *l)
{
	struct widths w = { strlen("NAME"), strlen("RELEASE"), strlen("SOURCE") };
	size_t i;

	for (i = 0; i < l->nr_v; i++) {
		widen(&w.name, l->v[i].name);
		widen(&w.release, l->v[i].release);
		widen(&w.source, short_source(&l->v[i]));
	}
	return w;
}

static void list_table(const struct kernel_list *l, int chosen, bool no_legend)
{
	struct widths w = measure(l);
	char size[32];
	size_t i;

	if (!no_legend)
		printf("%-*s  %-*s  %-*s  %-10s  %-19s  %s\n", w.name, "NAME", w.release, "RELEASE",
		       w.source, "SOURCE", "SIZE", "IMPORTED", "DEFAULT");
	for (i = 0; i < l->nr_v; i++)
		printf("%-*s  %-*s  %-*s  %-10s  %-19.19s  %s\n", w.name, l->v[i].name, w.release,
		       l->v[i].release, w.source, short_source(&l->v[i]),
		       num_format_size(l->v[i].size, size), l->v[i].imported,
		       (int)i == chosen ? "yes" : "-");
}

static int run_list(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct list_args a = { 0 };
	cleanup_kernel_list struct kernel_list l = { 0 };
	enum output format = OUTPUT_TABLE;
	int i = cmd_parse(&cmd_kernel_list, &a, argc, argv, e), chosen;

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (argc > i)
		return err_setk(e, ERR_USAGE, 0, "cannot run 'kernel list': it takes no arguments");
	if ((a.format && output_parse(a.format, &format, e) < 0) ||
	    load_list(cfg, &l, &chosen, e) < 0)
		return -1;
	if (format == OUTPUT_TABLE)
		list_table(&l, chosen, a.no_legend);
	else
		list_json(&l, chosen, format);
	return 0;
}

const struct cmd cmd_kernel_list = {
	.name = "kernel list",
	.args = "",
	.summary = "show the guest kernels of the store",
	.opts = list_opts,
	.run = run_list,
};

/* kernel info */

static const struct opt info_opts[] = {
	{ "format", 0, OPT_STR, offsetof(struct list_args, format), "FORMAT", NULL,
	  "json, json-pretty or table (key=value)", NULL },
	OPT_END,
};

static cJSON *string_array(const struct strv *v)
{
	cJSON *a = cJSON_CreateArray();
	size_t i;

	for (i = 0; i < v->nr_v; i++)
		cJSON_AddItemToArray(a, cJSON_CreateString(v->v[i]));
	return a;
}

/* Strings as they are, numbers, yes and no; a line for each element of an array. */
static void print_key_values(const cJSON *o)
{
	const cJSON *j, *a;

	cJSON_ArrayForEach(j, o)
	{
		if (cJSON_IsString(j))
			printf("%s=%s\n", j->string, j->valuestring);
		else if (cJSON_IsNumber(j))
			printf("%s=%.0f\n", j->string, j->valuedouble);
		else if (cJSON_IsBool(j))
			printf("%s=%s\n", j->string, cJSON_IsTrue(j) ? "yes" : "no");
		if (!cJSON_IsArray(j))
			continue;
		cJSON_ArrayForEach(a, j)
		{
			printf("%s=%s\n", j->string, a->valuestring);
		}
	}
}

static int info_object(const struct config *cfg, const char *name, cJSON *out[static 1],
		       struct err *e)
{
	cleanup_strv struct strv missing = { 0 }, wanted = { 0 };
	cleanup_kernel_info struct kernel_info info = { 0 };
	cleanup_kernel struct kernel k = { 0 }, chosen = { 0 };
	cleanup_close int store = -1;
	struct err ignored;

	if (kernel_find(cfg, name, &k, e) < 0 || kernel_missing(&k, &missing, &wanted, e) < 0)
		return -1;
	store = kernel_store_open(cfg->dir, false, e);
	if (store < 0 || kernel_info_read(store, k.name, &info, e) < 0)
		return -1;
	*out = kernel_info_json(&info);
	cJSON_AddBoolToObject(*out, "default",
			      !kernel_find(cfg, NULL, &chosen, &ignored) &&
				      !strcmp(chosen.name, k.name));
	cJSON_AddStringToObject(*out, "vmlinux", k.vmlinux);
	cJSON_AddItemToObject(*out, "missing", string_array(&missing));
	cJSON_AddItemToObject(*out, "wanted", string_array(&wanted));
	return 0;
}

static int run_info(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct list_args a = { 0 };
	cleanup_json cJSON *j = NULL;
	enum output format = OUTPUT_TABLE;
	int i = cmd_parse(&cmd_kernel_info, &a, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_kernel_info, argc - i, 1, 1, e) < 0 ||
	    (a.format && output_parse(a.format, &format, e) < 0) ||
	    info_object(cfg, argv[i], &j, e) < 0)
		return -1;
	if (format == OUTPUT_TABLE)
		print_key_values(j);
	else
		print_json(j, format);
	return 0;
}

const struct cmd cmd_kernel_info = {
	.name = "kernel info",
	.args = "NAME",
	.summary = "show a guest kernel and what it lacks for pods",
	.opts = info_opts,
	.run = run_info,
};

/* kernel rm */

static int lock_store(const struct config *cfg, int *store, struct err *e)
{
	*store = kernel_store_open(cfg->dir, true, e);
	return *store < 0 ? -1 : kernel_store_lock(*store, e);
}

static int run_rm(const struct config *cfg, int argc, char **argv, struct err *e)
{
	cleanup_close int store = -1, lock = -1;
	int i = cmd_parse(&cmd_kernel_rm, NULL, argc, argv, e), n;

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_kernel_rm, argc - i, 1, 0, e) < 0)
		return -1;
	/* All or nothing as far as names go: a typing error removes none. */
	for (n = i; n < argc; n++) {
		cleanup_kernel struct kernel k = { 0 };

		if (kernel_find(cfg, argv[n], &k, e) < 0)
			return -1;
	}
	lock = lock_store(cfg, &store, e);
	if (lock < 0)
		return -1;
	for (; i < argc; i++) {
		if (kernel_store_remove(store, argv[i], e) < 0)
			return -1;
		printf("%s\n", argv[i]);
	}
	return 0;
}

const struct cmd cmd_kernel_rm = {
	.name = "kernel rm",
	.args = "NAME...",
	.summary = "remove guest kernels from the store",
	.description = "Pods that run on one keep it until they end.",
	.run = run_rm,
};

/* kernel default */

static int run_default(const struct config *cfg, int argc, char **argv, struct err *e)
{
	cleanup_kernel struct kernel k = { 0 };
	cleanup_close int store = -1, lock = -1;
	int i = cmd_parse(&cmd_kernel_default, NULL, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_kernel_default, argc - i, 0, 1, e) < 0 ||
	    kernel_find(cfg, argc > i ? argv[i] : NULL, &k, e) < 0)
		return -1;
	if (argc > i) {
		lock = lock_store(cfg, &store, e);
		if (lock < 0 || kernel_default_set(store, k.name, e) < 0)
			return -1;
	}
	printf("%s\n", k.name);
	return 0;
}

const struct cmd cmd_kernel_default = {
	.name = "kernel default",
	.args = "[NAME]",
	.summary = "show or set the kernel of pods that name none",
	.description =
		"As long as none is set, vpod's own kernel is the default, else the one imported last.",
	.run = run_default,
};

/* kernel check */

/* A .config alone: what it makes a module counts as one that will be there. */
static int check_file(const char *path, struct err *e)
{
	cleanup_strv struct strv modules = { 0 }, missing = { 0 }, wanted = { 0 };
	cleanup_sb struct strbuf text = STRBUF_INIT;
	const struct kernel_need *need;
	size_t i;

	if (fs_read(AT_FDCWD, path, KERNEL_CONFIG_MAX, &text, e) < 0)
		return -1;
	if (!config_is_valid(text.buf, text.len)) {
		err_set(e, 0, "cannot check %s: not a kernel's .config", path);
		return err_hint(e, "import an image first, then check it by its name");
	}
	for (need = kernel_needs; need->symbol; need++) {
		if (need->module)
			strv_add(&modules, need->module);
	}
	config_check(text.buf, text.len, &modules, &missing, &wanted);
	for (i = 0; i < wanted.nr_v; i++)
		printf("wanted=%s\n", wanted.v[i]);
	return kernel_check_result(path, &missing, e);
}

static int run_check(const struct config *cfg, int argc, char **argv, struct err *e)
{
	cleanup_strv struct strv missing = { 0 }, wanted = { 0 };
	cleanup_kernel struct kernel k = { 0 };
	int i = cmd_parse(&cmd_kernel_check, NULL, argc, argv, e);
	size_t n;

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_kernel_check, argc - i, 1, 1, e) < 0)
		return -1;
	if (strchr(argv[i], '/'))
		return check_file(argv[i], e);
	if (kernel_find(cfg, argv[i], &k, e) < 0 || kernel_check(&k, e) < 0 ||
	    kernel_missing(&k, &missing, &wanted, e) < 0)
		return -1;
	for (n = 0; n < wanted.nr_v; n++)
		printf("wanted=%s\n", wanted.v[n]);
	return 0;
}

const struct cmd cmd_kernel_check = {
	.name = "kernel check",
	.args = "NAME|./CONFIG",
	.summary = "compare a kernel's configuration with what pods need",
	.description = "What has a slash is the path of a .config.  Fails when a pod cannot run;\n"
		       "prints what a pod would be better off with.",
	.run = run_check,
};
