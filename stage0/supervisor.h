/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's insides, for supervise*.c and verdict.c only. */
#ifndef VPOD_STAGE0_SUPERVISOR_H
#define VPOD_STAGE0_SUPERVISOR_H

#include "base/loop.h"
#include "base/spawn.h"
#include "stage0/applog.h"
#include "stage0/console.h"
#include "stage0/control.h"
#include "stage0/guest.h"
#include "stage0/pod.h"
#include "stage0/streams.h"
#include "stage0/supervise.h"

enum phase { BOOTING, RUNNING, STOPPING, ENDING };

struct supervisor;

struct app_out {
	struct out_stream out; /* first */
	struct supervisor *sup;
	unsigned app;
	enum proto_stream stream;
};

struct app_in {
	struct in_stream in; /* first */
	struct supervisor *sup;
	unsigned app;
};

struct app_io {
	struct app_out out[PROTO_NR_STREAMS]; /* [PROTO_STDIN] is unused */
	struct app_in in;
	struct applog log;
	bool has_in;
};

struct supervisor {
	struct loop loop;
	const struct supervise_args *args;
	struct pod_status *st;
	enum phase phase;
	struct guest *guest;
	struct console console;
	struct console messages;
	struct control control;
	struct child vm;
	struct source vm_src, signal_src;
	struct timer timeout, boot, kill;
	struct app_io *apps;
	struct mds *mds; /* NULL: none */
	unsigned nr_apps;
	bool is_done;	   /* DONE came */
	bool was_killed;   /* by us, for a reason that is in st->reason */
	int first_failed;  /* index of the app that failed first, -1: none */
	uint64_t last_int; /* of SIGINT, for "twice means now" */
};

/* supervise_apps.c */
extern const struct guest_events supervise_guest_events;
int supervise_open_apps(struct supervisor *s, struct err *e);
void supervise_close_apps(struct supervisor *s);
bool supervise_output_is_idle(const struct supervisor *s);

/* supervise_metadata.c */
int supervise_open_metadata(struct supervisor *s, struct err *e);
void supervise_close_metadata(struct supervisor *s);
void supervise_conn_open(void *ctx, unsigned conn);
void supervise_conn_data(void *ctx, unsigned conn, const void *p, size_t n);
void supervise_conn_eof(void *ctx, unsigned conn);
void supervise_conn_room(void *ctx, unsigned conn);
void supervise_conn_gone(void *ctx, unsigned conn);

/* supervise.c */
void supervise_kill_vm(struct supervisor *s);
void supervise_maybe_end(struct supervisor *s);

/* verdict.c: what the pod's end means. */
void verdict_set(struct supervisor *s, enum reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void verdict_vm_exited(struct supervisor *s, int wait_status);
void verdict_finish(struct supervisor *s);

#endif
