/* SPDX-License-Identifier: Apache-2.0 */
/* Private to podspec.c and podspec_net.c, which is its part about networks. */
#ifndef VPOD_GUEST_PODSPEC_INTERNAL_H
#define VPOD_GUEST_PODSPEC_INTERNAL_H

#include "pod.h"

/* Cuts @value at single spaces into at most @max words; returns their number, -1 if more. */
int podspec_split(char *value, char **words, int max);

int podspec_bad_value(const char *what, struct err *e);
int podspec_too_many(const char *what, struct err *e);

int podspec_add_nic(struct pod *pod, struct app *app, char *value, struct err *e);
int podspec_add_addr(struct pod *pod, struct app *app, char *value, struct err *e);
int podspec_add_route(struct pod *pod, struct app *app, char *value, struct err *e);

#endif
