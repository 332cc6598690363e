/* SPDX-License-Identifier: Apache-2.0 */
#include "image_config.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/num.h"
#include "images/store.h"

#define MAX_PORTS 1024
#define WHAT "image configuration"

const char *image_config_host_arch(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#else
#error "name the processor as images do"
#endif
}

static int get_text(const cJSON *o, const char *key, char **out, struct err *e)
{
	const char *s = "";

	if (json_get_str(o, key, &s, e) < 0)
		return -1;
	free(*out);
	*out = xstrdup(s);
	return 0;
}

/* "user[:group]"; numbers must be ids that the kernel takes (CVE-2024-40635: 2^32 became 0). */
static int check_user(const char *user, struct err *e)
{
	const char *colon = strchr(user, ':');
	cleanup_free char *first =
		xasprintf("%.*s", (int)(colon ? colon - user : (long)strlen(user)), user);
	const char *parts[] = { first, colon ? colon + 1 : "" };
	size_t i;
	uint64_t id;

	for (i = 0; i < nitems(parts); i++) {
		if (strspn(parts[i], "+-0123456789") != strlen(parts[i]) || !*parts[i])
			continue;
		if (num_parse_u64(parts[i], 0, UINT32_MAX - 1, &id) < 0)
			return err_set(e, 0, "User \"%.60s\" is no id from 0 to 2^32-2", user);
	}
	return 0;
}

static bool is_signal_text(const char *s)
{
	return strlen(s) <= 16 && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-") == strlen(s);
}

static int check_path(const char *key, const char *path, struct err *e)
{
	if (path[0] != '/' || strlen(path) >= 4096)
		return err_set(e, 0, "%s \"%.100s\" is no absolute path", key, path);
	if (strstr(path, "/../") || (strlen(path) > 2 && !strcmp(path + strlen(path) - 3, "/..")))
		return err_set(e, 0, "%s \"%.100s\" contains \"..\"", key, path);
	return 0;
}

static int parse_env(const cJSON *config, struct image *out, struct err *e)
{
	cleanup_strv struct strv env = { 0 };
	size_t i;

	if (json_get_strv(config, "Env", &env, e) < 0)
		return -1;
	for (i = 0; i < env.nr_v; i++) {
		if (!strchr(env.v[i], '=') || env.v[i][0] == '=')
			return err_set(e, 0, "Env \"%.60s\" is not NAME=value", env.v[i]);
		strv_add(&out->env, env.v[i]);
	}
	return 0;
}

static int parse_volumes(const cJSON *config, struct image *out, struct err *e)
{
	const cJSON *o = NULL, *j;

	if (json_get_obj(config, "Volumes", &o, e) < 0)
		return -1;
	cJSON_ArrayForEach(j, o)
	{
		if (check_path("volume", j->string, e) < 0)
			return -1;
		strv_add(&out->volumes, j->string);
	}
	return 0;
}

/* "80", "80/tcp" */
static int parse_port(const char *text, struct image_port *out, struct err *e)
{
	const char *slash = strchr(text, '/');
	const char *proto = slash ? slash + 1 : "tcp";
	cleanup_free char *number =
		xasprintf("%.*s", (int)(slash ? slash - text : (long)strlen(text)), text);
	uint64_t port;

	if (num_parse_u64(number, 1, 65535, &port) < 0 ||
	    (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0 && strcmp(proto, "sctp") != 0))
		return err_set(e, 0, "exposed port \"%.60s\" is not PORT/PROTOCOL", text);
	out->port = (uint16_t)port;
	out->protocol = xstrdup(proto);
	out->name = xasprintf("%u-%s", out->port, proto);
	return 0;
}

static int parse_ports(const cJSON *config, struct image *out, struct err *e)
{
	const cJSON *o = NULL, *j;

	if (json_get_obj(config, "ExposedPorts", &o, e) < 0)
		return -1;
	if (cJSON_GetArraySize(o) > MAX_PORTS)
		return err_set(e, 0, "more than %d exposed ports", MAX_PORTS);
	out->ports = xcalloc((size_t)cJSON_GetArraySize(o), sizeof(*out->ports));
	cJSON_ArrayForEach(j, o)
	{
		if (parse_port(j->string, &out->ports[out->nr_ports], e) < 0)
			return -1;
		out->nr_ports++;
	}
	return 0;
}

