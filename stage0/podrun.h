/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that run, prepare and run-prepared share, each of them one line of DESIGN's list. */
#ifndef VPOD_STAGE0_PODRUN_H
#define VPOD_STAGE0_PODRUN_H

#include "base/err.h"
#include "stage0/manifest.h"
#include "stage0/pod.h"
#include "stage0/runopts.h"
#include "stage0/supervise.h"

struct config;
struct machine;
struct tty;

/* One image per app, held against removal until it is freed. */
struct pod_images {
	struct image *v;
	int *locks;
	unsigned nr;
};

/*
 * Fetches what is missing, loads and holds the images; caller frees with podrun_free_images().
 * Whoever removes images looks at the manifests of prepared pods (imageuser.h): they must be held
 * until the manifest is written and the pod is prepared, or its machine holds them.
 */
int podrun_images(const struct config *cfg, const struct run_args *r, struct pod_images *out,
		  struct err *e);
void podrun_free_images(struct pod_images *images);

/* A new pod in phase prepare with its manifest written; undone on failure. */
int podrun_create(const struct config *cfg, const struct run_args *r,
		  const struct pod_images *images, struct pod *p, struct manifest *m,
		  struct err *e);

/* Refuses a pod that wants a terminal when standard input is none. */
int podrun_check_tty(const struct manifest *m, struct err *e);

/*
 * Builds the machine, moves the pod to run, supervises it and moves it to exited.  Returns the exit
 * status of vpod run, or -1; either way no process of the pod is left.
 */
int podrun_execute(const struct config *cfg, const struct run_args *r, struct pod *p,
		   const struct manifest *m, struct machine *mach, struct timing *t, struct err *e);

#endif
