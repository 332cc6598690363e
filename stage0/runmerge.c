/* SPDX-License-Identifier: Apache-2.0 */
/* Image configuration + command line -> manifest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "stage0/config.h"
#include "stage0/runopts.h"

static bool is_ac_name(const char *s)
{
	size_t n = strlen(s);

	return n && n <= 63 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n &&
	       s[0] != '-' && s[n - 1] != '-';
}

/* "disk[:SIZE]" or "tmpfs[:SIZE]". */
static int parse_scratch(const char *s, enum scratch_kind *kind, uint64_t *size, struct err *e)
{
	const char *colon = s ? strchr(s, ':') : NULL;
	size_t n = colon ? (size_t)(colon - s) : s ? strlen(s) : 0;

	*kind = SCRATCH_DISK;
	*size = 0;
	if (!s)
		return 0;
	if (n == 5 && !strncmp(s, "tmpfs", n)) {
		*kind = SCRATCH_TMPFS;
	} else if (n != 4 || strncmp(s, "disk", n)) {
		return err_setk(e, ERR_USAGE, 0,
				"cannot use --scratch=%s: it is disk[:SIZE] or tmpfs[:SIZE]", s);
	}
	if (colon && num_parse_size(colon + 1, size, e) < 0)
		return err_wrap(e, "cannot use --scratch");
	if (colon && *size < (4u << 20))
		return err_setk(e, ERR_USAGE, 0, "cannot use --scratch=%s: less than 4Mi", s);
	return 0;
}

/* One "key=value" of a comma list in which *s stands; returns 0 at its end. */
static int next_pair(char **s, char **key, char **value)
{
	char *item = strsep(s, ",");

	if (!item)
		return 0;
	*key = item;
	*value = strchr(item, '=');
	if (*value)
		*(*value)++ = '\0';
	return 1;
}

static int bad_volume(const char *text, const char *why, struct err *e)
{
	err_setk(e, ERR_USAGE, 0, "cannot use --volume=%s: %s", text, why);
	return err_hint(e, "write NAME,kind=empty[,mode=0755,uid=0,gid=0]");
}

static int parse_volume(const char *text, struct manifest *m, struct err *e)
{
	cleanup_free char *copy = xstrdup(text);
	char *rest = copy, *name = strsep(&rest, ","), *key, *value, *end;
	bool is_empty = false;
	struct volume *v;
	uint64_t n;

	if (!is_ac_name(name))
		return bad_volume(text, "its name is not made of a-z, 0-9 and -", e);
	if (manifest_find_volume(m, name))
		return bad_volume(text, "the name is taken", e);
	v = manifest_add_volume(m, name);
	while (next_pair(&rest, &key, &value)) {
		if (!value)
			return bad_volume(text, "a word without a value", e);
		if (!strcmp(key, "kind") && !strcmp(value, "empty")) {
			is_empty = true;
		} else if (!strcmp(key, "kind")) {
			return bad_volume(text, "this version knows only kind=empty", e);
		} else if (!strcmp(key, "mode")) {
			v->mode = (unsigned)strtoul(value, &end, 8);
			if (*end || end == value || v->mode > 07777)
				return bad_volume(text, "the mode is not octal", e);
		} else if (!strcmp(key, "uid") || !strcmp(key, "gid")) {
			if (num_parse_u64(value, 0, UINT32_MAX - 1, &n) < 0)
				return bad_volume(text, "an owner is not a number", e);
			*(key[0] == 'u' ? &v->uid : &v->gid) = (uint32_t)n;
		} else {
			return bad_volume(text, "an unknown word", e);
		}
	}
	return is_empty ? 0 : bad_volume(text, "kind= is missing", e);
}

static int bad_mount(const char *text, const char *why, struct err *e)
{
	err_setk(e, ERR_USAGE, 0, "cannot use --mount=%s: %s", text, why);
	return err_hint(e, "write volume=NAME,target=PATH[,readonly=true]");
}

static int parse_mount(const char *text, const struct manifest *m, struct app *a, struct err *e)
{
	cleanup_free char *copy = xstrdup(text);
	char *rest = copy, *key, *value;
	const char *volume = NULL, *target = NULL;
	bool readonly = false;

	while (next_pair(&rest, &key, &value)) {
		if (!value && !strcmp(key, "readonly"))
			readonly = true;
		else if (!value)
			return bad_mount(text, "a word without a value", e);
		else if (!strcmp(key, "volume"))
			volume = value;
		else if (!strcmp(key, "target"))
			target = value;
		else if (!strcasecmp(key, "readonly") &&
			 (!strcmp(value, "true") || !strcmp(value, "false")))
			readonly = value[0] == 't';
		else if (!strcasecmp(key, "readonly"))
			return bad_mount(text, "readonly is neither true nor false", e);
		else
			return bad_mount(text, "an unknown word", e);
	}
	if (!volume || !target)
		return bad_mount(text, "volume= or target= is missing", e);
	if (target[0] != '/' || strchr(target, ' '))
		return bad_mount(text, "the target is not an absolute path without spaces", e);
	if (!manifest_find_volume(m, volume))
		return bad_mount(text, "the pod has no volume of that name", e);
	app_add_mount(a, volume, target)->readonly = readonly;
	return 0;
}

