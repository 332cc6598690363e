/* SPDX-License-Identifier: Apache-2.0 */
/* The global options and the merged configuration, fixed before a command runs. */
#ifndef VPOD_STAGE0_CONFIG_H
#define VPOD_STAGE0_CONFIG_H

#include <stdbool.h>

#include "base/err.h"

struct config {
	char *dir;     /* data directory: pods/, kernels/, images; absolute, symlinks resolved */
	char *run_dir; /* runtime files that a reboot may take: /run/vpod or the user's own */
	char *system_config; /* /usr/lib/vpod */
	char *local_config;  /* /etc/vpod */
	char *user_config;   /* NULL: unused */
	bool debug;
	bool as_rkt; /* called as rkt: its defaults and exit status 254 */
};

#endif
