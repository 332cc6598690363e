/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's end of the guest protocol (guest-init/proto.h): parses what the guest sends, holds it
 * to the table of legal messages, does the credit accounting, and tells the supervisor by
 * callbacks.
 *
 * The only file that parses bytes from the guest.  A violation ends the connection: broken() is
 * called once with the reason and nothing is parsed after it.
 */
#ifndef VPOD_STAGE0_GUEST_H
#define VPOD_STAGE0_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "guest-init/proto.h"

struct guest;

/* All run in the event loop. Pointers are valid during the call only. */
struct guest_events {
	void (*hello)(void *ctx, uint64_t boot_ns);
	void (*ready)(void *ctx);
	void (*app_started)(void *ctx, unsigned app, uint32_t pid);
	void (*app_exited)(void *ctx, unsigned app, int code, int signo, bool oom);
	/* app is PROTO_POD when the pod as a whole cannot run; msg is NUL-terminated, not yet
	 * escaped */
	void (*failed)(void *ctx, unsigned app, int code, int num, const char *msg);
	/*
	 * Output of an app.  The receiver keeps the bytes it cannot write at once (at most
	 * PROTO_WINDOW per stream, the sender has no credit for more) and calls guest_consumed()
	 * when they are gone.
	 */
	void (*output)(void *ctx, unsigned app, enum proto_stream s, const void *p, size_t n);
	void (*output_eof)(void *ctx, unsigned app, enum proto_stream s);
	/* Standard input of @app: guest_stdin_room() has become non-zero. */
	void (*stdin_room)(void *ctx, unsigned app);
	/* Nobody in the guest reads the app's standard input any more. */
	void (*stdin_closed)(void *ctx, unsigned app);
	/*
	 * Connections, only after guest_take_conns().  Data that conn_data() got is consumed. After
	 * conn_gone() nothing of it may be sent; after guest_conn_end() nothing of it is told,
	 * until the next conn_open() of its number.
	 */
	void (*conn_open)(void *ctx, unsigned conn);
	void (*conn_data)(void *ctx, unsigned conn, const void *p, size_t n);
	void (*conn_eof)(void *ctx, unsigned conn);
	void (*conn_room)(void *ctx, unsigned conn); /* guest_conn_room() is no longer 0 */
	void (*conn_gone)(void *ctx, unsigned conn);
	void (*done)(void *ctx);
	/* The stream ended (why = NULL: end of file, the VM is gone) or the guest broke the
	 * protocol. */
	void (*broken)(void *ctx, const char *why);
};

/* @fd: a connected non-blocking stream socket, taken. */
struct guest *guest_new(struct loop *l, int fd, unsigned nr_apps, const struct guest_events *ev,
			void *ctx, struct err *e);
void guest_free(struct guest *g);

/* Credit back for output that has been written. */
void guest_consumed(struct guest *g, unsigned app, enum proto_stream s, size_t n);
/* The user's end of an output stream is gone (EPIPE): the app shall see SIGPIPE. */
void guest_close_output(struct guest *g, unsigned app, enum proto_stream s);

/* Bytes that guest_stdin() takes now. */
size_t guest_stdin_room(const struct guest *g, unsigned app);
void guest_stdin(struct guest *g, unsigned app, const void *p, size_t n); /* n <= room */
void guest_stdin_eof(struct guest *g, unsigned app);

/* The guest may open connections: until then it breaks the protocol with one. */
void guest_take_conns(struct guest *g);
size_t guest_conn_room(const struct guest *g, unsigned conn);
void guest_conn_send(struct guest *g, unsigned conn, const void *p, size_t n); /* n <= room */
void guest_conn_end(struct guest *g, unsigned conn); /* behind what was sent */

void guest_stop(struct guest *g, uint32_t grace_ms);
void guest_signal(struct guest *g, unsigned app, int signo); /* PROTO_POD: all */
void guest_winsize(struct guest *g, unsigned app, uint16_t rows, uint16_t cols);

#endif
