/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: Guests that stopped for good
 *
 * A vCPU that halts with interrupts off waits in the host's kernel, which has the interrupt
 * controller: KVM_RUN never returns.  When no vCPU used CPU time since the last look, each is
 * brought out of the guest once and tells whether interrupts are on; when all said no and none ran
 * until the next look either, nothing can wake the machine: END_HALT.
 *
 * It looks after 1 s, then at doubling intervals up to 16 s; a suspicion is confirmed after 1 s.
 */
#ifndef VPOD_VMM_HALT_H
#define VPOD_VMM_HALT_H

#include "base/loop.h"

struct machine;

struct halt_watch {
	struct timer timer;
	uint64_t interval; /* ns */
	bool is_suspected; /* all vCPUs were asked at the last look */
};

/* Looks for the first time a second later; by then the vCPUs run. */
int halt_watch_start(struct machine *m, struct err *e);

#endif
