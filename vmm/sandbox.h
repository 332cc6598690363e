/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: System call filters
 *
 * syscalls.def lists each call with its threads and its reason.  At build time tools/gen_sandbox
 * makes BPF programs of it (libseccomp stays out of the monitor); a thread takes its own with
 * sandbox_enter(), the last thing before it serves the guest, and cannot take it off.
 *
 * Any other call does not happen: SIGSYS comes instead, and its handler writes one line that names
 * the call and the thread, to standard error and to the report, and ends the process.
 */
#ifndef VPOD_VMM_SANDBOX_H
#define VPOD_VMM_SANDBOX_H

#include <stddef.h>

#include "base/err.h"

enum sandbox_kind {
	SANDBOX_VCPU,
	SANDBOX_LOOP,
	SANDBOX_WORKER,
	SANDBOX_CONTROL,
	SANDBOX_STARTER,
	SANDBOX_NR,
};

/* "vcpu", "io", ... */
const char *sandbox_kind_name(enum sandbox_kind kind);

/* What a violation does besides ending the process. Before any thread is there. */
int sandbox_init(int report_fd, struct err *e);

/* --no-jail, and tests without a process of their own: sandbox_enter() does nothing. */
void sandbox_disable(void);

/* The calling thread keeps the calls of its kind. It needs no-new-privileges, see confine.h. */
int sandbox_enter(enum sandbox_kind kind, struct err *e);

/* Row @i of syscalls.def, for surface.c. NULL behind the last. */
struct sandbox_call {
	unsigned kinds; /* bits 1 << enum sandbox_kind */
	const char *name, *condition, *reason;
};
const struct sandbox_call *sandbox_call(size_t i);

#endif
