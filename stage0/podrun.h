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

/* Fetches what is missing and loads the images, one per app; caller frees with free_images(). */
int podrun_images(const struct config *cfg, const struct run_args *r, struct image **out,
		  struct err *e);
void podrun_free_images(struct image *images, unsigned nr);

/* A new pod in phase prepare with its manifest written; undone on failure. */
int podrun_create(const struct config *cfg, const struct run_args *r, const struct image *images,
		  struct pod *p, struct manifest *m, struct err *e);

/* Refuses a pod that wants a terminal when standard input is none. */
int podrun_check_tty(const struct manifest *m, struct err *e);

/*
 * Builds the machine, moves the pod to run, supervises it and moves it to exited.  Returns the exit
 * status of vpod run, or -1; either way no process of the pod is left.
 */
int podrun_execute(const struct config *cfg, const struct run_args *r, struct pod *p,
		   const struct manifest *m, struct machine *mach, struct timing *t, struct err *e);

#endif
