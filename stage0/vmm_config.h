/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine in JSON, in the words of Firecracker's --config-file where the thing is the same, made
 * into vpod-vmm's own description (vmm/spec.h).  Strict: an unknown key is an error that names the
 * nearest one, and what vpod-vmm does not have is refused by its name.
 */
#ifndef VPOD_STAGE0_VMM_CONFIG_H
#define VPOD_STAGE0_VMM_CONFIG_H

#include "base/err.h"
#include "base/strbuf.h"

/* Appends the description of the machine in @text to @out. Opens nothing. */
int vmm_config_convert(const char *text, size_t len, struct strbuf *out, struct err *e);

#endif
