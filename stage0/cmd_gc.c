/* SPDX-License-Identifier: Apache-2.0 */
/* vpod gc and vpod rm. */
#include <stddef.h>
#include <stdio.h>

#include "stage0/cmd.h"
#include "stage0/podgc.h"
#include "stage0/uuidarg.h"

#define G(f) offsetof(struct gc_options, f)
static const struct opt gc_opts[] = {
	{ "grace-period", 0, OPT_DURATION, G(grace_ns), "TIME", NULL,
	  "leave pods that ended less than this ago (30m)", NULL },
	{ "expire-prepared", 0, OPT_DURATION, G(expire_ns), "TIME", NULL,
	  "remove prepared pods that are older (24h)", NULL },
	{ "mark-only", 0, OPT_BOOL, G(mark_only), NULL, NULL,
	  "mark pods as garbage, delete nothing", NULL },
	OPT_END,
};

static int gc(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct gc_options o = { .grace_ns = 1800000000000, .expire_ns = 86400000000000 };
	struct gc_result res;
	int i = cmd_parse(&cmd_gc, &o, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_gc, argc - i, 0, 0, e) < 0 || pod_gc(cfg, &o, &res, e) < 0)
		return -1;
	if (res.nr_failed)
		return err_set(e, 0, "cannot remove %u pod%s", res.nr_failed,
			       res.nr_failed == 1 ? "" : "s");
	return 0;
}

const struct cmd cmd_gc = {
	.name = "gc",
	.args = "",
	.summary = "remove pods that have ended, and what killed processes left",
	.opts = gc_opts,
	.run = gc,
};

struct rm_args {
	const char *uuid_file;
};

static const struct opt rm_opts[] = {
	{ "uuid-file", 0, OPT_STR, offsetof(struct rm_args, uuid_file), "FILE", NULL,
	  "read the UUID from a file", NULL },
	OPT_END,
};

static int rm_uuid(const struct config *cfg, const char *uuid, void *ctx, struct err *e)
{
	cleanup_pod struct pod p = POD_INIT;

	(void)ctx;
	if (pod_open(cfg, uuid, &p, e) < 0)
		return -1;
	if (p.is_locked) {
		err_setk(e, ERR_USAGE, 0, "cannot remove pod %s: it is %s", p.uuid, pod_state(&p));
		return err_hint(e, "'vpod stop %.8s' stops it", p.uuid);
	}
	if (pod_remove(cfg, &p, e) < 0)
		return -1;
	printf("\"%s\"\n", p.uuid);
	return 0;
}

static int rm(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct rm_args a = { 0 };
	char uuid[UUID_LEN + 1];
	int i = cmd_parse(&cmd_rm, &a, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (a.uuid_file) {
		if (uuid_argument(&cmd_rm, argc - i, argv + i, a.uuid_file, uuid, e) < 0)
			return -1;
		return rm_uuid(cfg, uuid, NULL, e);
	}
	if (cmd_operands(&cmd_rm, argc - i, 1, 0, e) < 0)
		return -1;
	return each_uuid(cfg, argc - i, argv + i, rm_uuid, NULL, e);
}

const struct cmd cmd_rm = {
	.name = "rm",
	.args = "UUID…",
	.summary = "remove pods that do not run",
	.opts = rm_opts,
	.run = rm,
};
