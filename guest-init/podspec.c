/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser of the pod spec.  Everything is checked here, so that what comes later can fail only
 * for what the guest's kernel or the images say.
 */
#include "podspec.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "podspec_internal.h"

struct key {
	const char *name;
	bool is_of_pod;
	int (*set)(struct pod *pod, struct app *app, char *value, struct err *e);
};

int podspec_split(char *value, char **words, int max)
{
	int n = 0;

	for (char *p = value; p; n++) {
		if (n == max)
			return -1;
		words[n] = p;
		p = strchr(p, ' ');
		if (p)
			*p++ = '\0';
	}
	return n;
}

/* Names become directories of the scratch file system and mount options. */
static bool is_name(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < 128 && s[0] != '.' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static bool is_path(const char *s)
{
	return s[0] == '/' && strlen(s) < PATH_MAX;
}

int podspec_bad_value(const char *what, struct err *e)
{
	return err_set(e, 0, "cannot read pod spec: bad value of %s", what);
}

int podspec_too_many(const char *what, struct err *e)
{
	return err_set(e, 0, "cannot read pod spec: too many of %s", what);
}

static int set_flag(const char *what, const char *value, bool *flag, struct err *e)
{
	if (strcmp(value, "1"))
		return podspec_bad_value(what, e);
	*flag = true;
	return 0;
}

static int set_hostname(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)app;
	if (!value[0] || strlen(value) > 64)
		return podspec_bad_value("hostname", e);
	pod->hostname = value;
	return 0;
}

static int set_scratch(struct pod *pod, struct app *app, char *value, struct err *e)
{
	char *w[2];

	(void)app;
	if (podspec_split(value, w, 2) != 2 || !w[1][0])
		return podspec_bad_value("scratch", e);
	if (!strcmp(w[0], "disk"))
		pod->scratch_disk = w[1];
	else if (strcmp(w[0], "tmpfs") ||
		 num_parse_u64(w[1], 0, INT64_MAX, &pod->scratch_bytes) < 0)
		return podspec_bad_value("scratch", e);
	return 0;
}

static const struct volume *volume_find(const struct pod *pod, const char *name)
{
	for (unsigned i = 0; i < pod->nr_volumes; i++) {
		if (!strcmp(pod->volumes[i].name, name))
			return &pod->volumes[i];
	}
	return NULL;
}

static int parse_mode(const char *s, mode_t *mode)
{
	char *end;
	unsigned long v = strtoul(s, &end, 8);

	if (s[0] < '0' || s[0] > '7' || *end || v > 07777)
		return -1;
	*mode = (mode_t)v;
	return 0;
}

static int set_volume(struct pod *pod, struct app *app, char *value, struct err *e)
{
	struct volume *v = &pod->volumes[pod->nr_volumes];
	uint64_t uid, gid;
	char *w[4];

	(void)app;
	if (pod->nr_volumes == POD_MAX_VOLUMES)
		return podspec_too_many("volume", e);
	if (podspec_split(value, w, 4) != 4 || !is_name(w[0]) || volume_find(pod, w[0]) ||
	    parse_mode(w[1], &v->mode) < 0 || num_parse_u64(w[2], 0, UINT32_MAX - 1, &uid) < 0 ||
	    num_parse_u64(w[3], 0, UINT32_MAX - 1, &gid) < 0)
		return podspec_bad_value("volume", e);
	v->name = w[0];
	v->uid = (uid_t)uid;
	v->gid = (gid_t)gid;
	pod->nr_volumes++;
	return 0;
}

static int set_debug(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)app;
	return set_flag("debug", value, &pod->is_debug, e);
}

static int set_resolv(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)app;
	(void)e;
	pod->resolv = value;
	return 0;
}

static int set_hosts(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)app;
	(void)e;
	pod->hosts = value;
	return 0;
}

static int set_metadata(struct pod *pod, struct app *app, char *value, struct err *e)
{
	uint64_t port;

	(void)app;
	if (num_parse_u64(value, 1, UINT16_MAX, &port) < 0)
		return podspec_bad_value("metadata", e);
	pod->metadata_port = (uint16_t)port;
	return 0;
}

static int set_rootfs(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)pod;
	app->rootfs = value;
	return value[0] ? 0 : podspec_bad_value("rootfs", e);
}

