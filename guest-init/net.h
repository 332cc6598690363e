/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_NET_H
#define VPOD_GUEST_NET_H

#include "pod.h"

/* Brings the loopback interface up, with its addresses. A kernel without network has none. */
void net_loopback_up(void);

/*
 * Makes the network what the pod spec says: waits for the NICs, names them, and sets them up with
 * their addresses and routes.
 */
int net_configure(const struct pod *pod, struct err *e);

#endif