/* docker2aci's name of an image's volume: "volume-var-lib-x". */
static char *implicit_volume_name(const struct app *a, const char *path)
{
	char *name = xasprintf("%s-volume%s", a->name, path), *p;

	for (p = name; *p; p++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *p))
			*p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : '-';
	}
	return name;
}

/* Every path the image calls a volume and nobody mounts gets an empty one with its content. */
static void add_implicit_volumes(struct manifest *m, struct app *a, const struct image *img)
{
	size_t i;
	unsigned j;

	for (i = 0; i < img->volumes.nr_v; i++) {
		const char *path = img->volumes.v[i];
		cleanup_free char *name = implicit_volume_name(a, path);

		for (j = 0; j < a->nr_mounts && strcmp(a->mounts[j].target, path); j++)
			;
		if (j < a->nr_mounts || strchr(path, ' ') || manifest_find_volume(m, name))
			continue;
		manifest_add_volume(m, name);
		app_add_mount(a, name, path)->copyup = true;
	}
}

/* Entrypoint and command as the image has them, or what the user put in their place. */
static int merge_exec(const struct app_args *args, const struct image *img, struct app *a,
		      struct err *e)
{
	size_t i;
	int j;

	if (args->exec) {
		strv_add(&a->exec, args->exec);
	} else {
		for (i = 0; i < img->entrypoint.nr_v; i++)
			strv_add(&a->exec, img->entrypoint.v[i]);
	}
	for (j = 0; j < args->nr_args; j++)
		strv_add(&a->exec, args->args[j]);
	for (i = 0; !args->has_args && !args->exec && i < img->cmd.nr_v; i++)
		strv_add(&a->exec, img->cmd.v[i]);
	if (a->exec.nr_v && a->exec.v[0][0])
		return 0;
	err_setk(e, ERR_USAGE, 0, "cannot run image %s: it names no program", args->image);
	return err_hint(e, "give one: vpod run %s -- PROGRAM, or --exec=PROGRAM", args->image);
}

/* K=V, or docker's K: the value that our own environment has. */
static int merge_env(const struct app_args *args, const struct image *img, struct app *a,
		     struct err *e)
{
	size_t i;

	strv_copy(&a->env, &img->env);
	for (i = 0; i < args->env.nr_v; i++) {
		const char *v = args->env.v[i], *eq = strchr(v, '='), *own;

		if (v[0] == '=' || !v[0])
			return err_setk(e, ERR_USAGE, 0,
					"cannot use --environment=%s: no name before '='", v);
		own = eq ? NULL : getenv(v);
		if (eq)
			strv_add(&a->env, v);
		else if (own)
			strv_addf(&a->env, "%s=%s", v, own);
	}
	return 0;
}

/* "user[:group]" of the image or of -u; --group wins over what stands behind the colon. */
static void merge_user(const struct app_args *args, const struct image *img, struct app *a)
{
	const char *user = args->user ? args->user : img->user ? img->user : "";
	const char *colon = user[0] == '/' ? NULL : strchr(user, ':');

	a->user = colon ? xasprintf("%.*s", (int)(colon - user), user) : xstrdup(user);
	a->group = xstrdup(args->group ? args->group : colon ? colon + 1 : "");
}

static int bad_name(const char *name, struct err *e)
{
	err_setk(e, ERR_USAGE, 0, "cannot name an app '%s'", name);
	return err_hint(e, "a name has a-z, 0-9 and - inside, at most 63");
}

static int name_is_taken(const char *name, struct err *e)
{
	err_setk(e, ERR_USAGE, 0, "cannot run two apps named '%s' in one pod", name);
	return err_hint(e, "name one of them with --name");
}

static int check_cwd(const char *cwd, struct err *e)
{
	if (!cwd || !cwd[0] || cwd[0] == '/')
		return 0;
	return err_setk(e, ERR_USAGE, 0, "cannot use working directory %s: not an absolute path",
			cwd);
}

static int merge_name(const struct app_args *args, const struct image *img, struct manifest *m,
		      struct app *a, struct err *e)
{
	unsigned i;

