/* SPDX-License-Identifier: Apache-2.0 */
/* From a prepared pod to the hypervisor's command: kernel, disks, initrd, sockets, jail. */
#ifndef VPOD_STAGE0_MACHINE_H
#define VPOD_STAGE0_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/jail.h"
#include "guest-init/proto.h"
#include "stage0/kernel.h"
#include "stage0/vmspec.h"

struct config;
struct manifest;
struct pod;
struct run_args;

struct machine {
	struct kernel kernel;
	const struct hypervisor *hv;
	struct hv_caps caps;
	char why_slow[160]; /* why "auto" fell back to software, "" when it did not */
	struct vm_spec vm;
	struct spawn command;
	struct jail jail;
	char *cmdline;
	char *initrd;
	char serials[PROTO_MAX_APPS + 1][8]; /* of the disks */
	unsigned app_disk[PROTO_MAX_APPS];   /* which disk is an app's image */
	int image_locks[PROTO_MAX_APPS];     /* held until the VM has ended */
	unsigned nr_image_locks;
	int uid_lock;
	int control_fd, console_fd, message_fd; /* our ends, -1 once taken */
	uid_t uid;
};

/* Chooses hypervisor, accelerator and kernel; everything that can be refused before a pod exists.
 */
int machine_choose(const struct config *cfg, const struct run_args *r, const char *kernel,
		   struct machine *m, struct err *e);

/* Warns, once all is known to be right, of a machine that runs in software unasked. */
void machine_warn(const struct machine *m);

/* Builds the command for pod @p, which is locked by us; writes initrd and scratch disk beneath it.
 */
int machine_build(const struct config *cfg, const struct run_args *r, const struct pod *p,
		  const struct manifest *man, struct machine *m, struct err *e);

/* Takes back what machine_build() wrote beneath the pod. */
void machine_undo(const struct pod *p);

/* What --dry-run prints. */
void machine_print(const struct machine *m);

void machine_init(struct machine *m);
void machine_release(struct machine *m);

#endif
