/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this host can do, measured, not assumed: a /dev/kvm that opens may still emulate guest
 * kernels (DESIGN.md section 5).  Measured once per boot and kept in cfg->run_dir/host.
 */
#ifndef VPOD_STAGE0_HOST_H
#define VPOD_STAGE0_HOST_H

#include "base/err.h"

struct config;

enum kvm_state {
	KVM_ABSENT,   /* no /dev/kvm */
	KVM_DENIED,   /* it is there, but we may not open it, or it is busy */
	KVM_EMULATED, /* guests run, but ring-0 code of guest kernels is emulated */
	KVM_BROKEN,   /* the probe's guest did not run */
	KVM_WORKS,
};

struct host {
	enum kvm_state kvm;
	char kvm_why[160];     /* one sentence for people */
	unsigned long loop_ns; /* measured per 1000 ring-0 instructions */
	unsigned tsc_khz;      /* 0: unknown */
};

const char *kvm_state_name(enum kvm_state s);

/* Cached; @fresh measures again. */
int host_probe(const struct config *cfg, int fresh, struct host *out, struct err *e);

#endif
