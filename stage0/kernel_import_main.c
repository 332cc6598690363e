/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vpod-kernel: what 'vpod kernel import' runs, so that vpod does not load libarchive.
 *
 *	vpod-kernel --dir=DIR [--name=NAME] [--default] SOURCE
 */
#include <stddef.h>
#include <unistd.h>

#include "base/helper.h"
#include "base/json.h"
#include "base/log.h"
#include "base/options.h"
#include "stage0/kernel_import.h"

static const struct opt options[] = {
	{ "dir", 0, OPT_STR, offsetof(struct import_opts, dir), "DIR", NULL, "data directory",
	  NULL },
	{ "name", 0, OPT_STR, offsetof(struct import_opts, name), "NAME", NULL,
	  "name in the store, instead of the release", NULL },
	{ "default", 0, OPT_BOOL, offsetof(struct import_opts, make_default), NULL, NULL,
	  "make it the default kernel", NULL },
	OPT_END,
};

static int parse(int argc, char **argv, struct import_opts *o, struct err *e)
{
	const struct opt_set sets[] = { { options, o }, { NULL, NULL } };
	bool ended = false;
	int i = 1;

	if (opts_parse(sets, argc, argv, &i, &ended, e) < 0)
		return -1;
	if (argc - i != 1 || !o->dir)
		return err_setk(e, ERR_USAGE, 0,
				"cannot run vpod-kernel: it takes --dir=DIR and one SOURCE");
	o->source = argv[i];
	return 0;
}

int main(int argc, char **argv)
{
	struct import_opts o = { 0 };
	cleanup_json cJSON *result = NULL;
	struct err e = { 0 };

	log_set("vpod-kernel", LOG_WARN);
	if (parse(argc, argv, &o, &e) < 0 || kernel_import(&o, &result, &e) < 0)
		return helper_report_error(STDOUT_FILENO, &e);
	return helper_report_result(STDOUT_FILENO, result);
}
