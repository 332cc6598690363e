/* SPDX-License-Identifier: Apache-2.0 */
/* A uid of its own for each running hypervisor, from a range that no account has. */
#ifndef VPOD_STAGE0_UIDS_H
#define VPOD_STAGE0_UIDS_H

#include <sys/types.h>

#include "base/err.h"

struct config;

#define UID_FIRST 0x76000000u
#define UID_COUNT 65536u

/*
 * Takes a free uid; it is free again when the returned lock fd (caller owns) is closed by all who
 * have it.  The gid is the same number.  Ordinary users get 0: their hypervisors run as themselves.
 */
int uid_take(const struct config *cfg, uid_t *uid, struct err *e);

#endif
