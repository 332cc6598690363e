/* SPDX-License-Identifier: Apache-2.0 */
/* One run of one plugin: for cni.c alone. */
#ifndef VPOD_STAGE0_NET_PLUGIN_H
#define VPOD_STAGE0_NET_PLUGIN_H

#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

#define PLUGIN_MAX_STDERR 4096 /* bytes kept; the rest is read and dropped */

struct plugin_run {
	const char *path;
	const struct strv *env;	    /* all of it */
	const struct strbuf *input; /* standard input */
	size_t max_output;	    /* bytes of standard output; more is a failure */
	uint64_t timeout_ns;
	int cancel_fd; /* readable: it is killed, and has failed with ECANCELED; 0: none */

	/* What came of it; the caller frees both buffers, also after a failure. */
	struct strbuf out, err;
	int status;  /* exit status */
	uint64_t ns; /* from the program's start to its end */
};

/*
 * Runs it to its end.  Returns 0 when it exited by itself, whatever the status; -1 when it could
 * not be started, ran out of time, printed too much or was ended by a signal.  In every case
 * nothing of its process group lives on.
 */
int plugin_run(struct plugin_run *r, struct err *e);

#endif
