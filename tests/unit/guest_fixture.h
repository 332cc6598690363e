/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted guest: the other end of the socketpair that struct guest has. */
#ifndef VPOD_TESTS_GUEST_FIXTURE_H
#define VPOD_TESTS_GUEST_FIXTURE_H

#include "base/strbuf.h"
#include "stage0/guest.h"

#define NR_APPS 2

struct guest_rig {
	struct loop loop;
	struct source waker;
	int wake_fd;
	int peer; /* the scripted guest */
	struct guest *g;
	struct strbuf log; /* what the callbacks told */
	bool consumes;	   /* output at once */
	size_t output_bytes;
	bool frees_on_done;
	const char *name; /* of the case, for messages */
};

/* Every callback adds a word to the log. */
extern const struct guest_events guest_rig_events;

int guest_rig_set_up(void **state);
int guest_rig_tear_down(void **state);
/* One turn of the loop with all that is ready. */
void guest_rig_turn(struct guest_rig *r);
void guest_rig_put_raw(struct guest_rig *r, const void *p, size_t n);
void guest_rig_put(struct guest_rig *r, unsigned type, unsigned session, unsigned stream,
		   const void *p, size_t n);
void guest_rig_put_hello(struct guest_rig *r, uint32_t version, uint32_t nr_apps);
void guest_rig_put_ready(struct guest_rig *r);
void guest_rig_put_started(struct guest_rig *r, unsigned app);
void guest_rig_put_exited(struct guest_rig *r, unsigned app, uint32_t code, uint32_t signo,
			  uint32_t flags);
void guest_rig_put_eofs(struct guest_rig *r, unsigned app);
/* Both apps run; the log is empty again. */
void guest_rig_run_all(struct guest_rig *r);
/* Sends @n bytes of output without taking more than the socket holds at once. */
void guest_rig_put_output(struct guest_rig *r, unsigned app, unsigned stream, size_t n);
/* Reads the next frame that the host wrote; false when there is none. */
bool guest_rig_take(struct guest_rig *r, struct proto_hdr *h, uint8_t payload[PROTO_MAX_PAYLOAD]);
void guest_rig_expect_frame(struct guest_rig *r, unsigned type, unsigned session, unsigned stream,
			    uint32_t first_word);
void guest_rig_expect_silence(struct guest_rig *r);
/* The connection broke, once, and for @why; what follows is not parsed. */
void guest_rig_expect_broken(struct guest_rig *r, const char *why);

#endif
