/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vpod-image: the program that fetches images, run by vpod (ensure.c).
 *
 *	vpod-image --dir=DIR [--log=info|debug] [--insecure-http] [--insecure-tls] [--report]
 *		   fetch REFERENCE
 *
 * With --report it prints one line of JSON, {"id","name"} or {"error":{...}}, and exits with 0;
 * else the id, or the error in the usual form and status 125.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/options.h"
#include "images/fetch.h"

#define PROG "vpod-image"

struct args {
	const char *dir, *log;
	struct image_insecure insecure;
	bool report;
};

static const struct opt options[] = {
	{ .name = "dir", .type = OPT_STR, .offset = offsetof(struct args, dir), .value = "DIR" },
	{ .name = "log", .type = OPT_STR, .offset = offsetof(struct args, log), .value = "LEVEL" },
	{ .name = "insecure-http",
	  .type = OPT_BOOL,
	  .offset = offsetof(struct args, insecure.http) },
	{ .name = "insecure-tls", .type = OPT_BOOL, .offset = offsetof(struct args, insecure.tls) },
	{ .name = "report", .type = OPT_BOOL, .offset = offsetof(struct args, report) },
	OPT_END,
};

static int parse_args(int argc, char **argv, struct args *a, const char **ref, struct err *e)
{
	const struct opt_set sets[] = { { options, a }, { NULL, NULL } };
	bool ended = false;
	int i = 1;

	if (opts_parse(sets, argc, argv, &i, &ended, e) < 0)
		return -1;
	if (!a->dir || argc - i != 2 || strcmp(argv[i], "fetch") != 0)
		return err_setk(e, ERR_USAGE, 0,
				"cannot understand the command: not " PROG
				" --dir=DIR fetch REFERENCE");
	*ref = argv[i + 1];
	return 0;
}

static int fetch(const struct args *a, const char *ref, struct digest *id, char **name,
		 struct err *e)
{
	struct store s;
	int r;

	if (store_open(a->dir, true, &s, e) < 0)
		return -1;
	r = fetch_image(&s, ref, &a->insecure, id, name, e);
	store_close(&s);
	return r;
}

static void report_result(const struct digest *id, const char *name, struct strbuf *b)
{
	sb_addf(b, "{\"id\":\"sha256:%s\",\"name\":", id->hex);
	sb_add_json(b, name);
	sb_adds(b, "}\n");
}

static void report_error(const struct err *e, struct strbuf *b)
{
	sb_addf(b, "{\"error\":{\"kind\":%d,\"errno\":%d,\"msg\":", (int)e->kind, e->num);
	sb_add_json(b, e->msg);
	sb_adds(b, ",\"hint\":");
	sb_add_json(b, e->hint);
	sb_adds(b, "}}\n");
}

int main(int argc, char **argv)
{
	cleanup_sb struct strbuf out = STRBUF_INIT;
	cleanup_free char *name = NULL;
	const char *ref = NULL;
	struct digest id = { "" };
	struct args a = { 0 };
	struct err e = { 0 };
	int r;

	umask(0077);
	r = parse_args(argc, argv, &a, &ref, &e);
	if (a.log)
		log_set("vpod", !strcmp(a.log, "debug") ? LOG_DEBUG : LOG_INFO);
	if (!r)
		r = fetch(&a, ref, &id, &name, &e);
	if (r < 0 && !a.report) {
		err_print(&e, PROG);
		return 125;
	}
	if (r < 0)
		report_error(&e, &out);
	else if (a.report)
		report_result(&id, name, &out);
	else
		sb_addf(&out, "sha256:%s\n", id.hex);
	return fputs(out.buf, stdout) < 0 || fflush(stdout) ? 125 : 0;
}
