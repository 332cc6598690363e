/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a pod and its apps: status.json in the pod directory. */
#ifndef VPOD_STAGE0_STATUS_H
#define VPOD_STAGE0_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "guest-init/proto.h"
#include "stage0/exit.h"

enum app_state { APP_CREATED, APP_RUNNING, APP_EXITED, APP_UNKNOWN };

struct app_status {
	enum app_state state;
	int code;   /* exit status of the app; 128+n for signal n; 125..127 when it did not start */
	int signal; /* 0: none */
	bool oom;
	int64_t started_ns; /* Unix time, 0: never */
	int64_t finished_ns;
};

struct pod_status {
	enum reason reason;
	int code; /* exit status of vpod run */
	char message[512];
	pid_t pid;	    /* the supervisor's */
	uint64_t pid_start; /* its start time, clock ticks since boot, against reuse */
	int64_t started_ns;
	int64_t finished_ns;
	unsigned nr_apps;
	struct app_status apps[PROTO_MAX_APPS];
};

int status_write(int pod_dirfd, const struct pod_status *s, struct err *e);

/* A pod that never ran has none: then all is zero. */
int status_read(int pod_dirfd, struct pod_status *out, struct err *e);

const char *app_state_name(enum app_state s);

int64_t unix_ns(void);

/* Start time of process @pid, 0 if there is none. */
uint64_t process_start(pid_t pid);

#endif
