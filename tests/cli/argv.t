#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What 'vpod run --dry-run' prints, golden: QEMU's argv and the kernel command line.  Boots nothing.
# Needs a kernel of each kind; skips what is not to be had.  'make golden' writes the texts anew.
cd "$(dirname "$0")/../.." || exit 99
O=$(realpath "${O:-build}")
. tests/lib.sh

GOLDEN=$TOP/tests/golden/argv

# compare NAME: the text in $out with the golden one.
compare() {
	if [ "${UPDATE:-0}" = 1 ]; then
		mkdir -p "$GOLDEN"
		normalise <<<"$out" >"$GOLDEN/$1.txt"
	fi
	diff -u "$GOLDEN/$1.txt" <(normalise <<<"$out") ||
		fail "the argv of $1 changed; if it is meant: make golden"
}

# Paths, UUIDs, versions and this host's TSC become words.
normalise() {
	sed -E -e "s|^[^ ]*qemu-system-x86_64|QEMU|" -e "s|^[^ ]*/vpod-vmm |VMM |" -e "s|$DATA|DIR|g" \
		-e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/g' \
		-e 's|kernels/[^/]*/|kernels/KERNEL/|g' -e 's/ tsc_early_khz=[0-9]+/ tsc_early_khz=TSC/'
}

golden() {
	local name=$1
	shift
	command -v qemu-system-x86_64 >/dev/null || [ -n "${VPOD_QEMU:-}" ] || skip "QEMU is not installed"
	status 0 vpod run --dry-run --accel=tcg "$@"
	is "standard error" "$err" ""
	compare "$name"
	is "pods left" "$(find "$DATA/pods" -mindepth 2 -maxdepth 2 | wc -l)" 0
}

# The tuned kernel as name "tuned"; from the cache only: nothing is built here.
need_tuned() {
	local dir
	[ ! -e "$DATA/kernels/tuned" ] || return 0
	dir=$("$TOP"/kernel-config/build --cached 2>/dev/null | tail -n 1) || true
	[ -n "$dir" ] || skip "the tuned kernel is not in the cache (make kernel)"
	vpod kernel import --name=tuned "$dir" >/dev/null
}

need_debian() {
	local deb
	[ ! -e "$DATA/kernels/debian" ] || return 0
	deb=$("$TOP"/tools/get-kernels 6.12-cloud 2>/dev/null | tail -n 1) || true
	[ -n "$deb" ] || skip "Debian's 6.12 cloud kernel is not to be had (tools/get-kernels 6.12-cloud)"
	vpod kernel import --name=debian "$deb" >/dev/null
}

# Two images that differ.
make_images() {
	mkdir -p "$FILE_TMP/one/bin" "$FILE_TMP/two/bin"
	echo one >"$FILE_TMP/one/bin/app"
	echo two >"$FILE_TMP/two/bin/app"
}
make_images

t_tuned_kernel() {
	need_tuned
	golden tuned --kernel=tuned "dir:$FILE_TMP/one" -- app 'an argument'
	like "no ACPI" "$out" 'acpi=off'
	! grep -q 'an argument' <<<"$out" || fail "an app's argument is on a command line of the host"
}

t_debian_kernel() {
	need_debian
	golden debian --kernel=debian "dir:$FILE_TMP/one" -- app
	like "ACPI" "$out" 'microvm,acpi=on'
}

t_two_apps_of_two_images() {
	need_tuned
	golden two-images --kernel=tuned --kernel-append=psi=1 "dir:$FILE_TMP/one" --name=a -- app \
		--- "dir:$FILE_TMP/two" --name=b --memory=600Mi -- app
	like "memory is the limits and 128 MiB" "$out" '-m 728M'
}

t_two_apps_of_one_image_share_its_disk() {
	need_tuned
	status 0 vpod run --dry-run --accel=tcg --kernel=tuned "dir:$FILE_TMP/one" --name=a -- app \
		--- "dir:$FILE_TMP/one" --name=b -- app
	is "disks" "$(grep -c 'virtio-blk-device' <<<"$out")" 2
}

t_tmpfs_and_four_cpus() {
	need_tuned
	golden tmpfs-4cpus --kernel=tuned --scratch=tmpfs --vm-cpus=4 "dir:$FILE_TMP/one" -- app
	like "CPUs" "$out" '-smp 4'
	! grep -q 'serial=scratch' <<<"$out" || fail "a scratch disk in spite of --scratch=tmpfs"
}

# What a machine has that no option asks for yet: by its description, on both hypervisors.
# The tool finds vpod-vmm where vpod would, beside itself.
vmargv() {
	"$FILE_TMP/vmargv" "$@"
}
cp "$O/tests/tools/vmargv" "$O/vpod-vmm" "$FILE_TMP" || exit 99

# nics NAME DEVICE...
nics() {
	local hv name=$1
	shift
	for hv in qemu kvm; do
		[ $hv = kvm ] || command -v qemu-system-x86_64 >/dev/null || skip "QEMU is not installed"
		[ $hv = qemu ] || [ -r /dev/kvm ] || skip "no /dev/kvm"
		status 0 vmargv $hv disk:img0 disk:scratch "$@"
		compare "$name-$hv"
	done
}

t_a_machine_without_nics() {
	nics nics-none
}

t_a_tap() {
	nics nics-tap tap:525400123456:1500
}

t_two_taps() {
	nics nics-two-taps tap:525400123456:1500 tap:5254009abcde:0
}

t_a_stream() {
	nics nics-stream stream:525400123456:65520
}

t_machines_that_no_hypervisor_runs() {
	local n many=()
	status 1 vmargv kvm tap:525400123456:0 stream:525400123456:0
	like "one address twice" "$err" 'NICs 0 and 1 both have 52:54:00:12:34:56$'
	status 1 vmargv kvm tap:535400123456:0
	like "a group's address" "$err" 'NIC 0: 53:54:00:12:34:56 is no station.s address$'
	status 1 vmargv kvm tap:000000000000:0
	like "no address" "$err" 'NIC 0: 00:00:00:00:00:00 is no station.s address$'
	status 1 vmargv kvm tap:525400123456:67
	like "an MTU" "$err" 'NIC 0: an MTU of 67, not 68 to 65535$'
	for n in 1 2 3 4 5 6 7; do
		many+=("tap:52540012345$n:0")
	done
	[ -z "$(type -P qemu-system-x86_64)" ] || {
		status 1 vmargv qemu "${many[@]}"
		like "slots of QEMU" "$err" '0 disks and 7 NICs without ACPI, at most 6 together$'
		status 0 vmargv qemu acpi "${many[@]}"
	}
}

tap_run "$@"
