/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our standard input, output and error, joined to the apps' streams without ever blocking the event
 * loop and without touching the flags of what others share with us: pipes and terminals are opened
 * anew, sockets are used with MSG_DONTWAIT, files are written at once.
 *
 * What the reader does not take stays here, at most PROTO_WINDOW bytes per stream, because the
 * guest gets its credit back only for bytes that are written.
 */
#ifndef VPOD_STAGE0_STREAMS_H
#define VPOD_STAGE0_STREAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "guest-init/proto.h"

struct out_stream {
	struct source src; /* first: the callback casts */
	int fd;
	enum { OUT_FILE, OUT_SOCKET, OUT_POLLED } kind;
	bool is_closed; /* nobody reads it any more */
	struct strbuf pending;
	void (*written)(struct out_stream *o, size_t n);
	void (*closed)(struct out_stream *o);
	struct loop *loop;
};

/* @fd stays the caller's. */
int out_open(struct out_stream *o, struct loop *l, int fd,
	     void (*written)(struct out_stream *, size_t), void (*closed)(struct out_stream *),
	     struct err *e);
void out_write(struct out_stream *o, const void *p, size_t n);
bool out_is_idle(const struct out_stream *o); /* nothing pending */
void out_close(struct out_stream *o);

struct in_stream {
	struct source src; /* first */
	int fd;
	bool is_file; /* never waits */
	bool is_ended;
	struct loop *loop;
	/* How much may be read now; 0 stops reading until in_resume(). */
	size_t (*room)(struct in_stream *s);
	void (*data)(struct in_stream *s, const void *p, size_t n);
	void (*eof)(struct in_stream *s);
};

int in_open(struct in_stream *s, struct loop *l, int fd, struct err *e); /* callbacks set before */
void in_resume(struct in_stream *s);
void in_close(struct in_stream *s);

#endif
