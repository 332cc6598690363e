/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the VM says outside the guest channel: the boot console into console.log (bounded), its last
 * lines kept for error messages, and the hypervisor's own messages.
 */
#ifndef VPOD_STAGE0_CONSOLE_H
#define VPOD_STAGE0_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

#define CONSOLE_MAX_LOG (1u << 20) /* bytes; a guest can print for ever */
#define CONSOLE_TAIL 4096u

struct console {
	struct source src; /* first */
	int fd;
	int logfd;     /* -1: none */
	bool is_shown; /* --debug: on our standard error too */
	uint64_t logged;
	size_t len;
	char tail[CONSOLE_TAIL]; /* the last bytes, oldest first */
};

/* @fd, non-blocking, is taken; @logfd too. */
int console_open(struct console *c, struct loop *l, int fd, int logfd, bool is_shown,
		 struct err *e);
/* Reads what is still there, for the words of a VM that has just died. */
void console_drain(struct console *c);
void console_close(struct console *c);

/* The last @lines lines, NUL-terminated, for people: not escaped. */
const char *console_last(struct console *c, unsigned lines);

#endif
