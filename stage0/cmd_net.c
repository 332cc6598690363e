/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "stage0/cmd.h"
#include "stage0/config.h"
#include "stage0/net/conf.h"
#include "stage0/table.h"

extern const struct cmd cmd_net_list;

struct list_args {
	bool no_legend;
	const char *format;
};

static const struct opt list_opts[] = {
	{ "no-legend", 0, OPT_BOOL, offsetof(struct list_args, no_legend), NULL, NULL, "no heading",
	  NULL },
	{ "format", 0, OPT_STR, offsetof(struct list_args, format), "table|json|json-pretty", NULL,
	  "output format", NULL },
	OPT_END,
};

static void print_table(const struct cni_nets *nets, bool has_legend)
{
	static const char *const titles[] = { "NAME", "CNI VERSION", "PLUGINS", "SOURCE" };
	struct table t = { .nr_columns = nitems(titles) };
	unsigned i, n;

	for (i = 0; has_legend && i < nitems(titles); i++)
		table_add(&t, titles[i]);
	for (i = 0; i < nets->nr; i++) {
		const struct cni_list *l = &nets->v[i];
		cleanup_sb struct strbuf plugins = STRBUF_INIT;

		for (n = 0; n < l->nr_plugins; n++)
			sb_addf(&plugins, "%s%s", n ? "," : "", l->plugins[n].type);
		table_add(&t, l->name);
		table_add(&t, cni_version_text(l->version));
		table_add(&t, plugins.buf);
		table_add(&t, l->source ? l->source : "built in");
	}
	table_print(&t);
	table_free(&t);
}

static void print_json(const struct cni_nets *nets, bool is_pretty)
{
	cleanup_json cJSON *all = cJSON_CreateArray();
	cleanup_sb struct strbuf b = STRBUF_INIT;
	unsigned i, n;

	for (i = 0; i < nets->nr; i++) {
		const struct cni_list *l = &nets->v[i];
		cJSON *o = cJSON_CreateObject(), *plugins;

		cJSON_AddStringToObject(o, "name", l->name);
		cJSON_AddStringToObject(o, "cniVersion", cni_version_text(l->version));
		plugins = cJSON_AddArrayToObject(o, "plugins");
		for (n = 0; n < l->nr_plugins; n++)
			cJSON_AddItemToArray(plugins, cJSON_CreateString(l->plugins[n].type));
		if (l->source)
			cJSON_AddStringToObject(o, "source", l->source);
		cJSON_AddItemToArray(all, o);
	}
	json_print(&b, all, is_pretty);
	puts(b.buf);
}

static int run_list(const struct config *cfg, int argc, char **argv, struct err *e)
{
	cleanup_cni_nets struct cni_nets nets = { 0 };
	cleanup_strv struct strv dirs = { 0 };
	struct list_args a = { 0 };
	enum output output;
	int i = cmd_parse(&cmd_net_list, &a, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_net_list, argc - i, 0, 0, e) < 0 ||
	    output_parse(a.format, &output, e) < 0)
		return -1;
	cni_conf_dirs(cfg, &dirs);
	if (cni_nets_load(&dirs, &nets, e) < 0)
		return -1;
	if (output == OUTPUT_TABLE)
		print_table(&nets, !a.no_legend);
	else
		print_json(&nets, output == OUTPUT_JSON_PRETTY);
	return 0;
}

const struct cmd cmd_net_list = {
	.name = "net list",
	.args = "",
	.summary = "list the networks that pods can join",
	.opts = list_opts,
	.description =
		"Networks are CNI configurations in net.d of the configuration directories; of\n"
		"two with one name the first counts.  default and default-restricted are built\n"
		"in, and replaced by a file of that name.",
	.run = run_list,
};
