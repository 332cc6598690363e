#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Guests, hypervisors and supervisors that stand still, die or flood. Panics are in kernels.t.
. "$(dirname "$0")/../lib.sh"
make_busybox "$FILE_TMP/bb"
import_kernels
img=dir:$FILE_TMP/bb

# start OPTIONS… -- COMMAND: in the background; $pid is the supervisor, $qemu the hypervisor. The app
# has said "up".
start() {
	: >log
	"$O/vpod" --dir="$DATA" run $machine --uuid-file-save=uuid "$@" >log 2>err_log &
	pid=$!
	until_true 60 grep -q up log || { cat err_log; tail -n 5 "$DATA"/pods/run/*/console.log; }
	qemu=$(pgrep -P "$pid")
}

# ended STATUS WITHIN-SECONDS
ended() {
	local rc=0 from=$SECONDS
	wait "$pid" || rc=$?
	is status $rc "$1"
	[ $((SECONDS - from)) -le "$(slow "$2")" ] || fail "it took $((SECONDS - from)) s"
	until_true 5 test ! -d "/proc/$qemu"
}

reason() { vpod status --format=json "$(cat uuid)" | jq -r .reason; }

nothing_left() {
	vpod gc --grace-period=0s
	is "pods" "$(find "$DATA/pods" -mindepth 2 -maxdepth 2)" ""
}

t_a_guest_that_stands_still_ends_at_its_timeout() {
	start --timeout=$(slow 2)s "$img" -- sh -c 'echo up; sleep 60'
	kill -STOP "$qemu"
	ended 124 5
	is reason "$(reason)" timeout
	nothing_left
}

t_a_guest_that_stands_still_can_be_stopped() {
	start "$img" -- sh -c 'echo up; sleep 60'
	kill -STOP "$qemu"
	vpod stop --time=300ms "$(cat uuid)"
	ended 137 5
	is reason "$(reason)" stopped
	nothing_left
}

t_a_guest_that_stands_still_can_be_stopped_by_force() {
	start "$img" -- sh -c 'echo up; sleep 60'
	kill -STOP "$qemu"
	vpod stop --force "$(cat uuid)"
	ended 137 2
	nothing_left
}

t_a_supervisor_that_stands_still_can_be_stopped_by_force() {
	start "$img" -- sh -c 'echo up; sleep 60'
	kill -STOP "$pid"
	is printed "$(vpod stop --force "$(cat uuid)")" "\"$(cat uuid)\""
	ended 137 5
	is state "$(vpod status "$(cat uuid)" | head -n 1)" state=exited
	nothing_left
}

t_stop_of_a_supervisor_that_stands_still_points_to_force() {
	# the stop that was not answered is still in its socket: it must not end the app
	start "$img" -- sh -c 'trap "" TERM; echo up; sleep 60'
	kill -STOP "$pid"
	status 125 vpod stop --time=100ms "$(cat uuid)"
	like hint "$err" 'hint: .*--force'
	kill -CONT "$pid"
	vpod stop --force "$(cat uuid)"
	ended 137 5
	nothing_left
}

t_a_guest_kernel_that_never_speaks_ends_at_the_boot_deadline() {
	local dir from
	dir=$(tuned_kernel)
	dir=${dir%/vmlinux}
	cp -r "${dir##* }" k
	cat >loop.S <<-'END'
		.section .note.pvh, "a", @note
		.long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
		.asciz "Xen"
		.long _start
		.text
		.globl _start
		_start: jmp _start
	END
	gcc -c loop.S
	ld -N -Ttext=0x1000000 -o k/vmlinux loop.o
	vpod kernel import "$PWD/k" --name=loops
	from=$SECONDS
	status 125 vpod run --rm $machine --kernel=loops --boot-timeout=$(slow 3)s "$img" -- true
	[ $((SECONDS - from)) -le "$(slow 6)" ]
	like message "$err" 'boot-failed: the guest was not ready in '"$(slow 3)"' s'
	vpod kernel rm loops # the newest would be the default
	nothing_left
}

t_a_short_boot_deadline_is_told_as_it_is() {
	status 125 vpod run --rm $machine --boot-timeout=100ms "$img" -- true
	like message "$err" 'boot-failed: the guest was not ready in 100 ms'
	nothing_left
}

# Called as rkt, what the engine or the machine did wrong is 254; what an app says is its own.
t_failures_of_the_machine_are_254_as_rkt() {
	ln -s "$O/vpod" rkt
	status 254 ./rkt --dir="$DATA" run $machine --boot-timeout=100ms --uuid-file-save=uuid "$img" -- true
	like message "$err" '^rkt: error: pod .*: boot-failed: '
	is "exit_code" "$(vpod status --format=json "$(cat uuid)" | jq .exit_code)" 254
	status 254 ./rkt --dir="$DATA" --insecure-options=all-run run $machine "$img" -- \
		sh -c 'echo c >/proc/sysrq-trigger; sleep 10'
	like message "$err" ': guest-panic: '
	status 254 ./rkt --dir="$DATA" run $machine "$img" --user=nobody-here -- true
	status 125 ./rkt --dir="$DATA" run $machine "$img" -- sh -c 'exit 125'
	"./rkt" --dir="$DATA" run $machine --uuid-file-save=uuid "$img" -- sh -c 'echo up; sleep 60' >log 2>err_log &
	pid=$!
	until_true 60 grep -q up log
	qemu=$(pgrep -P "$pid")
	kill -9 "$qemu"
	ended 254 5
	is reason "$(reason)" vmm-crash
	nothing_left
}

t_a_fork_bomb_stays_in_its_pod() {
	start --timeout=$(slow 5)s --scratch=tmpfs "$img" --memory=64Mi -- \
		sh -c 'echo up; f() { f | f & }; f; sleep 60'
	wait "$pid" || true # 124, or 137 of the OOM killer: either ends it
	until_true 5 test ! -d "/proc/$qemu"
	like reason "$(reason)" 'timeout|oom|signaled'
	nothing_left
}

t_a_console_flood_is_bounded() {
	vpod --insecure-options=all-run run $machine --uuid-file-save=uuid "$img" -- sh -c '
		echo 8 >/proc/sys/kernel/printk
		for i in $(seq 60); do echo t >/proc/sysrq-trigger; done'
	local size
	size=$(stat -c %s "$DATA/pods/exited/$(cat uuid)/console.log")
	[ "$size" -gt 1000000 ] || fail "only $size bytes: no flood"
	[ "$size" -le $(((1 << 20) + 256)) ] || fail "$size bytes"
	nothing_left
}

t_an_unwritten_log_directory_does_not_hold_the_app() {
	start "$img" -- sh -c 'echo up; until [ -e /go ]; do sleep 0.1; echo y; done' --
	rm -rf "$DATA/pods/run/$(cat uuid)/log"
	vpod stop --time=1s "$(cat uuid)"
	ended 143 5
	nothing_left
}

tap_run "$@"
