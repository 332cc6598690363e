/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children by argv and an explicit list of fds.  A child has exactly the fds that struct spawn
 * names, at the numbers it names; 0, 1 and 2 are /dev/null unless named.  Signals are reset.
 */
#ifndef VPOD_BASE_SPAWN_H
#define VPOD_BASE_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "strbuf.h"

struct jail;

struct spawn_fd {
	int fd; /* ours */
	int as; /* its number in the child */
};

#define SPAWN_MAX_FDS 1024

struct spawn {
	struct strv argv; /* argv[0] is the path to execute, no search */
	int program_fd;	  /* its number in the child, executed instead of argv[0]; 0: none */
	struct strv env;  /* the whole environment */
	struct spawn_fd fds[SPAWN_MAX_FDS];
	unsigned nr_fds;
	int owned[SPAWN_MAX_FDS]; /* fds of ours that spawn_free() closes */
	unsigned nr_owned;
	bool dies_with_parent; /* PR_SET_PDEATHSIG, SIGKILL; spawn from the thread that lives */
	bool own_group;	       /* a process group of its own: the terminal's ^C does not reach it */
	const struct jail *jail; /* NULL: none */
};

struct child {
	pid_t pid; /* 0 when there is none */
	int pidfd;
};

void spawn_free(struct spawn *s);

/* As spawn_add_fd(), and @fd is closed by spawn_free(). */
void spawn_add_owned_fd(struct spawn *s, int fd, int as);

/* @fd, added already, shall be closed by spawn_free() too. */
void spawn_own_fd(struct spawn *s, int fd);

/* Adds "our fd @fd as number @as". */
void spawn_add_fd(struct spawn *s, int fd, int as);

/* Returns 0 when the child runs its program; exec failures are reported here, not by status. */
int spawn_start(const struct spawn *s, struct child *out, struct err *e);

/* Waits for the end. Returns the wait status, or -1. */
int child_wait(struct child *c, struct err *e);

/* Sends @sig unless the child has been reaped; kill, wait and forget. */
void child_signal(const struct child *c, int sig);
void child_kill(struct child *c);

/*
 * Runs to the end and collects standard output, at most @max bytes (more is an error); standard
 * error is ours.  @timeout_ms 0 = none.  Fails unless the exit status is 0.
 */
int spawn_capture(struct spawn *s, size_t max, unsigned timeout_ms, struct strbuf *out,
		  struct err *e);

#endif
