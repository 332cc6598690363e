/* SPDX-License-Identifier: Apache-2.0 */
/* Event files, eventfd(2), by which threads and KVM wake the loop; and how threads are made. */
#ifndef VPOD_VMM_EVENT_H
#define VPOD_VMM_EVENT_H

#include <pthread.h>

#include "base/loop.h"

/* Makes an event file and has @l watch it. */
int event_watch(struct loop *l, struct source *s, void (*ready)(struct source *, uint32_t),
		struct err *e);
/* And closes it. Fine if it is not there. */
void event_unwatch(struct source *s);

/* Any thread. A counter that is full is told already. */
void event_tell(int fd);
/* Loop: was it told, since it was last taken? */
bool event_take(struct source *s);

/* A small stack: nothing here recurses.  Returns an errno value, or 0. */
int thread_start(pthread_t *t, void *(*fn)(void *), void *arg);

#endif
