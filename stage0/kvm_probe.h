/* SPDX-License-Identifier: Apache-2.0 */
/* A tiny KVM guest that tells whether guest kernels run natively. Private to host.c. */
#ifndef VPOD_STAGE0_KVM_PROBE_H
#define VPOD_STAGE0_KVM_PROBE_H

#include "stage0/host.h"

/* Fills kvm, kvm_why, loop_ns, and tsc_khz when KVM knows it. Takes at most about a second. */
void kvm_probe(struct host *h);

#endif
