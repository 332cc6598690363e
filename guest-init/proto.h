/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The guest protocol, version 1
 *
 * One byte stream in each direction between vpod-init (guest) and the supervisor (host): a
 * virtio-console port named PROTO_PORT_NAME, or any stream socket in tests.  Both sides send
 * frames: a fixed header, then hdr.len bytes of payload, all integers little-endian.
 *
 * The host trusts nothing that comes up: every guest -> host payload is a fixed struct or plain
 * bytes of at most PROTO_MAX_PAYLOAD, and which type is legal when is a table (stage0/guest.c).
 *
 * Sessions: session N is app N of the pod spec, in its order.  PROTO_POD is the pod itself.
 * PROTO_CONN + N is a connection that an app has made to the metadata service, which the guest
 * hands on as bytes: it sends them on PROTO_STDOUT and gets the answer on PROTO_STDIN.  It begins
 * with the guest's OPEN.  Each side ends it with one END, after which it sends nothing more of it
 * and throws away what comes; when both have, the number is free.
 *
 * Flow control: DATA on a stream needs credit.  Each stream of each session begins with
 * PROTO_WINDOW bytes of credit for its sender; the receiver returns CREDIT when it has handed the
 * bytes on (to the app's pipe, to the user's file).  So a slow reader stops its writer and nobody
 * else, and neither side ever buffers more than a window per stream.  All other frames are free of
 * credit; a sender bounds them by sending each a bounded number of times.
 */
#ifndef VPOD_GUEST_PROTO_H
#define VPOD_GUEST_PROTO_H

#include <assert.h>
#include <stdint.h>

#define PROTO_VERSION 1
#define PROTO_PORT_NAME "vpod.control"

#define PROTO_MAX_PAYLOAD 4096u
#define PROTO_WINDOW (128u * 1024u)
#define PROTO_MAX_APPS 32u	  /* sessions 0..31 */
#define PROTO_CONN PROTO_MAX_APPS /* sessions 32..39 */
#define PROTO_MAX_CONNS 8u
#define PROTO_POD 0xffffu

enum proto_stream { PROTO_STDIN, PROTO_STDOUT, PROTO_STDERR, PROTO_NR_STREAMS };

enum proto_type {
	/* guest -> host */
	PROTO_HELLO = 1,   /* struct proto_hello; the first frame, once */
	PROTO_READY,	   /* empty; rootfs of all apps mounted, about to start them; once */
	PROTO_APP_STARTED, /* struct proto_started; execve of the app succeeded */
	PROTO_APP_EXITED,  /* struct proto_exited; all output of the app was sent before it */
	PROTO_FAILED,	   /* struct proto_failed; an app that could not start, or the pod */
	PROTO_DONE, /* empty; file systems are synced and unmounted, the guest may be cut off */
	PROTO_OPEN, /* empty; a connection begins */
	/* both ways, on (session, stream) */
	PROTO_DATA = 16, /* 1..PROTO_MAX_PAYLOAD bytes */
	PROTO_EOF,	 /* empty; the sender will send no more DATA on this stream */
	PROTO_CREDIT,	 /* struct proto_credit; receiver -> sender of the stream */
	PROTO_CLOSE,	 /* empty; receiver -> sender: nobody reads this stream any more */
	PROTO_END,	 /* empty; of a connection, see above */
	/* host -> guest */
	PROTO_STOP = 32, /* struct proto_stop; session PROTO_POD: end all apps */
	PROTO_SIGNAL,	 /* struct proto_signal; to one app, or to all with PROTO_POD */
	PROTO_WINSIZE,	 /* struct proto_winsize; of an app with a terminal */
};

struct proto_hdr {
	uint8_t type;	/* enum proto_type */
	uint8_t stream; /* enum proto_stream; 0 where it has no meaning */
	uint16_t session;
	uint32_t len; /* of the payload */
};
static_assert(sizeof(struct proto_hdr) == 8, "header is 8 bytes on the wire");

struct proto_hello {
	uint32_t version; /* PROTO_VERSION */
	uint32_t nr_apps; /* as the guest read them from its spec */
	uint64_t boot_ns; /* guest CLOCK_BOOTTIME when init began to run */
};
static_assert(sizeof(struct proto_hello) == 16, "wire size");

struct proto_started {
	uint32_t pid; /* in the guest */
	uint32_t reserved;
};
static_assert(sizeof(struct proto_started) == 8, "wire size");

struct proto_exited {
	uint32_t code;	 /* exit status 0..255 when signal is 0 */
	uint32_t signal; /* the signal that killed the app, 0 if none */
	uint32_t flags;	 /* PROTO_EXIT_* */
	uint32_t reserved;
};
static_assert(sizeof(struct proto_exited) == 16, "wire size");
#define PROTO_EXIT_OOM 1u /* the kernel's OOM killer ended it or one of its processes */

/* session PROTO_POD: the pod cannot run; otherwise that app could not be started. */
struct proto_failed {
	uint32_t code; /* exit status to report: 125, 126 or 127 */
	uint32_t num;  /* errno, 0 if none */
	char msg[504]; /* "cannot ...", NUL-terminated, printable after escaping */
};
static_assert(sizeof(struct proto_failed) == 512, "wire size");

struct proto_credit {
	uint32_t bytes; /* 1..PROTO_WINDOW */
};
static_assert(sizeof(struct proto_credit) == 4, "wire size");

struct proto_stop {
	uint32_t grace_ms; /* after each app's stop signal, SIGKILL follows in this time */
};
static_assert(sizeof(struct proto_stop) == 4, "wire size");

struct proto_signal {
	uint32_t signo; /* x86-64 Linux numbers */
};
static_assert(sizeof(struct proto_signal) == 4, "wire size");

struct proto_winsize {
	uint16_t rows;
	uint16_t cols;
};
static_assert(sizeof(struct proto_winsize) == 4, "wire size");

#endif
