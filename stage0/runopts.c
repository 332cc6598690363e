/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/runopts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "stage0/cmd.h"
#include "stage0/config.h"

/* While parsing, app options go to the last image, or before the first to run_args.all. */
static struct app_args *current(struct run_args *r)
{
	return r->nr_apps ? &r->apps[r->nr_apps - 1] : &r->all;
}

#define APP_STRING(field)                                               \
	static int app_##field(void *ctx, const char *v, struct err *e) \
	{                                                               \
		(void)e;                                                \
		current(ctx)->field = v;                                \
		return 0;                                               \
	}
APP_STRING(name)
APP_STRING(exec)
APP_STRING(cwd)
APP_STRING(user)
APP_STRING(group)

#define APP_LIST(field)                                                 \
	static int app_##field(void *ctx, const char *v, struct err *e) \
	{                                                               \
		(void)e;                                                \
		strv_add(&current(ctx)->field, v);                      \
		return 0;                                               \
	}
APP_LIST(env)
APP_LIST(mounts)

static int app_gids(void *ctx, const char *v, struct err *e)
{
	cleanup_free char *list = xstrdup(v);
	char *word, *save = NULL;
	uint64_t gid;

	for (word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (num_parse_u64(word, 0, UINT32_MAX - 1, &gid) < 0)
			return err_set(e, 0, "'%s' is not a group number", word);
		strv_add(&current(ctx)->gids, word);
	}
	return 0;
}

static int app_memory(void *ctx, const char *v, struct err *e)
{
	uint64_t n;

	if (num_parse_size(v, &n, e) < 0)
		return -1;
	if (n < 4096)
		return err_set(e, 0, "a memory limit below 4096 bytes leaves nothing to run in");
	current(ctx)->memory = n;
	return 0;
}

static int app_cpu(void *ctx, const char *v, struct err *e)
{
	uint64_t milli;

	if (num_parse_cpus(v, &milli, e) < 0)
		return -1;
	if (milli > RUN_MAX_CPUS * 1000)
		return err_set(e, 0, "a VM has at most %d CPUs", RUN_MAX_CPUS);
	current(ctx)->cpu_milli = milli;
	return 0;
}

static int app_readonly(void *ctx, const char *v, struct err *e)
{
	if (strcmp(v, "true") && strcmp(v, "false"))
		return err_set(e, 0, "it takes true or false");
	current(ctx)->readonly = v;
	return 0;
}

/* 0 is no way to say "as usual": that is what leaving the option out means. */
static int pod_vm_cpus(void *ctx, const char *v, struct err *e)
{
	struct run_args *r = ctx;

	if (num_parse_u64(v, 1, RUN_MAX_CPUS, &r->vm_cpus) < 0)
		return err_set(e, 0, "a VM has 1 to %d CPUs", RUN_MAX_CPUS);
	return 0;
}

static int pod_vm_memory(void *ctx, const char *v, struct err *e)
{
	struct run_args *r = ctx;
	uint64_t n;

	if (num_parse_size(v, &n, e) < 0)
		return -1;
	if (n < RUN_MIN_MEMORY)
		return err_set(e, 0, "a VM needs at least 64 MiB of memory");
	r->vm_memory = n;
	return 0;
}

static int pod_boot_timeout(void *ctx, const char *v, struct err *e)
{
	struct run_args *r = ctx;
	uint64_t n;

	if (num_parse_duration(v, &n, e) < 0)
		return -1;
	if (!n)
		return err_set(e, 0, "a guest needs time to boot");
	r->boot_timeout_ns = n;
	return 0;
}

#define POD(f) offsetof(struct run_args, f)
#define FLAG(n, l, f, h)                                    \
	{                                                   \
		n, l, OPT_BOOL, POD(f), NULL, NULL, h, NULL \
	}
#define TEXT(n, f, v, h)                                \
	{                                               \
		n, 0, OPT_STR, POD(f), v, NULL, h, NULL \
	}
#define TIME(n, f, h)                                             \
	{                                                         \
		n, 0, OPT_DURATION, POD(f), "TIME", NULL, h, NULL \
	}