static int parse_labels(const cJSON *config, struct image *out, struct err *e)
{
	const cJSON *o = NULL, *j;

	if (json_get_obj(config, "Labels", &o, e) < 0)
		return -1;
	cJSON_ArrayForEach(j, o)
	{
		if (!cJSON_IsString(j))
			return err_set(e, 0, "label \"%.60s\" is not a string", j->string);
		strv_add(&out->labels, j->string);
		strv_add(&out->labels, j->valuestring);
	}
	return 0;
}

static int parse_texts(const cJSON *config, struct image *out, struct err *e)
{
	if (get_text(config, "User", &out->user, e) < 0 ||
	    get_text(config, "WorkingDir", &out->working_dir, e) < 0 ||
	    get_text(config, "StopSignal", &out->stop_signal, e) < 0)
		return -1;
	if (!is_signal_text(out->stop_signal))
		return err_set(e, 0, "StopSignal \"%.60s\" is no signal", out->stop_signal);
	if (out->working_dir[0] && check_path("WorkingDir", out->working_dir, e) < 0)
		return -1;
	return check_user(out->user, e);
}

static int parse_config(const cJSON *root, struct image *out, struct err *e)
{
	const cJSON *config = NULL;

	if (!cJSON_IsObject(root))
		return err_set(e, 0, "it is no object");
	if (json_get_obj(root, "config", &config, e) < 0)
		return -1;
	if (parse_texts(config, out, e) < 0 ||
	    json_get_strv(config, "Entrypoint", &out->entrypoint, e) < 0 ||
	    json_get_strv(config, "Cmd", &out->cmd, e) < 0)
		return -1;
	if (parse_env(config, out, e) < 0 || parse_volumes(config, out, e) < 0)
		return -1;
	if (parse_ports(config, out, e) < 0)
		return -1;
	return parse_labels(config, out, e);
}

int image_config_parse(const char *text, size_t len, struct image *out, struct err *e)
{
	cleanup_json cJSON *root = json_parse(text, len, WHAT, e);

	if (!root)
		return -1;
	if (parse_config(root, out, e) < 0)
		return err_wrap(e, "cannot use " WHAT);
	return 0;
}

static int collect_diff_ids(const cJSON *arr, struct digest **out, unsigned *nr, struct err *e)
{
	int n = cJSON_GetArraySize(arr);
	const cJSON *j;

	if (n > STORE_MAX_LAYERS)
		return err_set(e, 0, "more than %d layers", STORE_MAX_LAYERS);
	*out = xcalloc((size_t)n, sizeof(**out));
	cJSON_ArrayForEach(j, arr)
	{
		if (!cJSON_IsString(j))
			return err_set(e, 0, "rootfs.diff_ids holds something that is no string");
		if (digest_parse(j->valuestring, &(*out)[(*nr)++], e) < 0)
			return -1;
	}
	return 0;
}

int image_config_diff_ids(const char *text, size_t len, struct digest **out, unsigned *nr,
			  struct err *e)
{
	cleanup_json cJSON *root = json_parse(text, len, WHAT, e);
	const cJSON *rootfs = NULL, *ids = NULL;
	int r;

	*out = NULL;
	*nr = 0;
	if (!root)
		return -1;
	r = json_get_obj(root, "rootfs", &rootfs, e);
	if (r >= 0)
		r = json_get_arr(rootfs, "diff_ids", &ids, e);
	if (!r)
		r = err_set(e, 0, "rootfs.diff_ids is missing");
	if (r > 0)
		r = collect_diff_ids(ids, out, nr, e);
	if (r < 0) {
		free(*out);
		*out = NULL;
		return err_wrap(e, "cannot use " WHAT);
	}
	return 0;
}

int image_config_check_platform(const char *text, size_t len, struct err *e)
{
	cleanup_json cJSON *root = json_parse(text, len, WHAT, e);
	const char *os = "linux", *arch = image_config_host_arch();

	if (!root)
		return -1;
	if (json_get_str(root, "os", &os, e) < 0 ||
	    json_get_str(root, "architecture", &arch, e) < 0)
		return err_wrap(e, "cannot use " WHAT);
	/* Old docker wrote "" for what it did not know. */
	if ((*os && strcmp(os, "linux") != 0) ||
	    (*arch && strcmp(arch, image_config_host_arch()) != 0))
		return err_set(e, 0,
			       "cannot use image: it is for %.40s/%.40s, this host is linux/%s", os,
			       arch, image_config_host_arch());
	return 0;
}
