/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's end of the byte stream: frames out, in batches of one write, and frames in, many of
 * one read.  Knows the frames of proto.h but not what they mean; needs no heap.
 *
 * Out is one queue in order, so that an app's exit follows its output.  Data enters only while less
 * than a batch waits, so a control frame has at most one batch before it, and there is always room
 * for it: all control frames that an init sends before their answers are bounded (see MUX_CONTROL).
 */
#ifndef VPOD_GUEST_MUX_H
#define VPOD_GUEST_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"
#include "guest-init/proto.h"

#define MUX_BATCH (32u * 1024u) /* the most that virtio_console takes in one write */
/*
 * Room for control frames: of each app, FAILED or (STARTED and EXITED), three stream ends, and the
 * few CREDITs that the host's window allows; of a connection OPEN, EOF, END, and CREDITs likewise;
 * of the pod HELLO, READY, FAILED, DONE.
 */
#define MUX_CONTROL (32u * 1024u)
static_assert((PROTO_MAX_APPS + 1) * (sizeof(struct proto_failed) + 160) + PROTO_MAX_CONNS * 160 <
		      MUX_CONTROL,
	      "every control frame fits");

#define MUX_IN (64u * 1024u)

struct mux {
	int fd;
	size_t in_len;
	size_t out_from, out_to;
	bool is_full;	     /* the stream took less than we had: wait until it is writable */
	struct source *port; /* what waits for that in the loop; NULL: nothing yet */
	void (*frame)(void *ctx, const struct proto_hdr *h, const uint8_t *payload);
	void *ctx;
	uint8_t in[MUX_IN];
	uint8_t out[MUX_BATCH + MUX_CONTROL];
};

/* @fd: non-blocking, stays the caller's. */
void mux_init(struct mux *m, int fd,
	      void (*frame)(void *ctx, const struct proto_hdr *h, const uint8_t *payload),
	      void *ctx);

/*
 * Reads what there is and calls frame() for each whole frame.  Returns 0 when the stream is
 * drained, 1 when there may be more, -1 when it ended or is broken.
 */
int mux_receive(struct mux *m, struct err *e);

/* Queues a control frame. */
void mux_send(struct mux *m, enum proto_type type, unsigned session, unsigned stream,
	      const void *payload, size_t len);

/* Bytes of output that can be queued now. */
size_t mux_room(const struct mux *m);

/*
 * Moves up to @max bytes from @fd into DATA frames.  Returns the bytes moved, 0 at the end of the
 * file, -1 with errno.  @max and mux_room() must not be 0.
 */
ssize_t mux_pump(struct mux *m, int fd, unsigned session, unsigned stream, size_t max);

/*
 * Writes what is queued, notes whether the stream is full, and makes m->port wait accordingly.
 * 0, or -1 with errno: it is broken.
 */
int mux_flush(struct mux *m);

#endif
