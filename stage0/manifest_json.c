/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest as an appc PodManifest, both ways. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/num.h"
#include "stage0/manifest.h"

static void add_pair(cJSON *arr, const char *name, const char *value)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "name", name);
	cJSON_AddStringToObject(o, "value", value);
	cJSON_AddItemToArray(arr, o);
}

static void add_number_pair(cJSON *arr, const char *name, uint64_t n)
{
	cleanup_free char *v = xasprintf("%llu", (unsigned long long)n);

	add_pair(arr, name, v);
}

static void add_strings(cJSON *o, const char *key, const struct strv *v)
{
	cJSON *arr = cJSON_AddArrayToObject(o, key);
	size_t i;

	for (i = 0; i < v->nr_v; i++)
		cJSON_AddItemToArray(arr, cJSON_CreateString(v->v[i]));
}

static void add_env(cJSON *o, const struct strv *env)
{
	cJSON *arr = cJSON_AddArrayToObject(o, "environment");
	size_t i;

	for (i = 0; i < env->nr_v; i++) {
		const char *eq = strchr(env->v[i], '=');
		cleanup_free char *name = NULL;

		if (!eq)
			continue;
		name = xasprintf("%.*s", (int)(eq - env->v[i]), env->v[i]);
		add_pair(arr, name, eq + 1);
	}
}

static void add_isolator(cJSON *arr, const char *name, const char *limit)
{
	cJSON *o = cJSON_CreateObject();
	cJSON *v = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "name", name);
	cJSON_AddStringToObject(v, "limit", limit);
	cJSON_AddItemToObject(o, "value", v);
	cJSON_AddItemToArray(arr, o);
}

static void add_isolators(cJSON *o, const struct app *a)
{
	cJSON *arr;

	if (!a->memory && !a->cpu_milli)
		return;
	arr = cJSON_AddArrayToObject(o, "isolators");
	if (a->memory) {
		cleanup_free char *v = xasprintf("%llu", (unsigned long long)a->memory);

		add_isolator(arr, "resource/memory", v);
	}
	if (a->cpu_milli) {
		cleanup_free char *v = xasprintf("%llum", (unsigned long long)a->cpu_milli);

		add_isolator(arr, "resource/cpu", v);
	}
}

static void add_mounts(cJSON *o, const struct app *a)
{
	cJSON *arr = cJSON_AddArrayToObject(o, "mounts");
	unsigned i;

	for (i = 0; i < a->nr_mounts; i++) {
		cJSON *m = cJSON_CreateObject();

		cJSON_AddStringToObject(m, "volume", a->mounts[i].volume);
		cJSON_AddStringToObject(m, "path", a->mounts[i].target);
		if (a->mounts[i].readonly)
			cJSON_AddBoolToObject(m, "readOnly", 1);
		if (a->mounts[i].copyup)
			cJSON_AddBoolToObject(m, "vpodCopyUp", 1);
		cJSON_AddItemToArray(arr, m);
	}
}

static cJSON *app_json(const struct app *a)
{
	cJSON *o = cJSON_CreateObject(), *image, *app, *ann;
	cleanup_free char *id = xasprintf("sha256:%s", a->image_id.hex);

	cJSON_AddStringToObject(o, "name", a->name);
	image = cJSON_AddObjectToObject(o, "image");
	cJSON_AddStringToObject(image, "name", a->image_name);
	cJSON_AddStringToObject(image, "id", id);
	app = cJSON_AddObjectToObject(o, "app");
	add_strings(app, "exec", &a->exec);
	cJSON_AddStringToObject(app, "user", a->user && a->user[0] ? a->user : "0");
	cJSON_AddStringToObject(app, "group", a->group ? a->group : "");
	if (a->gids.nr_v)
		add_strings(app, "supplementaryGIDs", &a->gids);
	cJSON_AddStringToObject(app, "workingDirectory", a->cwd && a->cwd[0] ? a->cwd : "/");
	add_env(app, &a->env);
	add_isolators(app, a);
	if (a->readonly)
		cJSON_AddBoolToObject(o, "readOnlyRootFS", 1);
	add_mounts(o, a);
	ann = cJSON_AddArrayToObject(o, "annotations");
	if (a->is_interactive)
		add_pair(ann, "vpod/stdin", "true");
	if (a->has_tty)
		add_pair(ann, "vpod/tty", "true");
	if (a->stop_signal)
		add_number_pair(ann, "vpod/stop-signal", (uint64_t)a->stop_signal);
	return o;
}

