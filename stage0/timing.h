/* SPDX-License-Identifier: Apache-2.0 */
/* --timing: how long each phase of a run took, on standard error. */
#ifndef VPOD_STAGE0_TIMING_H
#define VPOD_STAGE0_TIMING_H

#include <stdbool.h>

struct timing;

/* Phases that did not happen are left out. */
void timing_print(const struct timing *t, bool json);

#endif
