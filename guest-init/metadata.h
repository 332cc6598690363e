/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The metadata service's guest half
 *
 * Listens on the loopback interface and hands each connection's bytes on to the host, which answers
 * (stage0/metadata.h); knows nothing of what they mean.  At most PROTO_MAX_CONNS at once: further
 * clients wait in the kernel's queue.
 */
#ifndef VPOD_GUEST_METADATA_H
#define VPOD_GUEST_METADATA_H

#include "base/loop.h"
#include "mux.h"
#include "pod.h"

/* Listens, if the pod spec says so; the loopback interface is up. */
int metadata_listen(const struct pod *pod, struct err *e);

/* Begins to serve whoever has connected. */
int metadata_start(struct loop *l, struct mux *m, struct err *e);

/* A frame from the host on a session of PROTO_CONN. -1 with @e set when it may not be. */
int metadata_frame(const struct proto_hdr *h, const uint8_t *p, struct err *e);

/* Moves what can move, after frames and when there is room to the host again. */
void metadata_service(void);

#endif
