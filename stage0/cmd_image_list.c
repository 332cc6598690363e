/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/num.h"
#include "images/image.h"
#include "stage0/cmd.h"
#include "stage0/config.h"

extern const struct cmd cmd_image_list;

enum field { FIELD_ID, FIELD_NAME, FIELD_SIZE, FIELD_IMPORT, FIELD_USED, NR_FIELDS };

/* Names as in rkt's --fields and --sort, titles as in its table, keys as in its JSON. */
static const struct {
	const char *name, *title, *key;
} fields[NR_FIELDS] = {
	[FIELD_ID] = { "id", "ID", "id" },
	[FIELD_NAME] = { "name", "NAME", "name" },
	[FIELD_SIZE] = { "size", "SIZE", "size" },
	[FIELD_IMPORT] = { "importtime", "IMPORT TIME", "import_time" },
	[FIELD_USED] = { "lastused", "LAST USED", "last_used_time" },
};

struct list_args {
	const char *fields, *sort, *order, *format;
	bool full, no_legend;
};

struct columns {
	enum field v[NR_FIELDS];
	unsigned nr;
};

static const struct opt list_opts[] = {
	{ "fields", 0, OPT_STR, offsetof(struct list_args, fields), "LIST", NULL,
	  "columns: id,name,size,importtime,lastused", NULL },
	{ "sort", 0, OPT_STR, offsetof(struct list_args, sort), "FIELD", NULL,
	  "order by this field (default importtime)", NULL },
	{ "order", 0, OPT_STR, offsetof(struct list_args, order), "asc|desc", NULL,
	  "direction of the order (default asc)", NULL },
	{ "full", 0, OPT_BOOL, offsetof(struct list_args, full), NULL, NULL,
	  "ids, sizes and times in full", NULL },
	{ "no-legend", 0, OPT_BOOL, offsetof(struct list_args, no_legend), NULL, NULL,
	  "leave the head of the table out", NULL },
	{ "format", 0, OPT_STR, offsetof(struct list_args, format), "FORMAT", NULL,
	  "json, json-pretty or table", NULL },
	OPT_END,
};

static int field_parse(const char *s, size_t n, const char *option, enum field *out, struct err *e)
{
	unsigned i;

	for (i = 0; i < NR_FIELDS; i++) {
		if (strlen(fields[i].name) == n && !strncmp(fields[i].name, s, n)) {
			*out = (enum field)i;
			return 0;
		}
	}
	err_setk(e, ERR_USAGE, 0, "cannot use --%s: there is no field '%.*s'", option, (int)n, s);
	return err_hint(e, "the fields are id, name, size, importtime and lastused");
}

static int columns_parse(const char *s, struct columns *out, struct err *e)
{
	out->nr = 0;
	for (;;) {
		size_t n = strcspn(s, ",");

		if (out->nr == NR_FIELDS)
			return err_setk(e, ERR_USAGE, 0, "cannot use --fields: more than %d fields",
					NR_FIELDS);
		if (field_parse(s, n, "fields", &out->v[out->nr++], e) < 0)
			return -1;
		if (!s[n])
			return 0;
		s += n + 1;
	}
}

/* Compared by the field, then by name, so that the order is always the same. */
struct order {
	enum field field;
	bool is_down;
};

static int cmp_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int cmp_entries(const void *x, const void *y, void *ctx)
{
	const struct image_entry *a = x, *b = y;
	const struct order *o = ctx;
	int r = 0;

	switch (o->field) {
	case FIELD_ID:
		r = strcmp(a->id.hex, b->id.hex);
		break;
	case FIELD_SIZE:
		r = cmp_u64(a->size, b->size);
		break;
	case FIELD_IMPORT:
		r = cmp_u64(a->import_time, b->import_time);
		break;
	case FIELD_USED:
		r = cmp_u64(a->last_used, b->last_used);
		break;
	case FIELD_NAME:
	case NR_FIELDS:
		break;
	}
	r = r ? r : strcmp(a->name, b->name);
	return o->is_down ? -r : r;
}

static int sort_list(struct image_list *l, const struct list_args *a, struct err *e)
{
	struct order o = { .is_down = !strcmp(a->order, "desc") };

	if (field_parse(a->sort, strlen(a->sort), "sort", &o.field, e) < 0)
		return -1;
	if (!o.is_down && strcmp(a->order, "asc") != 0)
		return err_setk(e, ERR_USAGE, 0, "cannot use --order=%s: it is asc or desc",
				a->order);
	if (l->nr)
		qsort_r(l->v, l->nr, sizeof(*l->v), cmp_entries, &o);
	return 0;
}

/* "3 hours ago"; rkt's table has relative times. */
static void add_ago(struct strbuf *b, uint64_t then)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = { { 365 * 86400, "year" }, { 30 * 86400, "month" }, { 7 * 86400, "week" },
		      { 86400, "day" },	       { 3600, "hour" },	{ 60, "minute" },
		      { 1, "second" } };
	uint64_t now = (uint64_t)time(NULL), age = now > then ? now - then : 0;
	size_t i = 0;

	while (i + 1 < nitems(units) && age < units[i].seconds)
		i++;
	age /= units[i].seconds;
	if (!age)
		sb_adds(b, "now");
	else
		sb_addf(b, "%" PRIu64 " %s%s ago", age, units[i].name, age == 1 ? "" : "s");
}

