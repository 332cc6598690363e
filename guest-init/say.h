/* SPDX-License-Identifier: Apache-2.0 */
/* What vpod-init tells on the console. */
#ifndef VPOD_GUEST_SAY_H
#define VPOD_GUEST_SAY_H

#include <stdbool.h>

/* One line, with "vpod-init: " before it. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Makes say_step() speak. */
void say_steps(bool on);

/* A step of the boot, with the time since the kernel began, in pods with debug. */
void say_step(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * First of all: finds the console, without opening it, and takes file descriptors 0 to 2 if the
 * kernel gave us none.
 */
void say_open(void);

/* In an app's process: gives up the console, which would be a way into init's world. */
void say_leave(void);

#endif
