/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cgroup v2 per app, at /cgroup/pod/N: limits, the word of the OOM killer, and the end of
 * whatever the app leaves behind.  A kernel without cgroups runs pods all the same, unless they
 * have limits.
 */
#ifndef VPOD_GUEST_CGROUP_H
#define VPOD_GUEST_CGROUP_H

#include "pod.h"

int cgroup_begin(const struct pod *pod, struct err *e);
bool cgroup_is_there(void);

/* Makes the group of app @i with its limits. */
int cgroup_make(const struct app *app, unsigned i, struct err *e);

/* A directory fd for clone3(2), or -1. */
int cgroup_open(unsigned i);

/* Joins the group of app @i, for kernels whose clone3 cannot. */
int cgroup_join(unsigned i);

/* SIGKILL to all in it, those included that are being forked. */
void cgroup_kill(unsigned i);

/* Whether the OOM killer took one of its processes; @signo is what ended the main process. */
bool cgroup_had_oom(unsigned i, int signo);

#endif