static void add_time(struct strbuf *b, uint64_t t, bool full)
{
	time_t at = (time_t)t;
	char text[64];
	struct tm tm;

	if (!t) {
		sb_addc(b, '-');
	} else if (!full) {
		add_ago(b, t);
	} else {
		localtime_r(&at, &tm);
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", &tm);
		sb_adds(b, text);
	}
}

static void add_cell(struct strbuf *b, const struct image_entry *en, enum field f, bool full)
{
	char size[32];

	switch (f) {
	case FIELD_ID:
		sb_addf(b, "sha256:%.*s", full ? DIGEST_HEX_LEN : IMAGE_SHORT_ID, en->id.hex);
		break;
	case FIELD_NAME:
		/* A name of local files may hold anything: it goes to a terminal. */
		sb_add_printable(b, en->name[0] ? en->name : "-",
				 en->name[0] ? strlen(en->name) : 1);
		break;
	case FIELD_SIZE:
		if (full)
			sb_addf(b, "%" PRIu64, en->size);
		else
			sb_adds(b, num_format_size(en->size, size));
		break;
	case FIELD_IMPORT:
		add_time(b, en->import_time, full);
		break;
	case FIELD_USED:
	case NR_FIELDS:
		add_time(b, en->last_used, full);
		break;
	}
}

/* The cells of a table, row by row, are made first: a column is as wide as its widest cell. */
static void print_table(const struct image_list *l, const struct columns *c, bool full, bool legend)
{
	cleanup_strv struct strv cells = { 0 };
	size_t width[NR_FIELDS] = { 0 }, i, n;

	for (i = 0; legend && i < c->nr; i++)
		strv_add(&cells, fields[c->v[i]].title);
	for (i = 0; i < l->nr; i++) {
		for (n = 0; n < c->nr; n++) {
			struct strbuf b = STRBUF_INIT;

			add_cell(&b, &l->v[i], c->v[n], full);
			strv_take(&cells, sb_take(&b));
		}
	}
	for (i = 0; i < cells.nr_v; i++) {
		n = strlen(cells.v[i]);
		if (n > width[i % c->nr])
			width[i % c->nr] = n;
	}
	for (i = 0; i < cells.nr_v; i++) {
		if (i % c->nr == c->nr - 1)
			printf("%s\n", cells.v[i]);
		else
			printf("%-*s", (int)width[i % c->nr] + 2, cells.v[i]);
	}
}

static void add_json_field(cJSON *o, const struct image_entry *en, enum field f)
{
	cleanup_free char *id = xasprintf("sha256:%s", en->id.hex);

	switch (f) {
	case FIELD_ID:
		cJSON_AddStringToObject(o, fields[f].key, id);
		break;
	case FIELD_NAME:
		cJSON_AddStringToObject(o, fields[f].key, en->name);
		break;
	case FIELD_SIZE:
		cJSON_AddNumberToObject(o, fields[f].key, (double)en->size);
		break;
	case FIELD_IMPORT:
		cJSON_AddNumberToObject(o, fields[f].key, (double)en->import_time);
		break;
	case FIELD_USED:
	case NR_FIELDS:
		cJSON_AddNumberToObject(o, fields[FIELD_USED].key, (double)en->last_used);
		break;
	}
}

static void print_json(const struct image_list *l, const struct columns *c, bool pretty)
{
	cleanup_json cJSON *arr = cJSON_CreateArray();
	cleanup_sb struct strbuf b = STRBUF_INIT;
	unsigned i, n;

	for (i = 0; i < l->nr; i++) {
		cJSON *o = cJSON_CreateObject();

		for (n = 0; n < c->nr; n++)
			add_json_field(o, &l->v[i], c->v[n]);
		cJSON_AddItemToArray(arr, o);
	}
	json_print(&b, arr, pretty);
	puts(b.buf);
}

static int run_list(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct list_args a = { .fields = "id,name,size,importtime,lastused",
			       .sort = "importtime",
			       .order = "asc" };
	cleanup_image_list struct image_list l = { 0 };
	struct columns c;
	enum output format;
	int i = cmd_parse(&cmd_image_list, &a, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (argc > i)
		return err_setk(e, ERR_USAGE, 0, "cannot run 'image list': it takes no arguments");
	if (output_parse(a.format, &format, e) < 0 || columns_parse(a.fields, &c, e) < 0 ||
	    image_list(cfg->dir, &l, e) < 0 || sort_list(&l, &a, e) < 0)
		return -1;
	if (format == OUTPUT_TABLE)
		print_table(&l, &c, a.full, !a.no_legend);
	else
		print_json(&l, &c, format == OUTPUT_JSON_PRETTY);
	return 0;
}

const struct cmd cmd_image_list = {
	.name = "image list",
	.args = "",
	.summary = "list the images in the store",
	.opts = list_opts,
	.run = run_list,
};
