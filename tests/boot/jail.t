#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the hypervisor is left with, seen from /proc.
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || { echo "1..1"; echo "ok 1 - jail # SKIP needs root to look into the hypervisor's /proc"; exit 0; }
make_busybox "$FILE_TMP/bb"
import_kernels
img=dir:$FILE_TMP/bb
kvm='' && [ "${VPOD_TEST_ACCEL:-tcg}" = kvm ] && kvm=kvm # the one device

for n in 1 2; do
	"$O/vpod" --dir="$DATA" run $machine "$img" -- sh -c 'echo up; sleep 300' >"$FILE_TMP/log$n" 2>&1 &
	eval "sup$n=$!"
done
until [ -s "$FILE_TMP/log1" ] && [ -s "$FILE_TMP/log2" ]; do sleep 0.1; done
q1=$(pgrep -P "$sup1") q2=$(pgrep -P "$sup2")

# Our own monitor needs nothing of a file system; QEMU has its libraries and its kernel.
vmm='' && [ "$(cat "/proc/$q1/comm")" = vpod-vmm ] && vmm=1

field() { awk -v k="$2:" '$1 == k { print $2 }' "/proc/$1/status"; }

t_its_uid_is_its_own() {
	[ "$(field "$q1" Uid)" -ge $((0x76000000)) ]
	[ "$(field "$q1" Uid)" != "$(field "$q2" Uid)" ]
	is groups "$(awk '/^Groups:/ { print NF }' "/proc/$q1/status")" 1
}

t_every_thread_is_without_rights() {
	local t
	for t in /proc/"$q1"/task/*; do
		for k in CapInh CapPrm CapEff CapBnd CapAmb; do
			is "$k" "$(awk -v k="$k:" '$1 == k { print $2 }' "$t/status")" 0000000000000000
		done
		is NoNewPrivs "$(awk '$1 == "NoNewPrivs:" { print $2 }' "$t/status")" 1
		is Seccomp "$(awk '$1 == "Seccomp:" { print $2 }' "$t/status")" 2
	done
}

t_its_namespaces_are_its_own() {
	local n
	for n in mnt pid net ipc uts user; do
		[ "$(readlink "/proc/$q1/ns/$n")" != "$(readlink /proc/self/ns/$n)" ] || fail "$n is the host's"
		[ "$(readlink "/proc/$q1/ns/$n")" != "$(readlink "/proc/$q2/ns/$n")" ] || fail "$n is shared"
	done
}

t_its_root_has_what_it_needs_only() {
	is "mount options" "$(awk '{ print $6 }' "/proc/$q1/mountinfo" | grep -vc '^ro')" 0
	if [ "$vmm" ]; then
		is root "$(find "/proc/$q1/root/" -mindepth 1)" ""
		is mounts "$(wc -l <"/proc/$q1/mountinfo")" 1
		return
	fi
	is "top level" "$(ls "/proc/$q1/root" | tr '\n' ' ')" "dev etc lib lib64 tmp usr "
	is devices "$(ls "/proc/$q1/root/dev" | xargs)" "${kvm:+kvm }null"
	[ ! -e "/proc/$q1/root/etc/passwd" ]
	[ ! -e "/proc/$q1/root/bin/sh" ]
}

t_its_files_are_the_declared_ones() {
	local f what
	for f in /proc/"$q1"/fd/*; do
		what=$(readlink "$f")
		case ${vmm:+vmm:}$what in
		vmm:/null | vmm:socket:* | vmm:anon_inode:kvm-v* | \
			vmm:anon_inode:\[event* | vmm:anon_inode:\[signalfd] | vmm:anon_inode:\[timerfd] | \
			vmm:anon_inode:\[io_uring] | vmm:"$DATA"/pods/run/*/lock | \
			vmm:"$DATA"/pods/run/*/scratch.img | vmm:"$DATA"/layers/*/data | vmm:"$DATA"/rootfs/*/meta) ;;
		"/dev/${kvm:-null}" | */null | socket:* | anon_inode:* | /memfd:vpod-disk* | "$DATA"/pods/run/*/lock | \
			"$DATA"/pods/run/*/scratch.img | "$DATA"/layers/*/data | "$DATA"/rootfs/*/meta) ;;
		*) fail "fd ${f##*/} is $what" ;;
		esac
	done
	# so that the pod is not taken for one that has ended while the machine lives
	is locks "$(find "/proc/$q1/fd" -lname "$DATA/pods/run/*/lock" | wc -l)" 1
}

t_it_dies_with_its_supervisor() {
	kill -9 "$sup2"
	wait "$sup2" 2>/dev/null && fail "it was killed"
	until_true 5 test ! -d "/proc/$q2"
}

tap_run "$@"
