#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Streams: exact, apart, bounded, half-closed.
. "$(dirname "$0")/../lib.sh"
make_busybox "$FILE_TMP/bb"
import_kernels
img=dir:$FILE_TMP/bb

run() { vpod run --rm $machine "$@"; }

t_100_megabytes_come_back_identical() {
	head -c 100000000 /dev/urandom >in
	run -i "$img" -- cat <in >out_file
	cmp in out_file
}

t_bytes_pass_through_pipes_unchanged() {
	is sum "$(head -c 3000000 /dev/zero | tr '\0' '\377' | run -i "$img" -- cat | md5sum)" \
		"$(head -c 3000000 /dev/zero | tr '\0' '\377' | md5sum)"
}

t_output_and_errors_stay_apart() {
	status 0 run "$img" -- sh -c 'echo out; echo err >&2; echo out2'
	is stdout "$out" $'out\nout2'
	is stderr "$err" err
}

t_a_reader_that_leaves_ends_the_app() {
	is head "$(run "$img" -- yes | head -n 2)" $'y\ny'
	run "$img" -- sh -c 'yes; echo status $? >&2' 2>log | head -n 1 >/dev/null
	is "the app's shell saw SIGPIPE" "$(cat log)" "status 141"
}

t_stdin_is_empty_without_i() {
	is out "$(echo lost | run "$img" -- sh -c 'cat; echo end')" end
}

t_half_close_works() {
	is out "$(echo abc | run -i "$img" -- sh -c 'cat; sleep 0.3; echo after the end of input')" \
		$'abc\nafter the end of input'
}

t_an_app_that_does_not_read_is_no_problem() {
	is out "$(head -c 20000000 /dev/zero | run -i "$img" -- echo done)" done
}

t_closed_standard_streams_are_no_problem() {
	run "$img" -- sh -c 'echo x; echo y >&2' <&- >&- 2>&-
	run -i "$img" -- cat <&- >out_file
	is nothing "$(cat out_file)" ""
}

t_output_after_exit_of_the_app_is_not_lost() {
	is bytes "$(run "$img" -- sh -c 'head -c 5000000 /dev/zero' | { sleep 1; wc -c; })" 5000000
}

# kB of private memory of process $1
private_kb() { awk '/^Private_/ { s += $2 } END { print s + 0 }' "/proc/$1/smaps_rollup"; }

# A GiB takes TCG a minute; VPOD_TEST_FULL=1 sends it.
big=$((${VPOD_TEST_FULL:-0} ? 1 << 30 : 1 << 28))

t_256_mib_to_a_slow_reader_grow_nobodys_memory() {
	local pid qemu before after qb qa most=3072
	is_sanitized && most=20480
	mkfifo pipe
	vpod run --rm $machine "$img" -- head -c $big /dev/zero >pipe &
	pid=$!
	exec 9<pipe
	head -c 1000000 <&9 >/dev/null
	# function shells aside, the supervisor is the process named vpod
	pid=$(pgrep -P "$pid" -x vpod || echo "$pid")
	qemu=$(pgrep -P "$pid")
	before=$(private_kb "$pid") qb=$(private_kb "$qemu")
	# the reader stands still until the writer has nothing more to send
	until_true 20 blocked "$pid"
	after=$(private_kb "$pid") qa=$(private_kb "$qemu")
	echo "supervisor $before -> $after kB, qemu $qb -> $qa kB"
	[ "$after" -le $((before + 1024)) ]
	[ "$after" -le "$most" ]
	[ "$qa" -le $((qb + 16384)) ]
	is "the rest arrives" "$(wc -c <&9)" $((big - 1000000))
	[ "$(private_kb "$pid" 2>/dev/null || echo 0)" -le "$most" ]
	wait
}

# Written bytes stand still over 300 ms.
blocked() {
	local a b
	a=$(awk '/^wchar/ { print $2 }' "/proc/$1/io")
	sleep 0.3
	b=$(awk '/^wchar/ { print $2 }' "/proc/$1/io")
	[ "$a" = "$b" ]
}

tap_run "$@"
