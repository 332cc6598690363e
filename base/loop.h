/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: epoll, one thread.  Sources are embedded in their owner's struct, so that adding
 * one cannot fail for memory.  A callback may remove any source, its own included.
 */
#ifndef VPOD_BASE_LOOP_H
#define VPOD_BASE_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "err.h"

struct loop;

struct source {
	int fd; /* -1 while not in a loop */
	uint32_t events;
	void (*ready)(struct source *s, uint32_t events); /* EPOLL* bits */
	struct loop *loop;
};

struct timer {
	struct source src;
	void (*expired)(struct timer *t);
};

struct loop {
	int epfd;
	bool stop;
	struct epoll_event batch[32]; /* of the turn under way: loop_remove() clears entries */
	int nr_batch;
};

int loop_init(struct loop *l, struct err *e);
void loop_close(struct loop *l);

/* Watches @fd, which stays the caller's. */
int loop_add(struct loop *l, struct source *s, int fd, uint32_t events,
	     void (*ready)(struct source *, uint32_t), struct err *e);
void loop_set_events(struct source *s, uint32_t events);
void loop_remove(struct source *s); /* fine if it is not there */

/* One-shot timers on CLOCK_BOOTTIME; arming again replaces, 0 disarms. */
int timer_init(struct loop *l, struct timer *t, void (*expired)(struct timer *), struct err *e);
void timer_arm(struct timer *t, uint64_t after_ns);
void timer_close(struct timer *t);

/* Runs until loop_stop(). */
int loop_run(struct loop *l, struct err *e);
void loop_stop(struct loop *l);

/* Nanoseconds of CLOCK_BOOTTIME. */
uint64_t now_ns(void);

#endif
