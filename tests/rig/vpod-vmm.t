#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tests of pods on vpod-vmm, inside one rig.  VPOD_TEST_FULL=1: all of them.
. "$(dirname "$0")/lib-rig.sh"
mapfile -t tests < <(rig_tests; echo rig/inside/devices)
rig_tier kvm "${tests[@]}"
