/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_TTY_H
#define VPOD_GUEST_TTY_H

#include <stdint.h>

#include "base/err.h"

/*
 * A terminal in a devpts instance of its own, at /ptys/I.  Returns the non-blocking fd of its
 * master, which the caller owns, and the number of its other end.
 */
int tty_open(unsigned i, uint16_t rows, uint16_t cols, int *number, struct err *e);

void tty_resize(int master, uint16_t rows, uint16_t cols);

#endif
