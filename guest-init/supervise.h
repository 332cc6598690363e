/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_SUPERVISE_H
#define VPOD_GUEST_SUPERVISE_H

#include "mux.h"
#include "pod.h"

/*
 * Starts the pod's apps and stays with them until all are over: the first one that fails, or the
 * host, ends the others.  Returns 0 when all that the host must know is queued, -1 when the host is
 * gone or the pod could not be run.
 */
int supervise(const struct pod *pod, struct mux *m, struct err *e);

/* Queues PROTO_FAILED for an app or, with PROTO_POD, the pod. */
void supervise_report(struct mux *m, unsigned session, const struct err *e);

#endif