#define CALL(n, l, v, h, fn)                      \
	{                                         \
		n, l, OPT_CALL, 0, v, NULL, h, fn \
	}

#define APP_OPTS                                                                              \
	CALL("exec", 0, "PATH", "program to run instead of the image's", app_exec),           \
		CALL("entrypoint", 0, "PATH", "the same, docker's name", app_exec),           \
		CALL("name", 0, "NAME", "the app's name in the pod", app_name),               \
		CALL("environment", 'e', "K=V", "set a variable of the app's environment",    \
		     app_env),                                                                \
		CALL("env", 0, "K=V", "the same, docker's name", app_env),                    \
		CALL("working-dir", 'w', "DIR", "directory to start in", app_cwd),            \
		CALL("workdir", 0, "DIR", "the same, docker's name", app_cwd),                \
		CALL("user", 'u', "USER", "user: name, number or a file whose owner counts",  \
		     app_user),                                                               \
		CALL("group", 0, "GROUP", "group, likewise", app_group),                      \
		CALL("supplementary-gids", 0, "N,…", "further group numbers", app_gids),      \
		CALL("memory", 'm', "SIZE", "the app's memory limit", app_memory),            \
		CALL("cpu", 0, "CPUS", "the app's CPU limit, as in 2, 0.5 or 500m", app_cpu), \
		CALL("cpus", 0, "CPUS", "the same, docker's name", app_cpu),                  \
		{ "readonly-rootfs",   0,	    OPT_CALL, 0, "BOOL", "true",              \
		  "no writable layer", app_readonly },                                        \
		{ "read-only", 0, OPT_CALL, 0, "BOOL", "true", "the same, docker's name",     \
		  app_readonly },                                                             \
		CALL("mount", 0, "volume=NAME,target=PATH", "mount a volume in the app",      \
		     app_mounts)

#define POD_OPTS                                                                          \
	{ "volume",                                                                       \
	  'v',                                                                            \
	  OPT_STRV,                                                                       \
	  POD(volumes),                                                                   \
	  "NAME,kind=empty[,mode=,uid=,gid=]",                                            \
	  NULL,                                                                           \
	  "a volume of the pod",                                                          \
	  NULL },                                                                         \
		TEXT("hostname", hostname, "NAME", "the pod's host name (vpod-UUID)"),    \
		TEXT("scratch", scratch, "disk[:SIZE]|tmpfs[:SIZE]",                      \
		     "where the apps' changes go (disk:4G)"),                             \
		TEXT("kernel", kernel, "NAME", "kernel to boot, see 'vpod kernel list'"), \
		TEXT("pull-policy", pull_policy, "never|new|update", "when to fetch images (new)")

#define START_OPTS                                                                             \
	TEXT("net", net, "none", "network; only none in this version"),                        \
		TEXT("hypervisor", hypervisor, "auto|kvm|qemu",                                \
		     "which monitor runs the pod (auto)"),                                     \
		TEXT("accel", accel, "auto|kvm|tcg",                                           \
		     "hardware or software virtualization (auto)"),                            \
		TEXT("kernel-append", append, "ARGS",                                          \
		     "further words for the kernel command line"),                             \
		CALL("vm-memory", 0, "SIZE",                                                   \
		     "the VM's memory (512Mi, or the apps' limits and 128Mi)", pod_vm_memory), \
		CALL("vm-cpus", 0, "N", "the VM's CPUs, 1 to 16 (the apps' limits, or 1)",     \
		     pod_vm_cpus),                                                             \
		TIME("timeout", timeout_ns,                                                    \
		     "end the pod after this time, with status 124; 0 is never"),              \
		CALL("boot-timeout", 0, "TIME",                                                \
		     "how long the guest may take to boot (60s, TCG 180s)", pod_boot_timeout), \
		TIME("stop-timeout", stop_timeout_ns,                                          \
		     "between the stop signal and the kill (10s); 0 kills at once"),           \
		FLAG("mds-register", 0, mds_register,                                          \
		     "give the apps the metadata service, at AC_METADATA_URL"),                \
		FLAG("rm", 0, rm, "remove the pod when it has ended"),                         \
		{ "timing",                                                                    \
		  0,                                                                           \
		  OPT_STR,                                                                     \
		  POD(timing),                                                                 \
		  "FORMAT",                                                                    \
		  "text",                                                                      \
		  "tell on standard error how long each phase took (text, json)",              \
		  NULL },                                                                      \
		FLAG("dry-run", 0, dry_run, "print the hypervisor's command and stop")

