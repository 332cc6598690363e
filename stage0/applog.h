/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of one app: lines as the CRI has them, "<RFC 3339 time> stdout|stderr F|P <text>", P for
 * a part of a line longer than 8 KiB.  Two files of bounded size, the older one named ".1".
 */
#ifndef VPOD_STAGE0_APPLOG_H
#define VPOD_STAGE0_APPLOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "guest-init/proto.h"

#define APPLOG_MAX_FILE (8u << 20) /* bytes */
#define APPLOG_MAX_LINE 8192u

struct applog {
	int dirfd; /* the caller's */
	char name[80];
	int fd;
	uint64_t size;
	struct strbuf part[PROTO_NR_STREAMS]; /* the unfinished line of each stream */
};

/* Beneath the pod directory, "log/<app>". */
int applog_open(struct applog *l, int pod_dirfd, const char *app, struct err *e);

/* Failures (a full disk) are told once, and the log ends; the pod goes on. */
void applog_write(struct applog *l, enum proto_stream s, const void *p, size_t n);
void applog_close(struct applog *l);

#endif
