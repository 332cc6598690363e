/* SPDX-License-Identifier: Apache-2.0 */
/* image rm, image gc, image cat-manifest; image list is in cmd_image_list.c. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/num.h"
#include "images/image.h"
#include "stage0/cmd.h"
#include "stage0/config.h"
#include "stage0/imageuser.h"

extern const struct cmd cmd_image_rm, cmd_image_gc, cmd_image_cat_manifest;

/* One error for all that could not be removed, as rkt does: the others are removed. */
static int sum_up(unsigned nr_failed, unsigned nr, const struct strbuf *why, const struct err *last,
		  struct err *e)
{
	if (!nr_failed)
		return 0;
	*e = *last;
	if (nr == 1)
		return -1;
	err_setk(e, last->kind, 0, "cannot remove %u of %u images: %s", nr_failed, nr, why->buf);
	return last->hint[0] ? err_hint(e, "%s", last->hint) : -1;
}

static int run_rm(const struct config *cfg, int argc, char **argv, struct err *e)
{
	cleanup_sb struct strbuf why = STRBUF_INIT;
	struct image_users users = pod_image_users(cfg);
	struct err last = { 0 };
	unsigned nr_failed = 0;
	int i = cmd_parse(&cmd_image_rm, NULL, argc, argv, e), first = i;

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_image_rm, argc - i, 1, 0, e) < 0)
		return -1;
	for (; i < argc; i++) {
		if (!image_remove(cfg->dir, argv[i], &users, &last))
			continue;
		sb_addf(&why, "%s%s", nr_failed++ ? "; " : "", last.msg);
	}
	return sum_up(nr_failed, (unsigned)(argc - first), &why, &last, e);
}

const struct cmd cmd_image_rm = {
	.name = "image rm",
	.args = "ID|NAME...",
	.summary = "remove images from the store",
	.description =
		"By name, an image that has other names only loses this one.  An image that a pod\n"
		"needs stays, and the command fails.",
	.run = run_rm,
};

struct gc_args {
	uint64_t grace;
};

static const struct opt gc_opts[] = {
	{ "grace-period", 0, OPT_DURATION, offsetof(struct gc_args, grace), "TIME", NULL,
	  "remove named images too that were not used for so long", NULL },
	OPT_END,
};

static int run_gc(const struct config *cfg, int argc, char **argv, struct err *e)
{
	/* rkt's default; as vpod, what has a name stays. */
	struct gc_args a = { .grace = cfg->as_rkt ? 24ull * 3600 * 1000000000 : 0 };
	struct image_users users = pod_image_users(cfg);
	struct image_gc_result r;
	char size[32];
	int i = cmd_parse(&cmd_image_gc, &a, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_image_gc, argc - i, 0, 0, e) < 0 ||
	    image_gc(cfg->dir, a.grace / 1000000000, &users, &r, e) < 0)
		return -1;
	if (r.nr_images || r.bytes)
		printf("removed %u image%s, %s\n", r.nr_images, r.nr_images == 1 ? "" : "s",
		       num_format_size(r.bytes, size));
	return 0;
}

const struct cmd cmd_image_gc = {
	.name = "image gc",
	.args = "",
	.summary = "remove images and files that nothing needs",
	.opts = gc_opts,
	.description = "Images without a name go when no pod needs them, and what interrupted\n"
		       "fetches left.  With --grace-period, unused images with a name as well.",
	.run = run_gc,
};

struct cat_args {
	bool pretty;
};

static const struct opt cat_opts[] = {
	{ "pretty-print", 0, OPT_BOOL, offsetof(struct cat_args, pretty), NULL, NULL,
	  "with line breaks (default true; =false: the very bytes of the digest)", NULL },
	OPT_END,
};

static int print_pretty(const struct strbuf *text, struct err *e)
{
	cleanup_json cJSON *j = json_parse(text->buf, text->len, "image manifest", e);
	cleanup_sb struct strbuf b = STRBUF_INIT;

	if (!j)
		return -1;
	json_print(&b, j, true);
	puts(b.buf);
	return 0;
}

static int run_cat_manifest(const struct config *cfg, int argc, char **argv, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	struct cat_args a = { .pretty = true };
	int i = cmd_parse(&cmd_image_cat_manifest, &a, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_image_cat_manifest, argc - i, 1, 1, e) < 0 ||
	    image_manifest(cfg->dir, argv[i], &text, e) < 0)
		return -1;
	if (a.pretty)
		return print_pretty(&text, e);
	fwrite(text.buf, 1, text.len, stdout);
	return 0;
}

const struct cmd cmd_image_cat_manifest = {
	.name = "image cat-manifest",
	.args = "ID|NAME",
	.summary = "print an image's manifest",
	.opts = cat_opts,
	.run = run_cat_manifest,
};
