#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tests of pods on QEMU with a real KVM, inside one rig.  VPOD_TEST_FULL=1: all of them.
. "$(dirname "$0")/lib-rig.sh"

if [ "${VPOD_TEST_FULL:-0}" = 1 ]; then
	VPOD_RIG_TIMEOUT=3000 rig_tier qemu rig/inside/host boot/{smoke,exit,options,stdio,signals,life,jail,faults,crash}
fi
rig_tier qemu rig/inside/host boot/smoke boot/exit boot/jail
