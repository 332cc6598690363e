#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Exit statuses and reasons, on the tuned kernel.
. "$(dirname "$0")/../lib.sh"
make_busybox "$FILE_TMP/bb"
cp -r "$FILE_TMP/bb" "$FILE_TMP/plain"
echo 'not a program' >"$FILE_TMP/plain/bin/text"
import_kernels
img=dir:$FILE_TMP/bb

run() { vpod run $machine "$@"; }

reason() { vpod list --format=json | jq -r 'max_by(.apps[0].created_at).reason'; }

t_success_is_0() { status 0 run --rm "$img" -- true; }

t_a_status_is_passed_on() {
	status 7 run "$img" -- sh -c 'exit 7'
	is reason "$(reason)" exited
}

t_a_signal_is_128_and_its_number() {
	status 137 run "$img" -- sh -c 'kill -9 $$'
	is reason "$(reason)" signaled
	status 143 run --rm "$img" -- sh -c 'kill -TERM $$'
}

t_a_missing_program_is_127() {
	status 127 run --rm "$img" -- no-such-program
	like message "$err" 'cannot execute no-such-program: not found'
	status 127 run --rm "$img" -- /no/such/program
}

t_a_program_that_cannot_be_executed_is_126() {
	status 126 run --rm "$img" -- /etc/passwd
	like message "$err" 'cannot execute /etc/passwd: Permission denied'
	status 126 run --rm "$img" -- /bin
}

t_the_first_failing_app_ends_the_pod_with_its_status() {
	status 3 run "$img" --name=long -- sleep 99 --- "$img" --name=short -- sh -c 'exit 3'
	is reason "$(reason)" exited
	is code "$(vpod list --format=json | jq -r 'max_by(.apps[0].created_at).apps[1].exit_code')" 3
}

t_all_apps_must_end_well() {
	status 0 run --rm "$img" --name=a -- true --- "$img" --name=b -- sh -c 'sleep 0.3'
}

t_an_engine_failure_is_125() {
	status 125 run --rm "oci:$T/nothing" -- true
	status 125 run --rm --no-such-option "$img"
	like hint "$err" "hint: "
}

t_called_as_rkt_it_is_254() {
	ln -s "$O/vpod" "$T/rkt"
	status 254 "$T/rkt" --dir="$DATA" run --rm "oci:$T/nothing" -- true
}

t_out_of_memory_is_told() {
	status 137 run "$img" --memory=32Mi -- sh -c 'dd if=/dev/zero of=/dev/null bs=200M count=1'
	is reason "$(reason)" oom
}

t_a_scratch_image_with_one_static_binary_runs() {
	mkdir -p "$T/root"
	cp /bin/busybox "$T/root/echo"
	status 0 run --rm "dir:$T/root" -- /echo no shell, no libc
	is stdout "$out" 'no shell, no libc'
}

tap_run "$@"
