/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU on this host: where it is and which files it needs to see in its jail. */
#ifndef VPOD_STAGE0_QEMU_H
#define VPOD_STAGE0_QEMU_H

#include "base/err.h"
#include "base/strbuf.h"

struct config;

/* $VPOD_QEMU or /usr/bin/qemu-system-x86_64; caller owns. NULL with a hint when it is not there. */
char *qemu_path(struct err *e);

/*
 * The executable, the loader, every shared library and the firmware it opens.  Asked of the dynamic
 * loader once per version of QEMU and kept in cfg->run_dir.
 */
int qemu_files(const struct config *cfg, struct strv *out, struct err *e);

#endif
