/* SPDX-License-Identifier: Apache-2.0 */
/* vpod prepare and vpod run-prepared: the two halves of run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"
#include "stage0/cmd.h"
#include "stage0/config.h"
#include "stage0/machine.h"
#include "stage0/podgc.h"
#include "stage0/podinfo.h"
#include "stage0/podrun.h"

/* One that is named must be there and able; the default is chosen when the pod runs. */
static int check_kernel(const struct config *cfg, const char *name, struct err *e)
{
	cleanup_kernel struct kernel k = { 0 };

	return name && (kernel_find(cfg, name, &k, e) < 0 || kernel_check(&k, e) < 0) ? -1 : 0;
}

static int prepare_pod(const struct config *cfg, struct run_args *r, struct err *e)
{
	struct manifest man = { 0 };
	struct pod_images images = { 0 };
	struct pod p = POD_INIT;
	int ret = -1;

	if (check_kernel(cfg, r->kernel, e) < 0)
		return -1;
	if (podrun_images(cfg, r, &images, e) == 0 &&
	    podrun_create(cfg, r, &images, &p, &man, e) == 0) {
		ret = pod_to(cfg, &p, POD_PREPARED, e);
		if (ret < 0)
			pod_discard(cfg, &p);
		else
			puts(p.uuid);
	}
	pod_close(&p);
	manifest_free(&man);
	podrun_free_images(&images);
	return ret;
}

static int prepare(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct run_args r;
	int ret = run_args_parse(&cmd_prepare, argc, argv, &r, e);

	if (!ret)
		ret = run_args_check(&r, e) < 0 || config_make_dirs(cfg, e) < 0
			      ? -1
			      : prepare_pod(cfg, &r, e);
	else if (ret > 0)
		ret = 0;
	run_args_free(&r);
	return ret;
}

const struct cmd cmd_prepare = {
	.name = "prepare",
	.args = "IMAGE [APP OPTIONS] [-- ARG…] [--- IMAGE …]",
	.summary = "fetch the images of a pod and make it ready; prints its UUID",
	.opts = prepare_opts,
	.run = prepare,
};

static int open_prepared(const struct config *cfg, const char *uuid, struct pod *p, struct err *e)
{
	if (pod_open(cfg, uuid, p, e) < 0)
		return -1;
	if (p->phase != POD_PREPARED || p->is_locked)
		return err_setk(e, ERR_USAGE, 0, "cannot run pod %s: it is %s, not prepared",
				p->uuid, pod_state(p));
	return pod_lock(p, e);
}

static int run_one(const struct config *cfg, const struct run_args *r, struct pod *p,
		   struct manifest *man, struct machine *m, struct err *e)
{
	struct timing t = { .start = now_ns(), .images = now_ns() };
	int ret;

	if (pod_manifest(p, man, e) < 0 || machine_choose(cfg, r, man->kernel, m, e) < 0)
		return -1;
	if (podrun_check_tty(man, e) < 0)
		return -1;
	ret = podrun_execute(cfg, r, p, man, m, &t, e);
	if (ret < 0 && p->phase == POD_PREPARED)
		machine_undo(p); /* the pod stays prepared: it did not run */
	return ret;
}

static int run_prepared(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct run_args r = RUN_ARGS_INIT;
	struct manifest man = { 0 };
	struct pod p = POD_INIT;
	struct machine m;
	int i = cmd_parse(&cmd_run_prepared, &r, argc, argv, e), ret = -1;

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_run_prepared, argc - i, 1, 1, e) < 0 ||
	    run_args_check_start(&r, e) < 0 || config_make_dirs(cfg, e) < 0)
		return -1;
	machine_init(&m);
	if (open_prepared(cfg, argv[i], &p, e) == 0)
		ret = run_one(cfg, &r, &p, &man, &m, e);
	machine_release(&m);
	manifest_free(&man);
	if (r.rm && p.phase == POD_EXITED)
		pod_discard(cfg, &p);
	pod_close(&p);
	return ret;
}

const struct cmd cmd_run_prepared = {
	.name = "run-prepared",
	.args = "UUID",
	.summary = "run a prepared pod, once",
	.opts = run_prepared_opts,
	.run = run_prepared,
};
