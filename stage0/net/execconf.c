/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/net/execconf.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "stage0/net/cni.h"
#include "stage0/net/jtext.h"

/*
 * Keys that are the runtime's to say: those of a file are dropped.  "args" is reserved too, but is
 * what CONVENTIONS.md tells people to write.
 */
static bool is_reserved(struct jslice key, bool has_runtime_config)
{
	return jslice_is(key, "cniVersion") || jslice_is(key, "name") ||
	       jslice_is(key, "prevResult") || jslice_is(key, "capabilities") ||
	       jslice_starts(key, "cni.dev/") ||
	       (has_runtime_config && jslice_is(key, "runtimeConfig"));
}

static bool takes(const struct cni_plugin *p, const char *capability)
{
	size_t i;

	for (i = 0; i < p->capabilities.nr_v; i++) {
		if (!strcmp(p->capabilities.v[i], capability))
			return true;
	}
	return false;
}

/* Only what was asked for and the plugin says it takes; nothing at all rather than an empty object.
 */
static void print_runtime_config(const struct execconf *x, struct strbuf *b)
{
	const cJSON *c;

	cJSON_ArrayForEach(c, x->capabilities)
	{
		if (!takes(x->plugin, c->string))
			continue;
		sb_adds(b, b->len ? "," : "{");
		sb_add_json(b, c->string);
		sb_addc(b, ':');
		json_print(b, c, false);
	}
	if (b->len)
		sb_addc(b, '}');
}

static void print_valid(const struct execconf *x, struct strbuf *b)
{
	size_t i;

	sb_adds(b, ",\"cni.dev/valid-attachments\":[");
	for (i = 0; i < x->nr_valid; i++) {
		sb_addf(b, "%s{\"containerID\":", i ? "," : "");
		sb_add_json(b, x->valid[i].container_id);
		sb_adds(b, ",\"ifname\":");
		sb_add_json(b, x->valid[i].ifname);
		sb_addc(b, '}');
	}
	sb_addc(b, ']');
}

void execconf_print(const struct execconf *x, struct strbuf *b)
{
	struct jslice text = { x->plugin->conf, strlen(x->plugin->conf) }, key, value;
	cleanup_sb struct strbuf runtime = STRBUF_INIT;
	struct jtext it;

	print_runtime_config(x, &runtime);
	sb_addf(b, "{\"cniVersion\":\"%s\",\"name\":\"%s\"", cni_version_text(x->list->version),
		x->list->name);
	(void)jtext_open(&it, text); /* it has been parsed as an object */
	while (jtext_next(&it, &key, &value)) {
		if (is_reserved(key, runtime.len > 0))
			continue;
		sb_addf(b, ",\"%.*s\":", (int)key.len, key.p);
		sb_add(b, value.p, value.len);
	}
	if (runtime.len)
		sb_addf(b, ",\"runtimeConfig\":%s", runtime.buf);
	if (x->prev)
		sb_addf(b, ",\"prevResult\":%s", x->prev);
	if (x->valid)
		print_valid(x, b);
	sb_addc(b, '}');
}
