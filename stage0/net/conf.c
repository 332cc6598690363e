/* SPDX-License-Identifier: Apache-2.0 */
/* One network's configuration; the directories are in nets.c. */
#include "stage0/net/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "stage0/net/jtext.h"

#define ISOLATION_KEY "vpod.isolation"

static void plugin_free(struct cni_plugin *p)
{
	free(p->type);
	free(p->conf);
	strv_free(&p->capabilities);
	*p = (struct cni_plugin){ 0 };
}

void cni_list_free(struct cni_list *l)
{
	unsigned i;

	free(l->name);
	free(l->source);
	for (i = 0; i < l->nr_plugins; i++)
		plugin_free(&l->plugins[i]);
	*l = (struct cni_list){ 0 };
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool cni_name_is_valid(const char *s)
{
	size_t i;

	if (!is_alnum(s[0]))
		return false;
	for (i = 1; s[i]; i++) {
		if (i == CNI_MAX_NAME || (!is_alnum(s[i]) && !strchr("_.-", s[i])))
			return false;
	}
	return true;
}

/* As libcni, which takes the words in quotes too. */
static int get_bool(const cJSON *o, const char *key, bool *out, struct err *e)
{
	const cJSON *j = cJSON_GetObjectItemCaseSensitive(o, key);

	if (cJSON_IsString(j) &&
	    (!strcasecmp(j->valuestring, "true") || !strcasecmp(j->valuestring, "false"))) {
		*out = !strcasecmp(j->valuestring, "true");
		return 1;
	}
	return json_get_bool(o, key, out, e);
}

static int read_capabilities(const cJSON *o, struct strv *out, struct err *e)
{
	const cJSON *caps = NULL, *c;
	int r = json_get_obj(o, "capabilities", &caps, e);

	if (r <= 0)
		return r;
	cJSON_ArrayForEach(c, caps)
	{
		if (!cJSON_IsBool(c))
			return err_set(e, 0, "capability \"%s\" is not true or false", c->string);
		if (cJSON_IsTrue(c))
			strv_add(out, c->string);
	}
	return 0;
}

/* Appends the members of @obj but for those that are vpod's own. */
static char *without_own_keys(struct jslice obj)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	struct jslice key, value;
	struct jtext it;

	(void)jtext_open(&it, obj); /* it has been parsed as an object */
	while (jtext_next(&it, &key, &value)) {
		if (jslice_starts(key, "vpod."))
			continue;
		sb_addf(&b, "%s\"%.*s\": ", b.len ? ", " : "{ ", (int)key.len, key.p);
		sb_add(&b, value.p, value.len);
	}
	sb_adds(&b, b.len ? " }" : "{}");
	return sb_take(&b);
}

/* The type is the name of a file in the plugins' directories: CVE-2021-20206. */
static int check_type(const char *type, struct err *e)
{
	if (!type)
		return err_set(e, 0, "a plugin has no \"type\"");
	if (!cni_name_is_valid(type))
		return err_set(e, 0, "plugin type \"%s\" is no name of a plugin", type);
	return 0;
}

static int add_plugin(struct cni_list *l, const cJSON *j, struct jslice text, struct err *e)
{
	struct cni_plugin p = { 0 };
	const char *type = NULL;

	if (!cJSON_IsObject(j))
		return err_set(e, 0, "a plugin is not an object");
	if (l->nr_plugins == CNI_MAX_PLUGINS)
		return err_set(e, 0, "it has more than %d plugins", CNI_MAX_PLUGINS);
	if (json_get_str(j, "type", &type, e) < 0 || check_type(type, e) < 0)
		return -1;
	if (read_capabilities(j, &p.capabilities, e) < 0) {
		plugin_free(&p);
		return -1;
	}
	p.type = xstrdup(type);
	p.conf = without_own_keys(text);
	l->plugins[l->nr_plugins++] = p;
	return 0;
}

