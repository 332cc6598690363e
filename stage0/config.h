/* SPDX-License-Identifier: Apache-2.0 */
/* The global options and the merged configuration, fixed before a command runs. */
#ifndef VPOD_STAGE0_CONFIG_H
#define VPOD_STAGE0_CONFIG_H

#include <stdbool.h>

#include "base/err.h"
#include "base/options.h"

struct config {
	char *dir;	     /* data directory: pods, kernels, images; absolute */
	char *run_dir;	     /* runtime files that a reboot may take */
	char *system_config; /* /usr/lib/vpod */
	char *local_config;  /* /etc/vpod */
	char *user_config;   /* NULL: unused */
	bool debug;
	bool as_rkt; /* called as rkt: its defaults and exit status 254 */

	/* --insecure-options */
	bool insecure_http;	    /* fetch over plain http */
	bool insecure_tls;	    /* fetch without checking certificates */
	bool insecure_capabilities; /* apps keep all capabilities of the guest */
	bool insecure_paths;	    /* no masked and read-only paths in /proc and /sys */
	bool insecure_image;	    /* images without a signature (none are checked yet) */
};

extern const struct opt global_opts[];

/*
 * Parses the global options from argv[*i] on and reads the configuration directories; *i ends at
 * the command.  Returns 1 when --version or --help has been answered.
 */
int config_parse(struct config *cfg, int argc, char **argv, int *i, struct err *e);
/* The global options where a command parses its own; config_settle() makes them count. */
struct opt_set config_opt_set(void);
int config_settle(struct err *e);

/* Prints the version if --version stands among a command's options; then nothing else is done. */
bool config_print_version(void);

void config_free(struct config *cfg);
void config_print_help(void);

/* Makes the data and the runtime directory. */
int config_make_dirs(const struct config *cfg, struct err *e);

#endif
