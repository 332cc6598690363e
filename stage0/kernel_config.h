/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel's .config, and what of it a pod needs: the table is in kernel_config.c. */
#ifndef VPOD_STAGE0_KERNEL_CONFIG_H
#define VPOD_STAGE0_KERNEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strbuf.h"

#define KERNEL_CONFIG_MAX (4u << 20)

struct kernel_need {
	const char *symbol; /* without CONFIG_ */
	const char *either; /* another symbol that serves as well, or NULL */
	const char *module; /* as lsmod names it, loaded from modules.cpio; NULL: built in only */
	const char *purpose;
	bool is_optional; /* a pod runs without it, but worse */
};

/* Ends with a NULL symbol. */
extern const struct kernel_need kernel_needs[];

/*
 * Checks the .config @text against the table; @modules are the names (as lsmod has them) of what
 * modules.cpio loads.  For each need that is not met adds "CONFIG_X is not set (the root disks)" to
 * @missing, or to @wanted if a pod runs without it.
 */
void config_check(const char *text, size_t len, const struct strv *modules, struct strv *missing,
		  struct strv *wanted);

/* In kernel.c: the error that names what is missing, or 0 when nothing is. */
int kernel_check_result(const char *what, const struct strv *missing, struct err *e);

/* 'y', 'm', or 'n' for a symbol that is off or has another kind of value. */
char config_get(const char *text, size_t len, const char *symbol);

/* Whether @text looks like a .config at all. */
bool config_is_valid(const char *text, size_t len);

#endif
