/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_SHUTDOWN_H
#define VPOD_GUEST_SHUTDOWN_H

#include "mux.h"

/*
 * The end of the guest: kills what runs, syncs and unmounts, tells the host when there is one (@m
 * may be NULL), and leaves the machine.
 */
_Noreturn void shutdown_guest(struct mux *m);

#endif
