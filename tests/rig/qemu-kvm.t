#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tests of pods on QEMU with a real KVM, inside one rig.  VPOD_TEST_FULL=1: all of them.
. "$(dirname "$0")/lib-rig.sh"

if [ "${VPOD_TEST_FULL:-0}" = 1 ]; then
	VPOD_RIG_TIMEOUT=3000 rig_tier qemu rig/inside/host boot/{smoke,exit,options,stdio,signals,life,jail,faults,crash}
fi
rig_tier qemu rig/inside/host boot/jail boot/faults:a_fork_bomb_stays_in_its_pod,a_guest_that_stands_still_can_be_stopped,a_guest_that_stands_still_can_be_stopped_by_force,a_guest_that_stands_still_ends_at_its_timeout,a_guest_kernel_that_never_speaks_ends_at_the_boot_deadline,a_supervisor_that_stands_still_can_be_stopped_by_force,stop_of_a_supervisor_that_stands_still_points_to_force,an_unwritten_log_directory_does_not_hold_the_app boot/crash