/* In a list, our keys are the list's: within a plugin they would mean nothing. */
static int check_plugin_keys(const cJSON *j, struct err *e)
{
	const cJSON *k;

	cJSON_ArrayForEach(k, j)
	{
		if (cJSON_IsObject(j) && !strncmp(k->string, "vpod.", 5))
			return err_set(e, 0, "key \"%s\" belongs beside \"plugins\"", k->string);
	}
	return 0;
}

static int add_plugins(struct cni_list *l, const cJSON *root, struct jslice text, struct err *e)
{
	const cJSON *plugins = NULL, *j;
	struct jslice array, key, value;
	struct jtext it;
	int r = json_get_arr(root, "plugins", &plugins, e);

	if (r <= 0)
		return r;
	if (!cJSON_GetArraySize(plugins))
		return err_set(e, 0, "its list of plugins is empty");
	if (!jtext_find(text, "plugins", &array) || jtext_open(&it, array) < 0)
		return err_set(e, EPROTO, "its list of plugins is lost"); /* cannot be: parsed */
	cJSON_ArrayForEach(j, plugins)
	{
		if (!jtext_next(&it, &key, &value))
			return err_set(e, EPROTO, "its list of plugins is lost");
		if (check_plugin_keys(j, e) < 0 || add_plugin(l, j, value, e) < 0)
			return -1;
	}
	return 0;
}

/* Section 1, "Version considerations": the highest of all that the network says and vpod speaks. */
static int read_version(const cJSON *root, enum cni_version *out, struct err *e)
{
	cleanup_strv struct strv all = { 0 };
	const char *one = NULL;
	enum cni_version v;
	bool is_found = false;
	size_t i;

	if (json_get_str(root, "cniVersion", &one, e) < 0 ||
	    json_get_strv(root, "cniVersions", &all, e) < 0)
		return -1;
	if (one || !all.nr_v)
		strv_add(&all, one ? one : "");
	for (i = 0; i < all.nr_v; i++) {
		if (cni_version_parse(all.v[i], &v) < 0)
			continue;
		if (!is_found || v > *out)
			*out = v;
		is_found = true;
	}
	if (is_found)
		return 0;
	err_set(e, 0, "its cniVersion is \"%s\"", all.v[0]);
	return err_hint(e, "vpod speaks 0.3.1, 0.4.0, 1.0.0 and 1.1.0; \"cniVersions\" may name "
			   "several");
}

static int read_own_keys(const cJSON *root, struct cni_list *l, struct err *e)
{
	const char *isolation = NULL;
	const cJSON *k;

	cJSON_ArrayForEach(k, root)
	{
		if (!strncmp(k->string, "vpod.", 5) && strcmp(k->string, ISOLATION_KEY) != 0)
			return err_set(e, 0, "it has an unknown key \"%s\"", k->string);
	}
	if (json_get_str(root, ISOLATION_KEY, &isolation, e) < 0)
		return -1;
	if (!isolation)
		return 0;
	if (strcmp(isolation, "none") != 0)
		return err_set(e, 0, "\"" ISOLATION_KEY "\" is \"%s\": it can be \"none\"",
			       isolation);
	l->isolation = CNI_ISOLATION_NONE;
	return 0;
}

