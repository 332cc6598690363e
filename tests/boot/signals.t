#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Signals, stop, time-outs, terminals.
. "$(dirname "$0")/../lib.sh"
make_busybox "$FILE_TMP/bb"
import_kernels
img=dir:$FILE_TMP/bb
tmux_sock=$FILE_TMP/tmux
at_exit 'tmux -S "$tmux_sock" kill-server 2>/dev/null'

# Starts a pod in the background; $pid is the vpod process. It prints "up" first.
start() {
	: >log
	# the shell ignores SIGINT for its background jobs, and vpod keeps what is ignored
	env --default-signal=INT,QUIT "$O/vpod" --dir="$DATA" run $machine --uuid-file-save=uuid \
		"$img" -- sh -c "$1" >log 2>err_log &
	pid=$!
	until_true 30 grep -q up log
}

# ended STATUS: $pid ends, with this status. Not in a subshell: only its parent can wait for it.
ended() {
	local rc=0
	wait "$pid" || rc=$?
	is status "$rc" "$1"
}

t_sigterm_reaches_the_app() {
	start 'trap "echo got term; exit 3" TERM; echo up; while :; do sleep 0.05; done'
	kill -TERM "$pid"
	ended 3
	is log "$(tail -n 1 log)" "got term"
}

t_sigint_reaches_the_app() {
	start 'trap "echo got int; exit 4" INT; echo up; while :; do sleep 0.05; done'
	kill -INT "$pid"
	ended 4
}

t_sigusr1_reaches_the_app() {
	start 'trap "echo got usr1; exit 5" USR1; echo up; while :; do sleep 0.05; done'
	kill -USR1 "$pid"
	ended 5
}

t_a_second_sigint_ends_the_vm() {
	start 'trap "echo int" INT; echo up; while :; do sleep 0.05; done'
	kill -INT "$pid"
	until_true 10 grep -q int log # two at once are one to the kernel
	kill -INT "$pid"
	ended 137
}

t_stop_lets_the_app_end_itself() {
	start 'trap "exit 6" TERM; echo up; while :; do sleep 0.05; done'
	is printed "$(vpod stop --uuid-file=uuid)" "\"$(cat uuid)\""
	ended 6
	is reason "$(vpod status --format=json "$(cat uuid)" | jq -r .reason)" stopped
}

t_stop_kills_after_its_time() {
	start 'trap "" TERM; echo up; while :; do sleep 0.05; done'
	vpod stop --time=500ms "$(cut -c 1-8 uuid)"
	ended 137
}

t_a_stop_timeout_of_0_kills_at_once() {
	local rc=0 from
	"$O/vpod" --dir="$DATA" run --rm $machine --stop-timeout=0s "$img" -- \
		sh -c 'trap "" TERM; echo up; sleep 60' >log 2>&1 &
	pid=$!
	until_true 60 grep -q up log
	from=$SECONDS
	kill -TERM $pid
	wait $pid || rc=$?
	is status $rc 137
	[ $((SECONDS - from)) -le "$(slow 3)" ] || fail "it took $((SECONDS - from)) s"
}

t_stop_force_ends_the_vm_at_once() {
	start 'trap "" TERM; echo up; while :; do sleep 0.05; done'
	vpod stop --force "$(cat uuid)"
	ended 137
	is "a second stop is no error" "$(vpod stop "$(cat uuid)")" "\"$(cat uuid)\""
}

t_a_timeout_is_124_with_everything_gone() {
	local start=$SECONDS
	status 124 vpod run --rm $machine --timeout=$(slow 2)s --uuid-file-save=uuid "$img" -- sleep 60
	[ $((SECONDS - start)) -le "$(slow 5)" ]
	like message "$err" 'timeout'
	is "no process" "$(pgrep -f "$(cat uuid)" | wc -l)" 0
	[ ! -e "$DATA/pods/exited/$(cat uuid)" ]
}

tm() { tmux -S "$tmux_sock" "$@"; }

on_screen() { tm capture-pane -p -t v | grep -q -- "$1"; }

# A terminal of 30x100 with a shell whose prompt is READY, and its settings in stty.before.
terminal() {
	tm kill-session -t v 2>/dev/null || true # of a test that failed
	tm new-session -d -s v -x 100 -y 30 "cd $T && PS1='READY ' sh"
	until_true 10 on_screen READY
	tm send-keys -t v 'stty -a >stty.before; clear' Enter
	until_true 10 test -s stty.before
}

restored() {
	tm send-keys -t v '' Enter 'stty -a >stty.after' Enter
	until_true 10 test -s stty.after
	diff <(grep -v columns stty.before) <(grep -v columns stty.after)
	tm kill-session -t v
}

run_in_terminal() {
	tm send-keys -t v "$O/vpod --dir=$DATA run -it $machine --uuid-file-save=uuid $img -- sh; echo st''=\$?" Enter
	until_true 30 on_screen '/ #'
}

t_a_terminal_follows_resizes_and_is_given_back() {
	terminal
	run_in_terminal
	tm send-keys -t v 'echo size=$(stty size)' Enter
	until_true 10 on_screen 'size=30 100'
	tm resize-window -t v -x 120 -y 40
	tm send-keys -t v 'until [ "$(stty size)" = "40 120" ]; do sleep 0.1; done; echo re""sized' Enter
	until_true 10 on_screen 'resized'
	tm send-keys -t v 'exit 9' Enter
	until_true 10 on_screen st=9
	restored
}

t_a_terminal_is_given_back_when_the_supervisor_is_killed() {
	terminal
	run_in_terminal
	kill -9 "$(pgrep -of "vpod --dir=$DATA run -it")"
	until_true 10 on_screen st=137
	restored
}

t_a_terminal_is_given_back_when_the_hypervisor_is_killed() {
	terminal
	run_in_terminal
	kill -9 "$(pgrep -P "$(pgrep -of "vpod --dir=$DATA run -it")")"
	until_true 10 on_screen st=125
	until_true 10 on_screen 'vmm-crash'
	restored
}

# Guards of terminals included.
no_vpod() { ! pgrep -f -- "vpod --dir=$DATA " >/dev/null; }

t_a_terminal_that_closes_ends_its_pod() {
	terminal
	run_in_terminal
	tm kill-session -t v
	until_true 15 no_vpod
	is state "$(vpod status "$(cat uuid)" | head -n 1)" state=exited
}

t_a_terminal_needs_a_terminal() {
	status 125 vpod run -it $machine "$img" -- sh
	like message "$err" 'cannot use -t: standard input is not a terminal'
}

tap_run "$@"
