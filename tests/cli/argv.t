#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What 'vpod run --dry-run' prints, golden: QEMU's argv and the kernel command line.  Boots nothing.
# Needs a kernel of each kind; skips what is not to be had.  'make golden' writes the texts anew.
cd "$(dirname "$0")/../.." || exit 99
O=$(realpath "${O:-build}")
. tests/lib.sh

GOLDEN=$TOP/tests/golden/argv

# Paths, UUIDs, versions and this host's TSC become words.
normalise() {
	sed -E -e "s|^[^ ]*qemu-system-x86_64|QEMU|" -e "s|$DATA|DIR|g" \
		-e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/g' \
		-e 's|kernels/[^/]*/|kernels/KERNEL/|g' -e 's/ tsc_early_khz=[0-9]+/ tsc_early_khz=TSC/'
}

golden() {
	local name=$1
	shift
	command -v qemu-system-x86_64 >/dev/null || [ -n "${VPOD_QEMU:-}" ] || skip "QEMU is not installed"
	status 0 vpod run --dry-run --accel=tcg "$@"
	is "standard error" "$err" ""
	if [ "${UPDATE:-0}" = 1 ]; then
		mkdir -p "$GOLDEN"
		normalise <<<"$out" >"$GOLDEN/$name.txt"
	fi
	diff -u "$GOLDEN/$name.txt" <(normalise <<<"$out") ||
		fail "the argv of $name changed; if it is meant: make golden"
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

tap_run "$@"
