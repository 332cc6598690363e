/* SPDX-License-Identifier: Apache-2.0 */
/* --jailed: whether the caller made the jail that it says it made. */
#ifndef VPOD_VMM_JAILED_H
#define VPOD_VMM_JAILED_H

#include "base/err.h"

/* Refuses to go on outside a jail as base/jail.h makes it, naming what is missing. */
int jailed_check(struct err *e);

#endif