static int set_readonly(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)pod;
	return set_flag("readonly", value, &app->is_readonly, e);
}

/* One slot stays free for the NULL that ends the app's list. */
static int add_word(char **words, unsigned *nr, char *value, const char *what, struct err *e)
{
	if (*nr >= POD_MAX_WORDS - 1)
		return podspec_too_many(what, e);
	words[(*nr)++] = value;
	return 0;
}

static int add_exec(struct pod *pod, struct app *app, char *value, struct err *e)
{
	if (&pod->args[pod->nr_args] == app->argv && !value[0])
		return podspec_bad_value("exec", e);
	return add_word(pod->args, &pod->nr_args, value, "exec", e);
}

static int add_env(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)app;
	if (value[0] == '=' || !strchr(value, '='))
		return podspec_bad_value("env", e);
	return add_word(pod->env, &pod->nr_env, value, "env", e);
}

static int set_cwd(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)pod;
	app->cwd = value;
	return is_path(value) ? 0 : podspec_bad_value("cwd", e);
}

static int set_user(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)pod;
	(void)e;
	app->user = value[0] ? value : NULL;
	return 0;
}

static int set_group(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)pod;
	(void)e;
	app->group = value[0] ? value : NULL;
	return 0;
}

static int add_gid(struct pod *pod, struct app *app, char *value, struct err *e)
{
	uint64_t gid;

	if (pod->nr_gids == POD_MAX_GIDS)
		return podspec_too_many("gid", e);
	if (num_parse_u64(value, 0, UINT32_MAX - 1, &gid) < 0)
		return podspec_bad_value("gid", e);
	pod->gids[pod->nr_gids++] = (gid_t)gid;
	app->nr_gids++;
	return 0;
}

static int add_volume_mount(struct pod *pod, struct app *app, char *value, bool copies_up,
			    struct err *e)
{
	struct volume_mount *m = &pod->mounts[pod->nr_mounts];
	char *w[3];
	int n;

	if (pod->nr_mounts == POD_MAX_MOUNTS)
		return podspec_too_many("mount", e);
	n = podspec_split(value, w, 3);
	if (n < 2 || (n == 3 && strcmp(w[2], "ro")) || !is_path(w[1]))
		return podspec_bad_value("mount", e);
	*m = (struct volume_mount){ .volume = volume_find(pod, w[0]),
				    .target = w[1],
				    .is_readonly = n == 3,
				    .copies_up = copies_up };
	if (!m->volume)
		return err_set(e, 0, "cannot read pod spec: mount of unknown volume '%s'", w[0]);
	pod->nr_mounts++;
	app->nr_mounts++;
	return 0;
}

static int add_mount(struct pod *pod, struct app *app, char *value, struct err *e)
{
	return add_volume_mount(pod, app, value, false, e);
}

static int add_copyup(struct pod *pod, struct app *app, char *value, struct err *e)
{
	return add_volume_mount(pod, app, value, true, e);
}

static int parse_limit(const char *s, rlim_t *out)
{
	uint64_t v;

	if (!strcmp(s, "unlimited")) {
		*out = RLIM_INFINITY;
		return 0;
	}
	if (num_parse_u64(s, 0, INT64_MAX, &v) < 0)
		return -1;
	*out = (rlim_t)v;
	return 0;
}

static int parse_resource(const char *name)
{
	static const struct {
		const char *name;
		int resource;
	} all[] = {
		{ "as", RLIMIT_AS },
		{ "core", RLIMIT_CORE },
		{ "cpu", RLIMIT_CPU },
		{ "data", RLIMIT_DATA },
		{ "fsize", RLIMIT_FSIZE },
		{ "locks", RLIMIT_LOCKS },
		{ "memlock", RLIMIT_MEMLOCK },
		{ "msgqueue", RLIMIT_MSGQUEUE },
		{ "nice", RLIMIT_NICE },
		{ "nofile", RLIMIT_NOFILE },
		{ "nproc", RLIMIT_NPROC },
		{ "rss", RLIMIT_RSS },
		{ "rtprio", RLIMIT_RTPRIO },
		{ "rttime", RLIMIT_RTTIME },
		{ "sigpending", RLIMIT_SIGPENDING },
		{ "stack", RLIMIT_STACK },
	};

	for (size_t i = 0; i < nitems(all); i++) {
		if (!strcmp(all[i].name, name))
			return all[i].resource;
	}
	return -1;
}

