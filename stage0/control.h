/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.sock in the pod directory: one datagram-like message (SOCK_SEQPACKET) asks the supervisor
 * for something, one answers.  The peer must be root or the owner of the pod.
 *
 *	"stop MS"	stop the apps, kill after MS milliseconds	-> "ok"
 *	"kill"		end the VM now					-> "ok"
 *
 * The connection stays open until the supervisor has ended: its end of file says so.
 */
#ifndef VPOD_STAGE0_CONTROL_H
#define VPOD_STAGE0_CONTROL_H

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

struct pod;

#define CONTROL_MAX_CLIENTS 8

struct control;

struct control_client {
	struct source src; /* first */
	struct control *control;
};

struct control {
	struct source src; /* first */
	int fd;
	struct control_client clients[CONTROL_MAX_CLIENTS];
	void *ctx;
	void (*stop)(void *ctx, uint32_t grace_ms);
	void (*kill)(void *ctx);
};

/* Callbacks and ctx are set before. */
int control_open(struct control *c, struct loop *l, const struct pod *p, struct err *e);
void control_close(struct control *c);

/* Sends @request and waits for "ok"; returns the connection, which the caller owns. */
int control_ask(const struct pod *p, const char *request, struct err *e);

#endif
