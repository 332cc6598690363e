/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_PORT_H
#define VPOD_GUEST_PORT_H

#include "base/err.h"

/*
 * Waits for the virtio-console port of the protocol and for the host at its other end.  Returns a
 * non-blocking fd that the caller owns, or -1.
 */
int port_open(struct err *e);

#endif