static int read_list(struct cni_list *l, const cJSON *root, struct jslice text, struct err *e)
{
	const char *name = NULL;

	if (!cJSON_IsObject(root))
		return err_set(e, 0, "it is not a JSON object");
	if (json_get_str(root, "name", &name, e) < 0)
		return -1;
	if (!name)
		return err_set(e, 0, "it has no \"name\"");
	if (!cni_name_is_valid(name))
		return err_set(e, 0, "\"%s\" is no name of a network", name);
	l->name = xstrdup(name);
	if (read_version(root, &l->version, e) < 0 ||
	    get_bool(root, "disableCheck", &l->disable_check, e) < 0 ||
	    get_bool(root, "disableGC", &l->disable_gc, e) < 0 ||
	    get_bool(root, "loadOnlyInlinedPlugins", &l->only_inlined, e) < 0 ||
	    read_own_keys(root, l, e) < 0)
		return -1;
	if (cJSON_GetObjectItemCaseSensitive(root, "type") &&
	    !cJSON_GetObjectItemCaseSensitive(root, "plugins")) {
		l->only_inlined = true;
		return add_plugin(l, root, text, e);
	}
	if (add_plugins(l, root, text, e) < 0)
		return -1;
	if (l->only_inlined && !l->nr_plugins)
		return err_set(e, 0, "it has no \"plugins\"");
	return 0;
}

/* Its record must be one that we read again: DEL depends on it. */
static int check_record(const struct cni_list *l, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	cni_list_print(l, &b);
	if (b.len > CNI_MAX_CONF)
		return err_set(e, 0, "its plugins' configurations are larger than 1 MiB");
	return json_scan(b.buf, b.len, "its plugins' configurations", e);
}

int cni_list_parse(const char *text, size_t len, const char *what, struct cni_list *out,
		   struct err *e)
{
	cleanup_json cJSON *root = NULL;

	*out = (struct cni_list){ 0 };
	if (len > CNI_MAX_CONF)
		return err_setk(e, ERR_USAGE, 0, "cannot use %s: it is larger than 1 MiB", what);
	root = json_parse(text, len, what, e);
	if (!root) {
		e->kind = ERR_USAGE;
		return -1;
	}
	if (read_list(out, root, (struct jslice){ text, len }, e) < 0 || check_record(out, e) < 0) {
		cni_list_free(out);
		e->kind = ERR_USAGE;
		return err_wrap(e, "cannot use %s", what);
	}
	return 0;
}

void cni_list_print(const struct cni_list *l, struct strbuf *b)
{
	unsigned i;

	sb_addf(b, "{\"cniVersion\":\"%s\",\"name\":\"%s\"", cni_version_text(l->version), l->name);
	if (l->disable_check)
		sb_adds(b, ",\"disableCheck\":true");
	if (l->disable_gc)
		sb_adds(b, ",\"disableGC\":true");
	if (l->isolation == CNI_ISOLATION_NONE)
		sb_adds(b, ",\"" ISOLATION_KEY "\":\"none\"");
	if (l->nr_plugins)
		sb_adds(b, ",\"loadOnlyInlinedPlugins\":true,\"plugins\":[");
	for (i = 0; i < l->nr_plugins; i++)
		sb_addf(b, "%s%s", i ? "," : "", l->plugins[i].conf);
	sb_adds(b, l->nr_plugins ? "]}" : "}");
}

int cni_list_append(struct cni_list *l, const char *conf, struct err *e)
{
	cleanup_json cJSON *j = json_parse(conf, strlen(conf), "the configuration of a plugin", e);

	if (!j)
		return -1;
	if (check_plugin_keys(j, e) < 0 ||
	    add_plugin(l, j, (struct jslice){ conf, strlen(conf) }, e) < 0)
		return -1;
	if (check_record(l, e) < 0) {
		plugin_free(&l->plugins[--l->nr_plugins]);
		return -1;
	}
	return 0;
}

bool cni_list_takes(const struct cni_list *l, const char *capability)
{
	unsigned i;
	size_t n;

	for (i = 0; i < l->nr_plugins; i++) {
		for (n = 0; n < l->plugins[i].capabilities.nr_v; n++) {
			if (!strcmp(l->plugins[i].capabilities.v[n], capability))
				return true;
		}
	}
	return false;
}

int cni_list_add_ports(struct cni_list *l, struct err *e)
{
	if (cni_list_takes(l, "portMappings"))
		return 0;
	return cni_list_append(
		l, "{ \"type\": \"portmap\", \"capabilities\": { \"portMappings\": true } }", e);
}
