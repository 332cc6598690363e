/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's terminal in raw mode.  It is given back whatever kills whom: a guard process in a
 * session of its own waits for our end and restores the settings, should we have died without doing
 * so.
 */
#ifndef VPOD_STAGE0_TTY_H
#define VPOD_STAGE0_TTY_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

#include "base/err.h"

struct tty {
	int fd; /* -1: none */
	struct termios saved;
	int guard; /* its lifeline */
};

#define TTY_INIT                      \
	{                             \
		.fd = -1, .guard = -1 \
	}

/* Fails when standard input is not a terminal. */
int tty_open(struct tty *t, struct err *e);
void tty_raw(struct tty *t);
void tty_restore(struct tty *t); /* fine without tty_open() */
void tty_close(struct tty *t);	 /* restores and ends the guard */
bool tty_size(const struct tty *t, uint16_t *rows, uint16_t *cols);

#endif
