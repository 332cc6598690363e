/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vpod-image: the program that fetches images, run by vpod (ensure.c, base/helper.h).
 *
 *	vpod-image --dir=DIR [--log=info|debug] [--insecure-http] [--insecure-tls] REFERENCE
 *
 * The result is {"id","name"}.
 */
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/helper.h"
#include "base/json.h"
#include "base/log.h"
#include "base/options.h"
#include "images/fetch.h"

struct args {
	const char *dir, *log;
	struct image_insecure insecure;
};

static const struct opt options[] = {
	{ .name = "dir", .type = OPT_STR, .offset = offsetof(struct args, dir), .value = "DIR" },
	{ .name = "log", .type = OPT_STR, .offset = offsetof(struct args, log), .value = "LEVEL" },
	{ .name = "insecure-http",
	  .type = OPT_BOOL,
	  .offset = offsetof(struct args, insecure.http) },
	{ .name = "insecure-tls", .type = OPT_BOOL, .offset = offsetof(struct args, insecure.tls) },
	OPT_END,
};

static int parse_args(int argc, char **argv, struct args *a, const char **ref, struct err *e)
{
	const struct opt_set sets[] = { { options, a }, { NULL, NULL } };
	bool ended = false;
	int i = 1;

	if (opts_parse(sets, argc, argv, &i, &ended, e) < 0)
		return -1;
	if (!a->dir || argc - i != 1)
		return err_setk(e, ERR_USAGE, 0,
				"cannot run vpod-image: it takes --dir=DIR and one reference");
	*ref = argv[i];
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

static int report(const struct digest *id, const char *name)
{
	cleanup_json cJSON *j = cJSON_CreateObject();
	cleanup_free char *text = xasprintf("sha256:%s", id->hex);

	cJSON_AddStringToObject(j, "id", text);
	cJSON_AddStringToObject(j, "name", name);
	return helper_report_result(STDOUT_FILENO, j);
}

int main(int argc, char **argv)
{
	cleanup_free char *name = NULL;
	const char *ref = NULL;
	struct digest id;
	struct args a = { 0 };
	struct err e = { 0 };

	umask(0077);
	if (parse_args(argc, argv, &a, &ref, &e) < 0)
		return helper_report_error(STDOUT_FILENO, &e);
	if (a.log)
		log_set("vpod", !strcmp(a.log, "debug") ? LOG_DEBUG : LOG_INFO);
	if (fetch(&a, ref, &id, &name, &e) < 0)
		return helper_report_error(STDOUT_FILENO, &e);
	return report(&id, name);
}
