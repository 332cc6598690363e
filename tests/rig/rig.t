#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/rig itself: status, streams, files, ends.
. "$(dirname "$0")/../lib.sh"
. "$TOP/tests/rig/lib-rig.sh"
rig_or_skip

# From a directory that the rig has too: its /tmp is its own.
rig() { (cd "$TOP" && exec tools/rig --memory=1024 --timeout=60 "$@"); }

t_command_environment_directory_and_status_are_passed() {
	export VPOD_TEST_PASSED="two words, a 'quote' and
a line"
	status 7 env --chdir="$TOP/tests" ../tools/rig -- sh -c 'pwd; printf %s "$VPOD_TEST_PASSED"; echo err >&2; [ -c /dev/kvm ] && exit 7' 'a b'
	is stdout "$out" "$TOP/tests"$'\n'"$VPOD_TEST_PASSED"
	is stderr "$err" err
}

t_bytes_come_through_unchanged() {
	# /tmp of the rig is its own
	rig -- sh -c "cat $O/vpod; cat $O/vpod-image >&2" >stdout 2>stderr
	cmp stdout "$O/vpod"
	cmp stderr "$O/vpod-image"
}

t_the_host_is_seen_and_not_written() {
	rig --out="$T" -- sh -c "cmp $O/vpod $O/vpod && touch $TOP/VERSION.new && rm $TOP/VERSION && echo done >$T/result"
	is result "$(cat result)" "done"
	[ -e "$TOP/VERSION" ] && [ ! -e "$TOP/VERSION.new" ]
}

t_what_is_left_running_does_not_hold_it() {
	status 0 rig -- sh -c 'sleep 1000 & echo started'
	is stdout "$out" started
}

t_a_signal_inside_is_128_and_its_number() {
	status 137 rig -- sh -c 'kill -9 $$'
}

t_out_of_time_is_124() {
	status 124 rig --timeout=2 -- sleep 100
	like message "$err" 'out of time'
}

t_a_machine_that_dies_is_125() {
	status 125 rig -- sh -c 'echo c >/proc/sysrq-trigger; sleep 60'
	like message "$err" 'the machine died'
	like console "$err" 'console: .*</TASK>'
}

qemu_gone() { [ ! -d "/proc/$1" ]; }

# start: a rig that is up; $pid, and its QEMU's pid in $qemu
start() {
	: >log
	(cd "$TOP" && exec tools/rig --memory=1024 -- sh -c 'echo up; sleep 100') >log 2>&1 &
	pid=$!
	until_true 60 grep -q up log
	qemu=$(pgrep -P "$pid")
}

t_a_killed_rig_takes_qemu_with_it() {
	local rc=0
	start
	kill -9 "$pid"
	wait "$pid" || true # killed
	until_true 5 qemu_gone "$qemu"
	start
	kill -TERM "$pid"
	wait "$pid" || rc=$?
	is status $rc 143
	qemu_gone "$qemu"
}

t_two_at_once_keep_apart_and_leave_nothing() {
	local a b rc
	mkdir tmp
	TMPDIR=$T/tmp rig -- sh -c 'echo a; sleep 1; echo a; exit 3' >a &
	a=$!
	TMPDIR=$T/tmp rig -- sh -c 'echo b; sleep 1; echo b; exit 4' >b &
	b=$!
	rc=0 && wait $a || rc=$?
	is "status of a" $rc 3
	rc=0 && wait $b || rc=$?
	is "status of b" $rc 4
	is a "$(cat a)" $'a\na'
	is b "$(cat b)" $'b\nb'
	is "left over" "$(find tmp -mindepth 1)" ""
}

t_what_cannot_be_is_told() {
	status 2 "$TOP/tools/rig" -- true
	like message "$err" 'the working directory is in /tmp'
	cd "$TOP"
	status 77 env O="$T/none" tools/rig --probe
	like reason "$out" 'a rig cannot run here: .*is not built'
	status 77 env PATH="$T" tools/rig --probe
	like reason "$out" 'missing: qemu-system-x86_64 \(package qemu-system-x86\)'
	status 77 tools/rig --kernel=6.1-cloud --probe
	like reason "$out" 'no module 9p'
}

tap_run "$@"
