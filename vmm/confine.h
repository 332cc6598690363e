/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: Confinement
 *
 * What vpod-vmm gives up before the guest's first instruction, stage by stage.  Each stage needs
 * rights that a later one takes away.
 *
 *  1. open      files that the caller did not declare are closed; those of the description are
 *               opened, /dev/kvm too.  From here on nothing is found by a name.
 *  2. clone     a child in mount, pid, net, ipc and uts namespaces of its own (an ordinary user's:
 *               in a user namespace too), in the cgroups that were named.  It goes on; who was
 *               started becomes the starter, see below.
 *  3. jail      base/jail.h: an empty read-only root, limits, a uid and gid of its own, a user
 *               namespace without mappings, no capabilities, no new privileges, not dumpable.
 *  4. deny      Landlock rules that allow nothing; no mapping becomes executable (MDWE).
 *  5. (make)    the machine, machine_make(): the guest's kernel is parsed in the jail.
 *  6. finish    /dev/kvm, kernel and initrd closed; no further files, no further threads.
 *  7. filter    each thread its seccomp filter, sandbox.h; then the vCPUs are let go.
 *
 * --jailed: the caller did 2 and 3 before exec; they are checked, not repeated.  A check that does
 * not hold is an error: there is no way to run with half a jail.
 *
 * The starter waits for the machine's process.  It drops its rights as well (uid, capabilities, a
 * filter of six calls), passes SIGTERM and SIGINT on, answers with the exit status as soon as it
 * is known, and leaves the 15 ms that the host's kernel takes to destroy a VM to nobody's wait.
 * If it is killed, the machine dies with it.
 */
#ifndef VPOD_VMM_CONFINE_H
#define VPOD_VMM_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "vmm/spec.h"

/*
 * The uids of machines started alone: one for each pid that the host can have, so that no two that
 * run at the same time share one.  stage0/uids.h has the engine's range, below.
 */
#define CONFINE_UID_FIRST 0x77000000u
#define CONFINE_UID_COUNT (1u << 22) /* PID_MAX_LIMIT */

struct confine {
	bool is_jailed; /* by the caller */
	bool is_open;	/* --no-jail: nothing is given up */
	bool has_timing;
	uint64_t uid;	     /* and gid, of root's machine; 0: from the pid */
	struct strv cgroups; /* directories */
};

/*
 * Stage 1, first half: closes all files but 2, 1 if it @has_output, and those that @s names by
 * number; 0 and 1 become /dev/null.
 */
int confine_close(const struct vmm_spec *s, bool has_output, struct err *e);

/*
 * Stages 2 to 4.  Returns, in the machine's process, a file that becomes readable when the machine
 * shall stop.  The starter does not return.
 */
int confine_enter(const struct confine *c, const struct vmm_spec *s, struct err *e);

/* Stage 6, when all threads and files are there. @more: files that may still be opened. */
int confine_finish(unsigned more, bool has_io_uring, struct err *e);

/* Tells the starter the exit status and ends the process. */
_Noreturn void confine_exit(int status);

/* Marks the end of a stage, for --timing; the marks are printed by confine_print_stages(). */
void confine_stage(const char *name);
void confine_print_stages(void);

#endif
