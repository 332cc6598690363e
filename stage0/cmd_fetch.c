/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "images/image.h"
#include "stage0/cmd.h"
#include "stage0/config.h"

extern const struct cmd cmd_fetch;

struct fetch_args {
	const char *pull_policy;
	bool full;
};

static const struct opt fetch_opts[] = {
	{ "pull-policy", 0, OPT_STR, offsetof(struct fetch_args, pull_policy), "POLICY", NULL,
	  "never, new or update (default update)", NULL },
	{ "full", 0, OPT_BOOL, offsetof(struct fetch_args, full), NULL, NULL, "print ids in full",
	  NULL },
	OPT_END,
};

static int fetch_one(const struct config *cfg, const struct fetch_args *a, enum image_pull pull,
		     const char *ref, struct err *e)
{
	const struct image_insecure insecure = { .http = cfg->insecure_http,
						 .tls = cfg->insecure_tls };
	struct digest id;

	if (image_ensure(cfg->dir, ref, pull, &insecure, &id, e) < 0)
		return -1;
	printf("sha256:%.*s\n", a->full ? DIGEST_HEX_LEN : IMAGE_SHORT_ID, id.hex);
	/* Whoever reads along sees each id when its image is there. */
	fflush(stdout);
	return 0;
}

static int run_fetch(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct fetch_args a = { .pull_policy = "update" };
	int i = cmd_parse(&cmd_fetch, &a, argc, argv, e);
	enum image_pull pull;

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_fetch, argc - i, 1, 0, e) < 0 ||
	    image_pull_parse(a.pull_policy, &pull, e) < 0)
		return -1;
	for (; i < argc; i++) {
		if (fetch_one(cfg, &a, pull, argv[i], e) < 0)
			return -1;
	}
	return 0;
}

const struct cmd cmd_fetch = {
	.name = "fetch",
	.args = "IMAGE...",
	.summary = "bring images into the store",
	.opts = fetch_opts,
	.description =
		"Prints the id of each image, cut to 12 digits without --full.  IMAGE is one of\n"
		"  [docker://][HOST[:PORT]/]NAME[:TAG][@DIGEST]\n"
		"  oci:DIR[:REF]  oci-archive:FILE[:REF]  docker-archive:FILE[:REF]\n"
		"  dir:PATH  tar:FILE  sha256:ID",
	.run = run_fetch,
};
