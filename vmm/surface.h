/* SPDX-License-Identifier: Apache-2.0 */
/* --surface: all that a guest, or who broke out of one, can reach. */
#ifndef VPOD_VMM_SURFACE_H
#define VPOD_VMM_SURFACE_H

#include "vmm/machine.h"

/* A machine with one device of each kind, when no description is given. */
extern const char surface_default_spec[];

/* Prints what @m, made and not run, has; NULL: what every machine has. */
void surface_print(const struct machine *m);

#endif