	a->name = xstrdup(args->name ? args->name : img->short_name);
	if (!is_ac_name(a->name))
		return bad_name(a->name, e);
	for (i = 0; i + 1 < m->nr_apps; i++) {
		if (!strcmp(m->apps[i].name, a->name))
			return name_is_taken(a->name, e);
	}
	return 0;
}

static int merge_app(const struct app_args *args, const struct image *img, struct manifest *m,
		     struct err *e)
{
	struct app *a = manifest_add_app(m);
	size_t i;

	a->image_name = xstrdup(img->name);
	a->image_id = img->id;
	if (merge_name(args, img, m, a, e) < 0 || merge_exec(args, img, a, e) < 0 ||
	    merge_env(args, img, a, e) < 0)
		return -1;
	merge_user(args, img, a);
	a->cwd = xstrdup(args->cwd ? args->cwd : img->working_dir ? img->working_dir : "");
	if (check_cwd(a->cwd, e) < 0)
		return -1;
	strv_copy(&a->gids, &args->gids);
	a->readonly = args->readonly && !strcmp(args->readonly, "true");
	a->memory = args->memory;
	a->cpu_milli = args->cpu_milli;
	if (img->stop_signal && img->stop_signal[0]) {
		a->stop_signal = signal_by_name(img->stop_signal);
		if (a->stop_signal < 0)
			return err_set(e, 0, "cannot run image %s: stop signal \"%s\" is unknown",
				       args->image, img->stop_signal);
	}
	for (i = 0; i < args->mounts.nr_v; i++) {
		if (parse_mount(args->mounts.v[i], m, a, e) < 0)
			return -1;
	}
	add_implicit_volumes(m, a, img);
	return 0;
}

/* Names that are given; those that images give are checked when they are known. */
static int check_names(const struct run_args *r, struct err *e)
{
	unsigned i, j;

	for (i = 0; i < r->nr_apps; i++) {
		const char *name = r->apps[i].name;

		if (!name)
			continue;
		if (!is_ac_name(name))
			return bad_name(name, e);
		for (j = 0; j < i; j++) {
			if (r->apps[j].name && !strcmp(r->apps[j].name, name))
				return name_is_taken(name, e);
		}
	}
	return 0;
}

static int check_app(const struct app_args *args, const struct manifest *m, struct err *e)
{
	struct manifest scrap = { 0 };
	struct app *a = manifest_add_app(&scrap);
	const struct image none = { 0 };
	int r = merge_env(args, &none, a, e) < 0 || check_cwd(args->cwd, e) < 0 ? -1 : 0;
	size_t i;

	for (i = 0; !r && i < args->mounts.nr_v; i++)
		r = parse_mount(args->mounts.v[i], m, a, e);
	manifest_free(&scrap);
	return r;
}

int run_args_check_merge(const struct run_args *r, struct err *e)
{
	cleanup_manifest struct manifest m = { 0 };
	size_t j;
	unsigned i;

	if (parse_scratch(r->scratch, &m.scratch, &m.scratch_size, e) < 0 || check_names(r, e) < 0)
		return -1;
	for (j = 0; j < r->volumes.nr_v; j++) {
		if (parse_volume(r->volumes.v[j], &m, e) < 0)
			return -1;
	}
	for (i = 0; i < r->nr_apps; i++) {
		if (check_app(&r->apps[i], &m, e) < 0)
			return -1;
	}
	return check_app(&r->all, &m, e);
}

int run_args_manifest(const struct config *cfg, const struct run_args *r,
		      const struct image *images, struct manifest *out, struct err *e)
{
	unsigned i;
	size_t j;

	*out = (struct manifest){ 0 };
	out->hostname = xstrdup(r->hostname ? r->hostname : "");
	out->kernel = xstrdup(r->kernel ? r->kernel : "");
	out->insecure_paths = cfg->insecure_paths;
	out->insecure_capabilities = cfg->insecure_capabilities;
	if (parse_scratch(r->scratch, &out->scratch, &out->scratch_size, e) < 0)
		return -1;
	for (j = 0; j < r->volumes.nr_v; j++) {
		if (parse_volume(r->volumes.v[j], out, e) < 0)
			return -1;
	}
	for (i = 0; i < r->nr_apps; i++) {
		if (merge_app(&r->apps[i], &images[i], out, e) < 0)
			return -1;
		/* --mount before the first image is for all apps, as rkt has it. */
		for (j = 0; j < r->all.mounts.nr_v; j++) {
			if (parse_mount(r->all.mounts.v[j], out, &out->apps[i], e) < 0)
				return -1;
		}
		out->apps[i].is_interactive = r->interactive;
		out->apps[i].has_tty = r->tty;
	}
	return 0;
}
