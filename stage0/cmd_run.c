/* SPDX-License-Identifier: Apache-2.0 */
/* vpod run: DESIGN.md section 4, top to bottom. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/loop.h"
#include "stage0/cmd.h"
#include "stage0/config.h"
#include "stage0/machine.h"
#include "stage0/podgc.h"
#include "stage0/podrun.h"

/* Builds the machine of a pod that is thrown away, and prints it. */
static int dry_run(const struct config *cfg, const struct run_args *r, const struct pod *p,
		   const struct manifest *man, struct machine *m, struct err *e)
{
	if (machine_build(cfg, r, p, man, m, e) < 0)
		return -1;
	machine_warn(m);
	machine_print(m);
	return 0;
}

/* The pod goes with --rm, after a dry run, and when the engine failed before it ran. */
static bool is_kept(const struct run_args *r, const struct pod *p)
{
	return !r->rm && !r->dry_run && (p->phase == POD_EXITED || p->phase == POD_RUN);
}

static int run_pod(const struct config *cfg, struct run_args *r, struct timing *t, struct err *e)
{
	struct manifest man = { 0 };
	struct pod_images images = { 0 };
	struct machine m;
	struct pod p = POD_INIT;
	int ret = -1;

	machine_init(&m);
	if (machine_choose(cfg, r, r->kernel, &m, e) < 0 || podrun_images(cfg, r, &images, e) < 0)
		goto out;
	t->images = now_ns();
	if (podrun_create(cfg, r, &images, &p, &man, e) < 0)
		goto out;
	ret = r->dry_run ? dry_run(cfg, r, &p, &man, &m, e)
			 : podrun_execute(cfg, r, &p, &man, &m, t, e);
	if (is_kept(r, &p))
		pod_close(&p);
	else
		pod_discard(cfg, &p);
out:
	machine_release(&m);
	manifest_free(&man);
	podrun_free_images(&images);
	return ret;
}

static int check_tty(const struct run_args *r, struct err *e)
{
	if (!r->tty || !r->interactive || isatty(STDIN_FILENO) || r->dry_run)
		return 0;
	err_setk(e, ERR_USAGE, 0, "cannot use -t: standard input is not a terminal");
	return err_hint(e, "leave -t out; -i alone passes a pipe or a file on");
}

static int run(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct timing t = { .start = now_ns() };
	struct run_args r;
	int ret = run_args_parse(&cmd_run, argc, argv, &r, e);

	if (!ret)
		ret = run_args_check(&r, e) < 0 || check_tty(&r, e) < 0 ||
				      config_make_dirs(cfg, e) < 0
			      ? -1
			      : run_pod(cfg, &r, &t, e);
	else if (ret > 0)
		ret = 0;
	run_args_free(&r);
	return ret;
}

const struct cmd cmd_run = {
	.name = "run",
	.args = "IMAGE [APP OPTIONS] [-- ARG…] [--- IMAGE …]",
	.summary = "run a pod of one or more images and wait for its end",
	.opts = run_opts,
	.description =
		"IMAGE is oci:DIR[:REF], oci-archive:FILE, docker-archive:FILE, dir:PATH, tar:FILE,\n"
		"docker://[HOST/]NAME[:TAG|@DIGEST], a bare docker name, or the id of a stored image.\n"
		"\n"
		"The exit status is that of the first app that fails, or 0; 128+n for signal n; 124 for\n"
		"--timeout; 125 (as rkt: 254) when vpod itself failed; 126 and 127 when the program\n"
		"cannot be executed or is not there.",
	.run = run,
};
