/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_CAPS_H
#define VPOD_GUEST_CAPS_H

#include <stdint.h>

#include "base/err.h"

/* Leaves @mask in the bounding set; needs CAP_SETPCAP, so before caps_keep(). */
int caps_bound(uint64_t mask, struct err *e);

/* For root: permitted and effective become @mask, inheritable and ambient nothing. */
int caps_keep(uint64_t mask, struct err *e);

#endif
