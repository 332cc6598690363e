#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of the supervisor, of the hypervisor, of both, at any moment.
. "$(dirname "$0")/../lib.sh"
make_busybox "$FILE_TMP/bb"
import_kernels
img=dir:$FILE_TMP/bb
vpod fetch "$img" >/dev/null

start() {
	"$O/vpod" --dir="$DATA" run $machine --uuid-file-save="$1" "$img" -- sleep 60 >"$1.log" 2>&1 &
	pid=$!
}

nothing_left() {
	vpod gc --grace-period=0s --expire-prepared=0s
	is "pods left" "$(find "$DATA/pods" -mindepth 2 -maxdepth 2 | wc -l)" 0
	is "files held" "$(find /proc/[0-9]*/fd -lname "$DATA/*" 2>/dev/null | grep -v "^/proc/$$/")" ""
	is "mounts left" "$(grep -c "$DATA" /proc/self/mounts)" 0
}

# What became of it must be told truthfully within the time the kernel takes to reap.
not_running() { ! vpod status "$1" | grep -q '^state=running'; }

qemu_of() { pgrep -P "$1"; }

up() { grep -q '^state=running' <(vpod status --uuid-file="$1" 2>/dev/null); }

has_qemu() { [ -n "$(qemu_of "$1")" ]; }

t_a_killed_supervisor_takes_the_vm_with_it() {
	local q
	start u
	until_true 20 has_qemu "$pid"
	q=$(qemu_of "$pid")
	kill -9 "$pid"
	wait "$pid" || true # it was killed: that is its status
	until_true 5 test ! -d "/proc/$q"
	is state "$(vpod status "$(cat u)" | head -n 1)" state=exited
	nothing_left
}

t_a_killed_hypervisor_is_a_vmm_crash() {
	local rc=0
	start u
	until_true 20 has_qemu "$pid"
	kill -9 "$(qemu_of "$pid")"
	wait "$pid" || rc=$?
	is status $rc 125
	is reason "$(vpod status --format=json "$(cat u)" | jq -r .reason)" vmm-crash
	is message "$(vpod status "$(cat u)" | tail -n 1)" 'message=the hypervisor was killed by signal 9'
	nothing_left
}

# A flush is a flush: what the app's fsync waited for is in the host's file, whatever dies next.
t_what_was_fsynced_survives_a_killed_hypervisor() {
	local i sum path
	command -v debugfs >/dev/null || skip "debugfs is not installed (package e2fsprogs)"
	for i in 1 2 3; do
		: >log
		"$O/vpod" --dir="$DATA" run $machine --uuid-file-save=u "$img" -- sh -c '
			dd if=/dev/urandom of=/kept bs=64k count=32 conv=fsync 2>/dev/null
			md5sum </kept; cat /dev/zero >/more' >log 2>err_log &
		pid=$!
		until_true 60 grep -q ' -$' log
		kill -9 "$(qemu_of "$pid")"
		wait "$pid" && fail "it ended well"
		sum=$(cut -d' ' -f1 log)
		path=$DATA/pods/exited/$(cat u)/scratch.img
		debugfs -R "dump /apps/bb/upper/kept kept" "$path" 2>debugfs.log
		is "what was kept, try $i" "$(md5sum <kept | cut -d' ' -f1)" "$sum"
		rm kept
	done
	nothing_left
}

t_both_killed_at_any_moment_leave_a_truthful_state() {
	local i victim uuid
	"$O/vpod" --dir="$DATA" run $machine --uuid-file-save=bystander "$img" -- sleep 120 >/dev/null 2>&1 &
	victim=$!
	until_true 20 up bystander
	for i in $(seq 1 20); do
		start "u$i"
		# a moment that differs each time, from before the pod exists to after it runs
		perl -e "select undef, undef, undef, $i * $(slow 1) * 0.05"
		case $((i % 3)) in
		0) kill -9 "$pid" ;;
		1) kill -9 $(qemu_of "$pid" | grep . || echo "$pid") ;;
		2) kill -9 "$pid" $(qemu_of "$pid") ;;
		esac
		wait "$pid" || true # killed
		if [ -s "u$i" ]; then
			uuid=$(cat "u$i")
			until_true 5 not_running "$uuid"
		fi
		vpod list >/dev/null
	done
	vpod gc --grace-period=0s --expire-prepared=0s
	is "the bystander runs on" "$(vpod status "$(cat bystander)" | head -n 1)" state=running
	is "only it is left" "$(find "$DATA/pods" -mindepth 2 -maxdepth 2 -printf '%f\n')" "$(cat bystander)"
	vpod stop --force "$(cat bystander)"
	wait "$victim" || true # stopped by force
	nothing_left
}

t_a_fetch_killed_at_any_moment_leaves_a_store_that_the_next_one_uses() {
	local i
	mkdir big
	cp -r "$FILE_TMP/bb" big/bb
	head -c 60000000 /dev/urandom >big/random
	for i in $(seq 1 8); do
		"$O/vpod" --dir="$T/data" fetch "dir:$T/big" >/dev/null 2>&1 &
		pid=$!
		perl -e "select undef, undef, undef, $i * $(slow 1) * 0.03"
		kill -9 "$pid" $(pgrep -P "$pid") 2>/dev/null || true # it may have finished
		wait "$pid" || true # killed
	done
	status 0 "$O/vpod" --dir="$T/data" fetch "dir:$T/big"
	status 0 "$O/vpod" --dir="$T/data" image list --no-legend
	is images "$(wc -l <<<"$out")" 1
	"$O/vpod" --dir="$T/data" image gc
	is "nothing temporary" "$(find "$T/data/tmp" -mindepth 1 2>/dev/null | wc -l)" 0
}

# The pod's one directory: phase/uuid, or nothing.
where() { (cd "$DATA/pods" && find . -mindepth 2 -maxdepth 2 -printf '%P\n'); }

t_a_prepared_pod_survives_or_has_run() {
	local i u
	for i in $(seq 1 8); do
		u=$(vpod prepare "$img" -- sleep 60)
		"$O/vpod" --dir="$DATA" run-prepared $machine "$u" >/dev/null 2>&1 &
		pid=$!
		perl -e "select undef, undef, undef, $i * $(slow 1) * 0.03"
		kill -9 "$pid"
		wait "$pid" || true # killed
		until_true 5 not_running "$u"
		like "where it is" "$(where)" "^(prepared|run)/$u\$"
		like state "$(vpod status "$u" | head -n 1)" '^state=(prepared|exited)$'
		nothing_left
	done
}

t_a_killed_removal_is_finished_by_gc() {
	local i u
	for i in $(seq 1 12); do
		u=$(vpod prepare "$img" -- true)
		"$O/vpod" --dir="$DATA" rm "$u" >/dev/null 2>&1 &
		pid=$!
		perl -e "select undef, undef, undef, $i * 0.0005"
		kill -9 "$pid" 2>/dev/null || true # it may have finished
		wait "$pid" || true # killed
		vpod list >/dev/null
		nothing_left
	done
}

t_two_collectors_at_once_do_not_hinder_each_other() {
	local i pids=()
	for i in $(seq 1 20); do vpod prepare "$img" -- true >/dev/null; done
	for i in 1 2 3 4; do
		"$O/vpod" --dir="$DATA" gc --expire-prepared=0s >"gc$i" 2>&1 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	is "what they said" "$(cat gc*)" ""
	nothing_left
}

tap_run "$@"