static int add_rlimit(struct pod *pod, struct app *app, char *value, struct err *e)
{
	struct app_rlimit *r = &pod->rlimits[pod->nr_rlimits];
	char *w[3];

	if (pod->nr_rlimits == POD_MAX_RLIMITS)
		return podspec_too_many("rlimit", e);
	if (podspec_split(value, w, 3) != 3 || parse_limit(w[1], &r->limit.rlim_cur) < 0 ||
	    parse_limit(w[2], &r->limit.rlim_max) < 0)
		return podspec_bad_value("rlimit", e);
	r->resource = parse_resource(w[0]);
	if (r->resource < 0 || r->limit.rlim_cur > r->limit.rlim_max)
		return podspec_bad_value("rlimit", e);
	pod->nr_rlimits++;
	app->nr_rlimits++;
	return 0;
}

static int set_memory(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)pod;
	if (num_parse_u64(value, 1, INT64_MAX, &app->memory) < 0)
		return podspec_bad_value("memory", e);
	return 0;
}

static int set_cpu(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)pod;
	if (num_parse_u64(value, 1, 1024 * 1000, &app->cpu_milli) < 0)
		return podspec_bad_value("cpu", e);
	return 0;
}

static int set_stopsignal(struct pod *pod, struct app *app, char *value, struct err *e)
{
	uint64_t v;

	(void)pod;
	if (num_parse_u64(value, 1, 64, &v) < 0)
		return podspec_bad_value("stopsignal", e);
	app->stop_signal = (int)v;
	return 0;
}

static int set_stdin(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)pod;
	return set_flag("stdin", value, &app->has_stdin, e);
}

static int set_tty(struct pod *pod, struct app *app, char *value, struct err *e)
{
	uint64_t rows, cols;
	char *w[2];

	(void)pod;
	if (podspec_split(value, w, 2) != 2 || num_parse_u64(w[0], 0, UINT16_MAX, &rows) < 0 ||
	    num_parse_u64(w[1], 0, UINT16_MAX, &cols) < 0)
		return podspec_bad_value("tty", e);
	app->has_tty = true;
	app->rows = (uint16_t)rows;
	app->cols = (uint16_t)cols;
	return 0;
}

static int set_caps(struct pod *pod, struct app *app, char *value, struct err *e)
{
	size_t n = strlen(value);

	(void)pod;
	if (n < 1 || n > 16 || strspn(value, "0123456789abcdef") != n)
		return podspec_bad_value("caps", e);
	app->caps = strtoull(value, NULL, 16);
	return 0;
}

static int set_nopaths(struct pod *pod, struct app *app, char *value, struct err *e)
{
	(void)pod;
	return set_flag("nopaths", value, &app->has_nopaths, e);
}

/* Ends the lists of the app that was read last, and says what it lacks. */
static int app_end(struct pod *pod, struct err *e)
{
	const struct app *app;

	if (!pod->nr_apps)
		return 0;
	app = &pod->apps[pod->nr_apps - 1];
	if (&pod->args[pod->nr_args] == app->argv)
		return err_set(e, 0, "cannot read pod spec: app %s has no exec", app->name);
	if (!app->rootfs)
		return err_set(e, 0, "cannot read pod spec: app %s has no rootfs", app->name);
	pod->args[pod->nr_args++] = NULL;
	pod->env[pod->nr_env++] = NULL;
	return 0;
}

static int begin_app(struct pod *pod, struct app *app, char *value, struct err *e)
{
	if (app_end(pod, e) < 0)
		return -1;
	if (pod->nr_apps == PROTO_MAX_APPS || pod->nr_args == POD_MAX_WORDS ||
	    pod->nr_env == POD_MAX_WORDS)
		return podspec_too_many("app", e);
	if (!is_name(value))
		return podspec_bad_value("app", e);
	for (unsigned i = 0; i < pod->nr_apps; i++) {
		if (!strcmp(pod->apps[i].name, value))
			return err_set(e, 0, "cannot read pod spec: two apps are called %s", value);
	}
	app = &pod->apps[pod->nr_apps++];
	*app = (struct app){
		.name = value,
		.cwd = "/",
		.argv = &pod->args[pod->nr_args],
		.env = &pod->env[pod->nr_env],
		.mounts = &pod->mounts[pod->nr_mounts],
		.gids = &pod->gids[pod->nr_gids],
		.rlimits = &pod->rlimits[pod->nr_rlimits],
		.caps = POD_DEFAULT_CAPS,
		.stop_signal = 15,
	};
	return 0;
}

