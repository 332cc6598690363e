#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pods on QEMU with a real KVM, inside one rig.
. "$(dirname "$0")/lib-rig.sh"
mapfile -t tests < <(rig_tests)
rig_tier qemu "${tests[@]}"
