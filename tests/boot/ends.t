#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The ends of a guest that nobody asked for, each with its reason; and its CPUs.  What the guest's
# kernel does is done by root outside of the app: a core dump's program, which the kernel starts.
. "$(dirname "$0")/../lib.sh"
make_busybox "$FILE_TMP/bb"
import_kernels
img=dir:$FILE_TMP/bb
hypervisor=${VPOD_TEST_HYPERVISOR:-qemu}

# ends_by COMMAND OPTIONS…: a pod whose guest does COMMAND; $message and $state are what was told.
# Past the root of the initramfs, "/..", are init's mounts.
ends_by() {
	local command=$1 from=$SECONDS
	shift
	status 125 vpod --insecure-options=all-run run $machine --uuid-file-save=uuid "$@" "$img" -- sh -c "
		echo '|/../apps/0/bin/busybox $command' >/proc/sys/kernel/core_pattern
		ulimit -c unlimited
		sh -c 'kill -SEGV \$\$'
		sleep 1000"
	[ $((SECONDS - from)) -le "$(slow 20)" ] || fail "it took $((SECONDS - from)) s"
	state=$(vpod status --format=json "$(cat uuid)")
	message=$(jq -r .message <<<"$state")
	is reason "$(jq -r .reason <<<"$state")" guest-panic
	is "exit code" "$(jq .exit_code <<<"$state")" 125
	is "the app's" "$(jq -r '.apps[0].exit_code' <<<"$state")" 137
	vpod rm "$(cat uuid)"
}

# told ON-VPOD-VMM ON-QEMU, which has no word for how its guest ended
told() {
	if [ "$hypervisor" = kvm ]; then is message "$message" "$1"; else is message "$message" "$2"; fi
}

t_a_guest_that_reboots() {
	ends_by 'reboot -f'
	told 'the guest kernel reset the machine' 'the guest kernel reset the machine'
}

t_a_guest_that_crashes_with_a_triple_fault() {
	ends_by 'reboot -f' --kernel-append=reboot=t
	told 'the guest kernel crashed with a triple fault' 'the guest kernel reset the machine'
}

t_a_guest_that_powers_off() {
	ends_by 'poweroff -f' --vm-cpus=2 # with ACPI, without which it cannot
	told 'the guest kernel powered the machine off' 'the guest kernel reset the machine'
}

t_a_guest_that_panics() {
	ends_by 'sh -c echo${IFS}c>/proc/sysrq-trigger'
	like message "$message" '^the guest kernel panicked: Kernel panic - not syncing: sysrq triggered crash$'
}

t_a_guest_that_halts() {
	if [ "$hypervisor" = kvm ]; then
		ends_by 'halt -f'
		is message "$message" 'the guest kernel halted'
		return
	fi
	# QEMU waits for ever; only a timeout ends it
	status 124 vpod --insecure-options=all-run run --rm $machine --timeout="$(slow 4)s" "$img" -- sh -c '
		echo "|/../apps/0/bin/busybox halt -f" >/proc/sys/kernel/core_pattern
		ulimit -c unlimited
		sh -c "kill -SEGV \$\$"
		sleep 1000'
}

t_four_cpus_are_four() {
	is nproc "$(vpod run --rm $machine --vm-cpus=4 "$img" -- nproc)" 4
}

tap_run "$@"
