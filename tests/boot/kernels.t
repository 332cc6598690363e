#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Debian's kernels as they are, and kernels that cannot run a pod.
. "$(dirname "$0")/../lib.sh"
make_busybox "$FILE_TMP/bb"
import_kernels
img=dir:$FILE_TMP/bb
log=$FILE_TMP/import.log
for k in 6.1-cloud 6.12-cloud; do
	deb=$("$TOP/tools/get-kernels" "$k" 2>>"$log" | tail -n 1)
	[ -n "$deb" ] && vpod kernel import "$deb" --name="debian-$k" >>"$log" 2>&1
done

have() { vpod kernel info "debian-$1" >/dev/null 2>&1 || skip "Debian's $1 kernel is not to be had: $(tail -n 1 "$log")"; }

run() { vpod run --rm $machine "$@"; }

subset() {
	have "$1"
	local k=--kernel=debian-$1
	like release "$(run $k "$img" -- uname -r)" "^${1%-cloud}\..*cloud-amd64$"
	status 7 run $k "$img" -- sh -c 'exit 7'
	status 137 run $k "$img" -- sh -c 'kill -9 $$'
	head -c 3000000 /dev/urandom >in
	run $k -i "$img" -- cat <in >out_file
	cmp in out_file
	status 0 run $k --scratch=tmpfs "$img" --name=a -- sh -c 'echo x >/written; cat /written' \
		--- "$img" --name=b -- grep -c ^ /proc/mounts
	status 3 run $k "$img" --name=a -- sleep 60 --- "$img" --name=b -- sh -c 'exit 3'
}

t_debians_6_1_cloud_kernel_runs_pods() { subset 6.1-cloud; }
t_debians_6_12_cloud_kernel_runs_pods() { subset 6.12-cloud; }

t_the_tuned_kernel_is_the_default() {
	like release "$(run "$img" -- uname -r)" '-vpod$'
}

# Neither is wanted: a message that every boot prints hides the one that matters, and a serial port
# that is opened for nobody is time.  What the kernel says of its CPU depends on the host.
t_a_boot_is_silent_and_opens_no_serial_port() {
	status 0 vpod run $machine --uuid-file-save=u "$img" -- cat /proc/interrupts
	is "interrupts of the port" "$(grep -c ttyS <<<"$out")" 0
	is "messages" "$(grep -vE 'reboot: Restarting system|Speculative' "$DATA/pods/exited/$(cat u)/console.log" | tr -d '\r')" ""
	vpod rm "$(cat u)" >/dev/null
	status 0 vpod run --rm $machine --vm-cpus=2 --debug "$img" -- true
	is "complaints" "$(grep -ciE 'fatal|PCI: ' <<<"$err")" 0
	like "what vpod-init says" "$err" 'vpod-init: .*root switched'
}

t_several_cpus_are_there() {
	is cpus "$(run --vm-cpus=4 "$img" -- nproc)" 4
}

# A copy of the tuned kernel whose configuration lacks symbol $1.
without() {
	cp -r "$(tuned_kernel)" "$T/k"
	sed -i "s/^$1=.*/# $1 is not set/" "$T/k/config"
	# the configuration that the kernel carries itself would tell the truth
	vpod kernel import "$T/k" --name="without-$$-$RANDOM"
}

t_a_missing_symbol_is_named_before_boot() {
	local name
	name=$(without CONFIG_VIRTIO_BLK)
	status 125 run --kernel="$name" "$img" -- true
	like message "$err" 'CONFIG_VIRTIO_BLK'
	is "no pod is left" "$(vpod list --no-legend)" ""
	vpod kernel rm "$name"
}

t_an_unknown_kernel_is_named() {
	status 125 run --kernel=nope "$img" -- true
	like message "$err" 'nope'
}

t_a_kernel_that_hangs_ends_at_the_boot_deadline() {
	# no clock is ever found: the kernel's first wait never ends
	status 125 run --boot-timeout=$(slow 3)s --kernel-append='initcall_blacklist=virtio_console_init loglevel=7' \
		"$img" -- true
	like message "$err" 'boot-failed'
	like tail "$err" 'console: '
}

t_a_panic_while_booting_is_told_with_its_last_lines() {
	status 125 run --kernel-append='rdinit=/nope init=/nope root=/dev/none' "$img" -- true
	like message "$err" 'boot-failed'
	like message "$err" 'panicked while it booted: Kernel panic - not syncing'
	like tail "$err" 'console: '
}

t_a_panic_of_the_guest_is_told_within_3_seconds() {
	local start
	vpod --insecure-options=all-run run $machine --uuid-file-save=uuid "$img" -- \
		sh -c 'echo up; sleep 0.2; echo c >/proc/sysrq-trigger; sleep 60' >log 2>err_log &
	until_true 30 grep -q up log
	start=$SECONDS
	wait $! && fail "it ended well"
	[ $((SECONDS - start)) -le "$(slow 3)" ]
	like message "$(cat err_log)" 'guest-panic: .*Kernel panic - not syncing: sysrq triggered crash'
	like tail "$(cat err_log)" 'console: '
	is reason "$(vpod status --format=json "$(cat uuid)" | jq -r .reason)" guest-panic
	vpod rm "$(cat uuid)"
}

tap_run "$@"