static const struct key keys[] = {
	{ "hostname", true, set_hostname },
	{ "scratch", true, set_scratch },
	{ "volume", true, set_volume },
	{ "debug", true, set_debug },
	{ "nic", true, podspec_add_nic },
	{ "addr", true, podspec_add_addr },
	{ "route", true, podspec_add_route },
	{ "resolv", true, set_resolv },
	{ "hosts", true, set_hosts },
	{ "metadata", true, set_metadata },
	{ "app", true, begin_app },
	{ "rootfs", false, set_rootfs },
	{ "readonly", false, set_readonly },
	{ "exec", false, add_exec },
	{ "env", false, add_env },
	{ "cwd", false, set_cwd },
	{ "user", false, set_user },
	{ "group", false, set_group },
	{ "gid", false, add_gid },
	{ "mount", false, add_mount },
	{ "copyup", false, add_copyup },
	{ "rlimit", false, add_rlimit },
	{ "memory", false, set_memory },
	{ "cpu", false, set_cpu },
	{ "stopsignal", false, set_stopsignal },
	{ "stdin", false, set_stdin },
	{ "tty", false, set_tty },
	{ "caps", false, set_caps },
	{ "nopaths", false, set_nopaths },
};

static int apply(struct pod *pod, const char *name, char *value, struct err *e)
{
	struct app *app = pod->nr_apps ? &pod->apps[pod->nr_apps - 1] : NULL;

	for (size_t i = 0; i < nitems(keys); i++) {
		if (strcmp(keys[i].name, name))
			continue;
		if (keys[i].set != begin_app && keys[i].is_of_pod == !!app)
			return err_set(e, 0, "cannot read pod spec: key %s is in the wrong place",
				       name);
		return keys[i].set(pod, app, value, e);
	}
	return err_set(e, 0, "cannot read pod spec: unknown key '%.32s'", name);
}

/* Takes one record from [*p, end), making name and value strings.  Returns -1 if it is not one. */
static int record_next(char **p, char *end, char **name, char **value)
{
	char *space = memchr(*p, ' ', (size_t)(end - *p));
	char *lf = memchr(*p, '\n', (size_t)(end - *p));
	uint64_t len;

	if (!space || !lf || space > lf)
		return -1;
	*space = *lf = '\0';
	if (num_parse_u64(space + 1, 0, PODSPEC_MAX, &len) < 0 || (uint64_t)(end - lf) < len + 2 ||
	    lf[1 + len] != '\n')
		return -1;
	*name = *p;
	*value = lf + 1;
	lf[1 + len] = '\0';
	if (strlen(*value) != len)
		return -1;
	*p = lf + 2 + len;
	return 0;
}

static int parse_records(struct pod *pod, char *text, size_t len, struct err *e)
{
	char *p = text, *end = text + len, *name, *value;

	if (record_next(&p, end, &name, &value) < 0 || strcmp(name, PODSPEC_MAGIC) ||
	    strcmp(value, PODSPEC_VERSION))
		return err_set(e, 0, "cannot read pod spec: not version " PODSPEC_VERSION);
	while (p < end) {
		if (record_next(&p, end, &name, &value) < 0)
			return err_set(e, 0, "cannot read pod spec: broken record at byte %zu",
				       (size_t)(p - text));
		if (apply(pod, name, value, e) < 0)
			return -1;
	}
	if (!pod->nr_apps)
		return err_set(e, 0, "cannot read pod spec: it has no app");
	return app_end(pod, e);
}

int podspec_parse(struct pod *pod, char *text, size_t len, struct err *e)
{
	int r = parse_records(pod, text, len, e);

	if (r < 0)
		pod->nr_apps = 0;
	return r;
}
