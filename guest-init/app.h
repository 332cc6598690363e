/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_APP_H
#define VPOD_GUEST_APP_H

#include "pod.h"
#include "streams.h"

/*
 * Starts app @i in namespaces and a cgroup of its own and returns its pid once its program runs, or
 * -1; e->kind is ERR_NOT_FOUND or ERR_DENIED when only execve(2) failed.
 */
pid_t app_start(const struct app *app, unsigned i, const struct streams *s, struct err *e);

#endif
