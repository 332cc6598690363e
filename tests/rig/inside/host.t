#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What vpod makes of a host with a real KVM.  Runs in a rig only.
. "$(dirname "$0")/../../lib.sh"
[ "${VPOD_IN_RIG:-0}" = 1 ] || { echo "1..1"; echo "ok 1 - host # SKIP runs in a rig only"; exit 0; }
make_busybox "$FILE_TMP/bb"
import_kernels
img=dir:$FILE_TMP/bb

t_doctor_finds_kvm_and_nothing_wrong() {
	status 0 vpod doctor
	like kvm "$out" '^ok +kvm +KVM: guest kernels run on the hardware$'
	is "what is wrong" "$(grep -E '^(FAIL|warn)' <<<"$out")" ""
}

t_auto_takes_kvm_without_a_word() {
	status 0 vpod run --rm --accel=auto "--hypervisor=${VPOD_TEST_HYPERVISOR:-auto}" "$img" -- echo hi
	is stdout "$out" hi
	is stderr "$err" ""
	like argv "$(vpod run --dry-run --hypervisor=qemu "$img" -- true)" '-accel kvm '
}

# As on a host without udev: the node is root's alone, and the hypervisor is not root.
t_a_kvm_of_root_alone_is_enough() {
	is mode "$(stat -c '%a %u' /dev/kvm)" "600 0"
	status 0 vpod run --rm $machine "$img" -- true
}

tap_run "$@"
