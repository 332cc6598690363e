/* SPDX-License-Identifier: Apache-2.0 */
/* A vCPU: its state at the first instruction, and the thread that runs it. */
#ifndef VPOD_VMM_VCPU_H
#define VPOD_VMM_VCPU_H

#include <linux/kvm.h>
#include <pthread.h>

#include "vmm/machine.h"

struct vcpu {
	struct machine *m;
	unsigned index;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool has_thread;
};

/* Makes vCPU @index with its CPUID, MSRs and local APIC. */
int vcpu_make(struct machine *m, struct vcpu *v, unsigned index, struct err *e);

/* The registers of the first vCPU: where the kernel is entered, 64-bit or PVH. */
int vcpu_set_entry(struct vcpu *v, struct err *e);

/* Starts the thread; it runs guest code only after machine_release(). */
int vcpu_start(struct vcpu *v, struct err *e);
void vcpu_free(struct vcpu *v);

/* cpuid.c: what vCPU @index says of itself; @off: features taken away, by name. */
int cpuid_set(int kvm_fd, const struct vcpu *v, const char *off, struct err *e);

/* Refuses a name that cpuid_set() would not know. */
int cpuid_check(const char *off, struct err *e);

#endif