static void add_volumes(cJSON *root, const struct manifest *m)
{
	cJSON *arr = cJSON_AddArrayToObject(root, "volumes");
	unsigned i;

	for (i = 0; i < m->nr_volumes; i++) {
		cleanup_free char *mode = xasprintf("%04o", m->volumes[i].mode);
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "name", m->volumes[i].name);
		cJSON_AddStringToObject(o, "kind", "empty");
		cJSON_AddStringToObject(o, "mode", mode);
		cJSON_AddNumberToObject(o, "uid", m->volumes[i].uid);
		cJSON_AddNumberToObject(o, "gid", m->volumes[i].gid);
		cJSON_AddItemToArray(arr, o);
	}
}

void manifest_write(const struct manifest *m, struct strbuf *out)
{
	cleanup_json cJSON *root = cJSON_CreateObject();
	cJSON *apps, *ann;
	unsigned i;

	cJSON_AddStringToObject(root, "acVersion", "0.8.11");
	cJSON_AddStringToObject(root, "acKind", "PodManifest");
	apps = cJSON_AddArrayToObject(root, "apps");
	for (i = 0; i < m->nr_apps; i++)
		cJSON_AddItemToArray(apps, app_json(&m->apps[i]));
	add_volumes(root, m);
	ann = cJSON_AddArrayToObject(root, "annotations");
	add_pair(ann, "vpod/hostname", m->hostname);
	if (m->kernel && m->kernel[0])
		add_pair(ann, "vpod/kernel", m->kernel);
	add_pair(ann, "vpod/scratch", m->scratch == SCRATCH_DISK ? "disk" : "tmpfs");
	if (m->scratch_size)
		add_number_pair(ann, "vpod/scratch-size", m->scratch_size);
	if (m->insecure_paths)
		add_pair(ann, "vpod/insecure-paths", "true");
	if (m->insecure_capabilities)
		add_pair(ann, "vpod/insecure-capabilities", "true");
	json_print(out, root, true);
	sb_addc(out, '\n');
}

/* The value of annotation @name in @o, or NULL. */
static const char *annotation(const cJSON *o, const char *name)
{
	const cJSON *a;

	cJSON_ArrayForEach(a, cJSON_GetObjectItemCaseSensitive(o, "annotations"))
	{
		const cJSON *n = cJSON_GetObjectItemCaseSensitive(a, "name");
		const cJSON *v = cJSON_GetObjectItemCaseSensitive(a, "value");

		if (cJSON_IsString(n) && cJSON_IsString(v) && !strcmp(n->valuestring, name))
			return v->valuestring;
	}
	return NULL;
}

static uint64_t annotation_u64(const cJSON *o, const char *name)
{
	const char *v = annotation(o, name);
	uint64_t n = 0;

	if (v && num_parse_u64(v, 0, UINT64_MAX, &n) < 0)
		return 0;
	return n;
}

static int get_copy(const cJSON *o, const char *key, char **out, struct err *e)
{
	const char *s = "";

	if (json_get_str(o, key, &s, e) < 0)
		return -1;
	*out = xstrdup(s);
	return 0;
}

static int read_env(const cJSON *app, struct app *a, struct err *e)
{
	const cJSON *arr = NULL, *j;

	if (json_get_arr(app, "environment", &arr, e) < 0)
		return -1;
	cJSON_ArrayForEach(j, arr)
	{
		const char *name = "", *value = "";

		if (json_get_str(j, "name", &name, e) < 0 ||
		    json_get_str(j, "value", &value, e) < 0)
			return -1;
		strv_addf(&a->env, "%s=%s", name, value);
	}
	return 0;
}

static int read_isolators(const cJSON *app, struct app *a, struct err *e)
{
	const cJSON *arr = NULL, *j, *v = NULL;
	const char *name = "", *limit;

	if (json_get_arr(app, "isolators", &arr, e) < 0)
		return -1;
	cJSON_ArrayForEach(j, arr)
	{
		limit = "";
		if (json_get_str(j, "name", &name, e) < 0 || json_get_obj(j, "value", &v, e) < 0 ||
		    json_get_str(v, "limit", &limit, e) < 0)
			return -1;
		if (!strcmp(name, "resource/memory") && num_parse_size(limit, &a->memory, e) < 0)
			return -1;
		if (!strcmp(name, "resource/cpu") && num_parse_cpus(limit, &a->cpu_milli, e) < 0)
			return -1;
	}
	return 0;
}

