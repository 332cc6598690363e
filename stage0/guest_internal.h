/* SPDX-License-Identifier: Apache-2.0 */
/* Private to guest.c, which reads, guest_send.c, which writes, and guest_conn.c, connections. */
#ifndef VPOD_STAGE0_GUEST_INTERNAL_H
#define VPOD_STAGE0_GUEST_INTERNAL_H

#include "stage0/guest.h"

#define HDR sizeof(struct proto_hdr)
#define GUEST_IN (64u * 1024u)
#define GUEST_OUT (32u * 1024u)
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are copied as they are");
static_assert(GUEST_IN >= HDR + PROTO_MAX_PAYLOAD, "a frame fits");

enum guest_state {
	GUEST_NEW,
	GUEST_ILL,
	GUEST_BOOTING,
	GUEST_READY,
	GUEST_FAILED,
	GUEST_DONE,
	GUEST_BROKEN
};
enum guest_app_state { GUEST_APP_WAITING, GUEST_APP_RUNNING, GUEST_APP_OVER };

/* From the guest: STDOUT, STDERR. */
struct guest_output {
	uint32_t credit; /* what the guest may still send */
	uint32_t held;	 /* given to output(), not yet consumed */
	uint32_t unreturned;
	bool has_ended;
	bool is_closed; /* nobody wants it */
	bool wants_close;
};

/* To the guest. */
struct guest_input {
	uint8_t *ring; /* of PROTO_WINDOW bytes, made when first used */
	uint32_t at, len;
	uint32_t credit; /* what the guest takes; len <= credit */
	bool wants_eof, has_ended;
	bool is_closed; /* the guest said so */
};

struct guest_app {
	enum guest_app_state state;
	struct guest_output out[2];
	struct guest_input in;
	uint64_t signals; /* wanted, bit n-1 for signal n */
	bool wants_winsize;
	struct proto_winsize winsize;
};

/* A connection to the metadata service. */
enum guest_conn_state {
	GUEST_CONN_FREE,
	GUEST_CONN_OPEN,
	GUEST_CONN_ENDING, /* the guest has ended it, we have not yet */
};

struct guest_conn {
	enum guest_conn_state state;
	struct guest_output out;
	struct guest_input in; /* wants_eof, has_ended: of our END */
};

struct guest {
	struct source src;
	int fd;
	const struct guest_events *ev;
	void *ctx;
	enum guest_state state;
	unsigned nr_apps;
	bool is_busy; /* inside a callback's caller: nothing may be freed or sent */
	bool is_dead; /* guest_free() was called meanwhile */
	bool wants_stop;
	uint32_t grace_ms;
	uint64_t signals; /* to all apps */
	unsigned next;	  /* whose standard input goes first */
	size_t in_len, out_from, out_len;
	uint8_t in[GUEST_IN];
	uint8_t out[GUEST_OUT];
	bool takes_conns;
	struct guest_conn conns[PROTO_MAX_CONNS];
	struct guest_app apps[PROTO_MAX_APPS];
};

/* Brings about what callers want, as far as the socket takes it. */
void guest_send_wanted(struct guest *g);

/* Frames of connections, for the table of legal ones.  NULL, or what is wrong. */
const char *guest_conn_on_open(struct guest *g, const struct proto_hdr *h, const uint8_t *p);
const char *guest_conn_on_data(struct guest *g, const struct proto_hdr *h, const uint8_t *p);
const char *guest_conn_on_eof(struct guest *g, const struct proto_hdr *h, const uint8_t *p);
const char *guest_conn_on_credit(struct guest *g, const struct proto_hdr *h, const uint8_t *p);
const char *guest_conn_on_end(struct guest *g, const struct proto_hdr *h, const uint8_t *p);

/* Our END was sent. */
void guest_conn_ended(struct guest_conn *c);

/* Into the ring, n <= the room in it. */
void guest_input_add(struct guest_input *in, const void *p, size_t n);

#endif
