/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
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
	struct podinfo *pods;
	size_t nr_pods;
	struct table table;
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
	l->pods = xrealloc(l->pods, (l->nr_pods + 1) * sizeof(*l->pods));
	l->pods[l->nr_pods++] = info;
	return 0;
}

static int by_creation(const void *a, const void *b)
{
	int64_t x = ((const struct podinfo *)a)->created_ns;
	int64_t y = ((const struct podinfo *)b)->created_ns;

	return (x > y) - (x < y);
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

static int gather(const struct config *cfg, struct list *l, struct err *e)
{
	static const enum pod_phase phases[] = { POD_RUN, POD_EXITED, POD_PREPARE, POD_PREPARED };
	size_t i;

	for (i = 0; i < nitems(phases); i++) {
		if (pod_each(cfg, phases[i], list_pod, l, e) < 0)
			return -1;
	}
	if (l->nr_pods)
		qsort(l->pods, l->nr_pods, sizeof(*l->pods), by_creation);
	return 0;
}

static void print_json(const struct list *l)
{
	cleanup_sb struct strbuf out = STRBUF_INIT;
	cleanup_json cJSON *arr = cJSON_CreateArray();
	size_t i;

	for (i = 0; i < l->nr_pods; i++)
		cJSON_AddItemToArray(arr, podinfo_json(&l->pods[i]));
	json_print(&out, arr, l->output == OUTPUT_JSON_PRETTY);
	puts(out.buf);
}

static void print_pods(struct list *l)
{
	size_t i;

	add_legend(l);
	for (i = 0; i < l->nr_pods; i++)
		add_rows(l, &l->pods[i]);
	table_print(&l->table);
}

static void list_free(struct list *l)
{
	size_t i;

	for (i = 0; i < l->nr_pods; i++)
		podinfo_free(&l->pods[i]);
	free(l->pods);
	table_free(&l->table);
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
	r = gather(cfg, &l, e);
	if (!r && l.output == OUTPUT_TABLE)
		print_pods(&l);
	else if (!r)
		print_json(&l);
	list_free(&l);
	return r;
}

const struct cmd cmd_list = {
	.name = "list",
	.args = "",
	.summary = "list pods",
	.opts = list_opts,
	.run = list,
};
