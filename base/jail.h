/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The jail
 *
 * What a child keeps after the jail and before its program runs.  In this order, each stage needing
 * rights that the next one takes away:
 *
 *  1. namespaces  mount, pid, net, ipc, uts of its own, from clone(2), so that the child is PID 1
 * of its pid namespace.  An ordinary user's child gets its user namespace here too, and the parent
 * writes its maps.
 *  2. root        a tmpfs with only the files that struct jail binds, read-only, nosuid, pivoted
 * to; the old root is unmounted.
 *  3. limits      no core, RLIMIT_NOFILE, and what the caller adds.
 *  4. identity    root's child: setgroups, setgid, setuid to the jail's ids, then a user namespace
 *                 without any mapping, so that not even its own uid has a name there.
 *  5. rights      all capability sets empty, bounding set too, no-new-privileges.  A forked worker
 *                 is not dumpable either; a program that is executed is again, by execve(2): what
 *                 keeps others from tracing it is the uid that only it has.
 *
 * Works for root and for an ordinary user (with user namespaces).
 */
#ifndef VPOD_BASE_JAIL_H
#define VPOD_BASE_JAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "strbuf.h"

struct jail {
	struct strv files;   /* host paths visible in the jail at the same path, read-only */
	struct strv devices; /* the same, device nodes: /dev/null, /dev/kvm; root's child owns its
				own */
	uid_t uid;	     /* of root's children; 0 for ordinary users, who stay who they are */
	gid_t gid;
	gid_t extra_gid;     /* joined if a device node is the host's; (gid_t)-1: none */
	uint64_t max_file;   /* RLIMIT_FSIZE in bytes, 0: none */
	uint64_t max_memory; /* RLIMIT_AS in bytes, 0: none */
	unsigned max_fds;    /* RLIMIT_NOFILE, 0: 64 */
};

void jail_free(struct jail *j);

/* Flags for clone(2) that a child with this jail is made with. */
unsigned long jail_clone_flags(const struct jail *j);

/* Parent's half: writes the maps of child @pid, where it has any. */
int jail_map_ids(const struct jail *j, pid_t pid, struct err *e);

/* Child's half, after the maps are there: stages 2 to 5. Allocates nothing. */
int jail_enter(const struct jail *j, struct err *e);

/* Stages 3 and 5 alone, and not dumpable: for forked workers that have no files to see. */
int jail_drop_rights(const struct jail *j, struct err *e);

#endif
