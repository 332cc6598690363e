/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The control socket
 *
 * Version 1.  A line in, a line out, a JSON object: {"error":"..."} when it could not be done.
 *
 *	hello			{"version":1,"name":"..."}
 *	state			{"state":"running"} or "paused"
 *	pause			the same, when no vCPU is in the guest any more
 *	resume			the same
 *	limits SERIAL [bytes=N] [bytes-burst=N] [ops=N] [ops-burst=N]	of a disk
 *	limits nicN rx|tx [...]	of network interface N, from 0
 *				what is not named has no limit
 *	balloon BYTES		how much the guest shall give up
 *	balloon stats		what it gave up, and what it last told of its memory
 *	metrics [json]		counters
 *	metrics prometheus	the same as text of many lines, the last of which is "# EOF"
 *	stop			{"state":"stopping"}; the machine ends as "stopped"
 *
 * It has a thread of its own, so that the I/O thread needs no accept4 and a slow client stops
 * nobody.  The thread reads a line and hands it to the loop; one client at a time, others wait.
 * A socket that is connected already serves the one at its other end.
 */
#ifndef VPOD_VMM_CONTROL_H
#define VPOD_VMM_CONTROL_H

#include "vmm/machine.h"
#include "vmm/metrics.h"

#define CONTROL_VERSION 1
#define CONTROL_MAX_LINE 512

/* Starts the thread, if the description has a control socket. Before the vCPUs run. */
int control_start(struct machine *m, struct err *e);

/* True if clients will come: one more file may be open. */
bool control_is_listening(const struct machine *m);

/*
 * Does what @line says, which is changed, and writes the answer to @t.  In the loop.  Returns what
 * the thread has to do.
 */
enum control_next {
	CONTROL_GO_ON, /* send the answer */
	CONTROL_WAIT,  /* send it when all vCPUs have stopped */
	CONTROL_STOP,  /* send it, then end the machine */
};
enum control_next control_command(struct machine *m, char *line, struct text *t);

#endif
