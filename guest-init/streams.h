/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One app's standard input, output and error: pipes or a terminal on one side, DATA frames with
 * credit on the other.  Bytes are read from an app only when they can go on, so a slow host stops
 * the app; input that the app does not take waits here, a window of it at most.
 */
#ifndef VPOD_GUEST_STREAMS_H
#define VPOD_GUEST_STREAMS_H

#include "base/loop.h"
#include "mux.h"
#include "pod.h"

struct input {
	int fd;	       /* -1 when closed; the terminal's, which the output owns */
	uint8_t *ring; /* of PROTO_WINDOW bytes */
	uint32_t at, len;
	uint32_t consumed; /* not yet returned as credit */
	uint32_t room;	   /* credit that the host has left */
	bool has_eof, is_closed, last_was_lf;
};

struct output {
	int fd; /* -1 when it ended */
	uint32_t credit;
	bool has_ended; /* EOF was sent */
};

struct streams {
	struct mux *mux;
	struct loop *loop;
	unsigned session;
	bool is_tty;
	bool is_dying;		  /* the app is gone: what cannot be read at once will never come */
	void (*ended)(void *ctx); /* all output has been queued, with its ends */
	void *ctx;
	int child[3]; /* the app's ends, until it runs; -1: see app.c */
	int pty;      /* number of the terminal, -1 if none */
	struct input in;
	struct output out[2]; /* PROTO_STDOUT, PROTO_STDERR */
	struct source in_src, out_src[2];
};

/* Makes pipes or a terminal for @app. */
int streams_open(struct streams *s, struct mux *m, struct loop *l, const struct app *app,
		 unsigned session, void (*ended)(void *ctx), void *ctx, struct err *e);

/* Closes the app's ends, which it has now, and begins to watch ours. */
int streams_start(struct streams *s, struct err *e);

/* Gives up: the app could not be started. */
void streams_abort(struct streams *s);

/* Frames from the host. -1 with e set when the host broke the protocol. */
int streams_data(struct streams *s, const uint8_t *p, size_t n, struct err *e);
void streams_eof(struct streams *s);
int streams_credit(struct streams *s, unsigned stream, uint32_t bytes, struct err *e);
void streams_close(struct streams *s, unsigned stream);
void streams_winsize(struct streams *s, uint16_t rows, uint16_t cols);

/* Moves what can move, both ways, and sets what to wait for; when it has gone on to the host. */
void streams_service(struct streams *s);

/* All output has been queued, with its ends. */
bool streams_have_ended(const struct streams *s);

/* The app's main process is gone.  @leaves_nobody: all its other processes die, so its output ends.
 */
void streams_app_gone(struct streams *s, bool leaves_nobody);

#endif
