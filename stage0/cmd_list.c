/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "stage0/cmd.h"
#include "stage0/podinfo.h"
#include "stage0/table.h"

struct list {
	bool full, no_legend;
	const char *format;
	enum output output;
	struct table table;
	cJSON *json;
};

#define L(f) offsetof(struct list, f)
static const struct opt list_opts[] = {
	{ "full", 0, OPT_BOOL, L(full), NULL, NULL, "whole UUIDs, image ids and times", NULL },
	{ "no-legend", 0, OPT_BOOL, L(no_legend), NULL, NULL, "no heading", NULL },
	{ "format", 0, OPT_STR, L(format), "table|json|json-pretty", NULL, "output format", NULL },
	OPT_END,
};

static void add_cell(struct list *l, bool first, const char *text)
{
	table_add(&l->table, first ? text : "");
}

/* One row per app; the pod's own cells stand in the first. */
static void add_rows(struct list *l, const struct podinfo *i)
{
	unsigned n, rows = i->manifest.nr_apps ? i->manifest.nr_apps : 1;
	char uuid[UUID_LEN + 1], id[80], t[64];

	snprintf(uuid, sizeof(uuid), "%.*s", l->full ? UUID_LEN : 8, i->uuid);
	for (n = 0; n < rows; n++) {
		const struct app *a = n < i->manifest.nr_apps ? &i->manifest.apps[n] : NULL;

		add_cell(l, !n, uuid);
		table_add(&l->table, a ? a->name : "-");
		table_add(&l->table, a ? a->image_name : "-");
		if (l->full) {
			snprintf(id, sizeof(id), "sha256:%s", a ? a->image_id.hex : "");
			table_add(&l->table, a ? id : "-");
		}
		add_cell(l, !n, i->state);
		add_cell(l, !n,
			 l->full ? podinfo_time(i->created_ns, t) : podinfo_age(i->created_ns, t));
		add_cell(l, !n,
			 l->full ? podinfo_time(i->status.started_ns, t)
				 : podinfo_age(i->status.started_ns, t));
		add_cell(l, false, "");
	}
}

static int list_pod(struct pod *p, void *ctx, struct err *e)
{
	struct list *l = ctx;
	struct podinfo info;
	struct err local = { 0 };

	(void)e;
	if (podinfo_read(p, &info, &local) < 0) {
		/* gone while we looked, or damaged: the others are still to be listed */
		if (local.num != ENOENT)
			log_warn("%s", local.msg);
		return 0;
	}
	if (l->json)
		cJSON_AddItemToArray(l->json, podinfo_json(&info));
	else
		add_rows(l, &info);
	podinfo_free(&info);
	return 0;
}

static void add_legend(struct list *l)
{
	static const char *const names[] = { "UUID",  "APP",	 "IMAGE NAME", "IMAGE ID",
					     "STATE", "CREATED", "STARTED",    "NETWORKS" };
	size_t i;

	l->table.nr_columns = l->full ? 8 : 7;
	for (i = 0; !l->no_legend && i < nitems(names); i++) {
		if (l->full || i != 3)
			table_add(&l->table, names[i]);
	}
}

static int list_all(const struct config *cfg, struct list *l, struct err *e)
{
	static const enum pod_phase phases[] = { POD_RUN, POD_EXITED, POD_PREPARE, POD_PREPARED };
	cleanup_sb struct strbuf out = STRBUF_INIT;
	size_t i;

	if (l->output == OUTPUT_TABLE)
		add_legend(l);
	else
		l->json = cJSON_CreateArray();
	for (i = 0; i < nitems(phases); i++) {
		if (pod_each(cfg, phases[i], list_pod, l, e) < 0)
			return -1;
	}
	if (l->output == OUTPUT_TABLE) {
		table_print(&l->table);
		return 0;
	}
	json_print(&out, l->json, l->output == OUTPUT_JSON_PRETTY);
	puts(out.buf);
	return 0;
}

static int list(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct list l = { 0 };
	int i = cmd_parse(&cmd_list, &l, argc, argv, e), r;

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_list, argc - i, 0, 0, e) < 0 ||
	    output_parse(l.format, &l.output, e) < 0)
		return -1;
	r = list_all(cfg, &l, e);
	table_free(&l.table);
	cJSON_Delete(l.json);
	return r;
}

const struct cmd cmd_list = {
	.name = "list",
	.args = "",
	.summary = "list pods",
	.opts = list_opts,
	.run = list,
};