#define STDIO_OPTS                                                                \
	FLAG("interactive", 'i', interactive, "give the app our standard input"), \
		FLAG("tty", 't', tty, "give the app a terminal")

const struct opt run_opts[] = {
	APP_OPTS,
	POD_OPTS,
	START_OPTS,
	STDIO_OPTS,
	TEXT("uuid-file-save", uuid_file, "FILE", "write the pod's UUID here before it starts"),
	OPT_END,
};

const struct opt prepare_opts[] = {
	APP_OPTS,
	POD_OPTS,
	STDIO_OPTS,
	FLAG("quiet", 'q', quiet, "print the UUID only (it is all that is printed)"),
	TEXT("uuid-file-save", uuid_file, "FILE", "write the pod's UUID here too"),
	OPT_END,
};

const struct opt run_prepared_opts[] = {
	START_OPTS,
	OPT_END,
};

static void add_app(struct run_args *r, const char *image)
{
	r->apps = xrealloc(r->apps, (r->nr_apps + 1) * sizeof(*r->apps));
	r->apps[r->nr_apps++] = (struct app_args){ .image = image };
}

/* Words up to "---" or the end are the app's. */
static void take_args(struct app_args *a, int argc, char **argv, int *i)
{
	a->has_args = true;
	a->args = argv + *i;
	while (*i < argc && strcmp(argv[*i], "---")) {
		(*i)++;
		a->nr_args++;
	}
}

static int parse_words(const struct opt_set *sets, int argc, char **argv, struct run_args *r,
		       struct err *e)
{
	bool ended, want_image = true;
	int i = 1;

	while (i < argc) {
		if (opts_parse(sets, argc, argv, &i, &ended, e) < 0)
			return -1;
		if (ended && want_image)
			return err_setk(e, ERR_USAGE, 0, "cannot run: '--' must follow an image");
		if (ended)
			take_args(current(r), argc, argv, &i);
		if (i >= argc)
			break;
		if (!strcmp(argv[i], "---")) {
			if (want_image)
				return err_setk(e, ERR_USAGE, 0,
						"cannot run: '---' must follow an image");
			want_image = true;
			i++;
		} else if (want_image) {
			add_app(r, argv[i++]);
			want_image = false;
		} else {
			take_args(current(r), argc, argv, &i);
		}
	}
	if (!r->nr_apps || want_image)
		return err_setk(e, ERR_USAGE, 0, "cannot run: no image given%s",
				r->nr_apps ? " after '---'" : "");
	return 0;
}

int run_args_parse(const struct cmd *cmd, int argc, char **argv, struct run_args *out,
		   struct err *e)
{
	bool help = false;
	struct opt_set sets[] = {
		{ cmd->opts, out }, { cmd_help_opts, &help }, config_opt_set(), { NULL, NULL }
	};

	*out = (struct run_args)RUN_ARGS_INIT;
	if (parse_words(sets, argc, argv, out, e) < 0 && !help)
		return config_print_version() ? 1 : -1;
	if (help)
		cmd_print_help(cmd);
	return help || config_print_version() ? 1 : config_settle(e);
}

static void app_args_free(struct app_args *a)
{
	strv_free(&a->env);
	strv_free(&a->gids);
	strv_free(&a->mounts);
}

void run_args_free(struct run_args *r)
{
	unsigned i;

	for (i = 0; i < r->nr_apps; i++)
		app_args_free(&r->apps[i]);
	app_args_free(&r->all);
	free(r->apps);
	strv_free(&r->volumes);
	*r = (struct run_args){ 0 };
}
