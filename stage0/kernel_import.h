/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: An import
 *
 * Under the store's lock: everything is made in .tmp-<name or pid>/, synced, and named last.  A
 * killed import leaves only that directory, which the next writer removes.  An entry with the same
 * content stays as it is; one with other content is exchanged in one rename, and pods that run on
 * the old one keep the files that they have open.
 */
#ifndef VPOD_STAGE0_KERNEL_IMPORT_H
#define VPOD_STAGE0_KERNEL_IMPORT_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/err.h"

struct import_opts {
	const char *dir;  /* the data directory */
	const char *name; /* NULL: the release */
	const char *source;
	bool make_default;
};

/*
 * *@result (caller owns): info.json and "state", which is "imported", "replaced" or "unchanged".
 */
int kernel_import(const struct import_opts *o, cJSON **result, struct err *e);

#endif
