/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of run and prepare:
 *
 *	[POD OPTIONS] IMAGE [APP OPTIONS] [-- ARG …] [--- IMAGE …]
 *
 * as rkt's, with docker's spelling where the two do not clash.  Pod options may stand anywhere
 *before
 * "--"; app options concern the image before them.  Without any "--" or "---", words after the
 *image are its command, as docker and podman have it; then options after the image end at the first
 *word.
 */
#ifndef VPOD_STAGE0_RUNOPTS_H
#define VPOD_STAGE0_RUNOPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/options.h"
#include "images/image.h"
#include "stage0/manifest.h"

struct config;
struct cmd;

/* One image of the command line and its overrides; strings point into argv. */
struct app_args {
	const char *image;
	const char *name;
	const char *exec; /* --exec, --entrypoint */
	const char *cwd, *user, *group;
	const char *readonly;
	struct strv env;
	struct strv gids;
	struct strv mounts;
	uint64_t memory, cpu_milli;
	char **args; /* words for the app; NULL: none given */
	int nr_args;
	bool has_args; /* "--" stood there, even if nothing follows */
};

struct run_args {
	struct app_args *apps;
	unsigned nr_apps;
	struct strv volumes;
	struct app_args all; /* app options before the first image, where docker has them */
	const char *hostname;
	const char *net;
	const char *scratch;
	const char *kernel;
	const char *hypervisor;
	const char *accel;
	const char *uuid_file;
	const char *timing; /* NULL, "text" or "json" */
	const char *pull_policy;
	const char *append;	  /* --kernel-append */
	uint64_t timeout_ns;	  /* 0: none */
	uint64_t boot_timeout_ns; /* 0: the accelerator's default */
	uint64_t stop_timeout_ns; /* 0: killed at once */
	uint64_t vm_memory;	  /* 0: what the apps need */
	uint64_t vm_cpus;	  /* 0: what the apps need */
	bool interactive, tty, rm, dry_run, quiet, mds_register;
};

#define STOP_TIMEOUT_NS 10000000000ull
#define RUN_ARGS_INIT                              \
	{                                          \
		.stop_timeout_ns = STOP_TIMEOUT_NS \
	}

#define RUN_MIN_MEMORY (64ull << 20)

/* No hypervisor gives a VM more, so neither can an app have more. */
#define RUN_MAX_CPUS 16

extern const struct opt run_opts[];	     /* what "run" takes */
extern const struct opt prepare_opts[];	     /* what "prepare" takes */
extern const struct opt run_prepared_opts[]; /* what "run-prepared" takes */

/* Returns 1 when --help was asked for, 0 or -1. */
int run_args_parse(const struct cmd *cmd, int argc, char **argv, struct run_args *out,
		   struct err *e);
void run_args_free(struct run_args *r);

/*
 * Checks what does not need an image, and gives early app options to the one image.  Whatever is
 * wrong with the command line alone is told here: before the host is looked at and anything
 * fetched.
 */
int run_args_check(struct run_args *r, struct err *e);

/* The part of it that run-prepared shares: how the machine is started. */
int run_args_check_start(const struct run_args *r, struct err *e);

/* What merging refuses whatever the images are: volumes, mounts, names and the like. */
int run_args_check_merge(const struct run_args *r, struct err *e);

/* Fills the manifest from the arguments and the images (one per app, in order). */
int run_args_manifest(const struct config *cfg, const struct run_args *r,
		      const struct image *images, struct manifest *out, struct err *e);

#endif
