/* SPDX-License-Identifier: Apache-2.0 */
/* "UUID or --uuid-file=FILE", for commands on one pod. */
#ifndef VPOD_STAGE0_UUIDARG_H
#define VPOD_STAGE0_UUIDARG_H

#include "base/err.h"
#include "base/uuid.h"

struct cmd;

/* The UUID (or its prefix) from the one operand or from @file; not both. */
int uuid_argument(const struct cmd *cmd, int argc, char **argv, const char *file,
		  char out[static UUID_LEN + 1], struct err *e);

struct config;

/*
 * Calls @fn for each operand; one that fails does not keep the others.  All but the last failure
 * are logged, the last is @e.  Returns 0 or -1.
 */
int each_uuid(const struct config *cfg, int argc, char **argv,
	      int (*fn)(const struct config *cfg, const char *uuid, void *ctx, struct err *e),
	      void *ctx, struct err *e);

#endif