static int read_mounts(const cJSON *o, struct app *a, struct err *e)
{
	const cJSON *arr = NULL, *j;

	if (json_get_arr(o, "mounts", &arr, e) < 0)
		return -1;
	cJSON_ArrayForEach(j, arr)
	{
		const char *volume = "", *path = "";
		struct app_mount *m;

		if (json_get_str(j, "volume", &volume, e) < 0 ||
		    json_get_str(j, "path", &path, e) < 0)
			return -1;
		m = app_add_mount(a, volume, path);
		if (json_get_bool(j, "readOnly", &m->readonly, e) < 0 ||
		    json_get_bool(j, "vpodCopyUp", &m->copyup, e) < 0)
			return -1;
	}
	return 0;
}

static int read_app(const cJSON *o, struct app *a, struct err *e)
{
	const cJSON *image = NULL, *app = NULL;
	const char *id = "";

	if (get_copy(o, "name", &a->name, e) < 0 || json_get_obj(o, "image", &image, e) < 0 ||
	    json_get_obj(o, "app", &app, e) < 0)
		return -1;
	if (!image || !app)
		return err_set(e, 0, "app \"%s\" has no image or no app", a->name);
	if (get_copy(image, "name", &a->image_name, e) < 0 ||
	    json_get_str(image, "id", &id, e) < 0 || digest_parse(id, &a->image_id, e) < 0)
		return -1;
	if (json_get_strv(app, "exec", &a->exec, e) < 0 || get_copy(app, "user", &a->user, e) < 0 ||
	    get_copy(app, "group", &a->group, e) < 0 ||
	    json_get_strv(app, "supplementaryGIDs", &a->gids, e) < 0 ||
	    get_copy(app, "workingDirectory", &a->cwd, e) < 0 || read_env(app, a, e) < 0 ||
	    read_isolators(app, a, e) < 0 ||
	    json_get_bool(o, "readOnlyRootFS", &a->readonly, e) < 0)
		return -1;
	a->is_interactive = annotation(o, "vpod/stdin") != NULL;
	a->has_tty = annotation(o, "vpod/tty") != NULL;
	a->stop_signal = (int)annotation_u64(o, "vpod/stop-signal");
	return read_mounts(o, a, e);
}

static int read_volume(const cJSON *j, struct manifest *m, struct err *e)
{
	const char *name = "", *mode = "0755";
	uint64_t uid = 0, gid = 0;
	struct volume *v;

	if (json_get_str(j, "name", &name, e) < 0 || json_get_str(j, "mode", &mode, e) < 0 ||
	    json_get_u64(j, "uid", &uid, e) < 0 || json_get_u64(j, "gid", &gid, e) < 0)
		return -1;
	v = manifest_add_volume(m, name);
	v->mode = (unsigned)strtoul(mode, NULL, 8) & 07777;
	v->uid = (uint32_t)uid;
	v->gid = (uint32_t)gid;
	return 0;
}

static int read_root(const cJSON *root, struct manifest *m, struct err *e)
{
	const cJSON *arr = NULL, *j;
	const char *s;

	if (json_get_arr(root, "apps", &arr, e) < 0)
		return -1;
	cJSON_ArrayForEach(j, arr)
	{
		if (read_app(j, manifest_add_app(m), e) < 0)
			return -1;
	}
	arr = NULL;
	if (json_get_arr(root, "volumes", &arr, e) < 0)
		return -1;
	cJSON_ArrayForEach(j, arr)
	{
		if (read_volume(j, m, e) < 0)
			return -1;
	}
	s = annotation(root, "vpod/hostname");
	m->hostname = xstrdup(s ? s : "");
	s = annotation(root, "vpod/kernel");
	m->kernel = xstrdup(s ? s : "");
	s = annotation(root, "vpod/scratch");
	m->scratch = s && !strcmp(s, "tmpfs") ? SCRATCH_TMPFS : SCRATCH_DISK;
	m->scratch_size = annotation_u64(root, "vpod/scratch-size");
	m->insecure_paths = annotation(root, "vpod/insecure-paths") != NULL;
	m->insecure_capabilities = annotation(root, "vpod/insecure-capabilities") != NULL;
	return 0;
}

int manifest_read(const char *text, size_t len, struct manifest *out, struct err *e)
{
	cleanup_json cJSON *root = json_parse(text, len, "pod manifest", e);

	*out = (struct manifest){ 0 };
	if (!root)
		return -1;
	if (read_root(root, out, e) < 0) {
		manifest_free(out);
		return err_wrap(e, "cannot read pod manifest");
	}
	return 0;
}
