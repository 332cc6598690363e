/* SPDX-License-Identifier: Apache-2.0 */
/* A vCPU: its state at the first instruction, and the thread that runs it. */
#ifndef VPOD_VMM_VCPU_H
#define VPOD_VMM_VCPU_H

#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>

#include "vmm/machine.h"

#define VCPU_KICK SIGUSR1 /* blocked but in the guest, and never handled */

enum vcpu_probe { VCPU_NOT_ASKED, VCPU_ASKED, VCPU_INTERRUPTS_ON, VCPU_INTERRUPTS_OFF };

enum vcpu_exit { VCPU_EXIT_IO, VCPU_EXIT_MMIO, VCPU_EXIT_INTERRUPTED, VCPU_EXIT_NR };

struct vcpu {
	struct machine *m;
	unsigned index;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	pid_t tid;
	int probe;		      /* enum vcpu_probe, atomic; of halt.c */
	uint64_t cpu_time;	      /* of the thread, at halt.c's last look; owner: loop */
	uint64_t exits[VCPU_EXIT_NR]; /* atomic; written by its thread */
};

/* Brings the vCPU out of the guest. Its thread then looks at probe and at the machine's gate. */
void vcpu_kick(struct vcpu *v);

/* Makes vCPU @index with its CPUID, MSRs and local APIC. */
int vcpu_make(struct machine *m, struct vcpu *v, unsigned index, struct err *e);

/* The registers of the first vCPU: where the kernel is entered, 64-bit or PVH. */
int vcpu_set_entry(struct vcpu *v, struct err *e);

/* Starts the thread; it runs guest code only after machine_release(). */
int vcpu_start(struct vcpu *v, struct err *e);
void vcpu_free(struct vcpu *v);

/* cpuid.c: asks KVM what it supports, beside what the caller does next. Optional. */
int cpuid_prepare(int kvm_fd, struct err *e);

/* What vCPU @index says of itself; @off: features taken away, by name. */
int cpuid_set(int kvm_fd, const struct vcpu *v, const char *off, struct err *e);

/* Refuses a name that cpuid_set() would not know. */
int cpuid_check(const char *off, struct err *e);

#endif
