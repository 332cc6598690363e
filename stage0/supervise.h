/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The supervisor
 *
 * vpod run stays as the parent of the pod's hypervisor: one event loop over the guest channel, the
 * hypervisor's pidfd, the boot console, control.sock, signals, timers and our standard streams.
 *
 *	BOOTING		until READY; ends by the boot deadline, a signal, or the VM's death
 *	RUNNING		apps run; ends by DONE, a time-out, a stop, or the VM's death
 *	STOPPING	apps were asked to stop; a timer kills the VM if they do not
 *	ENDING		the VM is dead or being killed; output that is still on its way is delivered
 *
 * A guest that says DONE has synced and unmounted everything: it is killed there and then, since
 * waiting for its power-off would tell nobody anything.
 */
#ifndef VPOD_STAGE0_SUPERVISE_H
#define VPOD_STAGE0_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/spawn.h"
#include "stage0/status.h"

struct pod;
struct manifest;
struct tty;

/* When each phase began, CLOCK_BOOTTIME ns, 0: it did not. */
struct timing {
	uint64_t start, images, prepared, spawned, hello, ready, app, exited, done, end;
	uint64_t guest_boot_ns; /* guest's own clock when its init began */
};

struct supervise_args {
	struct pod *pod;
	const struct manifest *manifest;
	struct spawn *command; /* the hypervisor, fds and jail included */
	int control_fd;	       /* our ends of the VM's sockets; taken */
	int console_fd;
	int message_fd; /* what the hypervisor itself prints; taken */
	struct tty *tty;
	bool debug;
	const uint8_t *metadata_key; /* of the metadata service; NULL: the pod has none */
	int engine_status; /* exit status of failures that are not the apps': 125, 254 as rkt */
	uint64_t timeout_ns, boot_timeout_ns, stop_timeout_ns; /* 0: none */
	struct timing *timing;
};

/*
 * Runs the VM to its end and fills @out, status.json's content.  Returns -1 only for failures of
 * our own; whatever the pod did is in @out.
 */
int supervise(const struct supervise_args *args, struct pod_status *out, struct err *e);

#endif
