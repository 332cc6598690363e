#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The pod's life: prepare, run-prepared, list, status, logs, cat-manifest, rm, gc, --rm.
. "$(dirname "$0")/../lib.sh"
make_busybox "$FILE_TMP/bb"
import_kernels
img=dir:$FILE_TMP/bb

clear_pods() { vpod gc --grace-period=0s --expire-prepared=0s; }

t_a_prepared_pod_runs_once() {
	local u
	u=$(vpod prepare "$img" --name=one -- sh -c 'echo ran; exit 4')
	is state "$(vpod status "$u" | head -n 1)" state=prepared
	status 4 vpod run-prepared $machine "${u%%-*}"
	is stdout "$out" ran
	status 125 vpod run-prepared $machine "$u"
	like message "$err" 'it is exited, not prepared'
	is app "$(vpod status "$u" | grep ^app-)" app-one=4
	vpod rm "$u"
}

t_status_tells_in_rkts_order() {
	local u
	vpod run $machine --uuid-file-save=u "$img" --name=x -- true
	u=$(cat u)
	is keys "$(vpod status "$u" | cut -d= -f1 | tr '\n' ' ')" \
		"state created started networks pid exited app-x reason "
	vpod status --wait=10s --uuid-file=u >/dev/null
	is json "$(vpod status --format=json "$u" | jq -c '[.name, .state, .app_names, .apps[0].exit_code, .reason]')" \
		"[\"$u\",\"exited\",[\"x\"],0,\"exited\"]"
	clear_pods
}

t_status_tells_why_a_pod_ended() {
	status 124 vpod run $machine --timeout=1s --uuid-file-save=u "$img" -- sleep 60
	is "last lines" "$(vpod status --uuid-file=u | tail -n 2)" \
		$'reason=timeout\nmessage=the pod ran into its time-out'
	is json "$(vpod status --format=json --uuid-file=u | jq -r .message)" 'the pod ran into its time-out'
	status 127 vpod run $machine --uuid-file-save=u "$img" --name=x -- no-such-program
	like message "$(vpod status --uuid-file=u | tail -n 1)" '^message=app x: .*no-such-program'
	status 137 vpod run $machine --uuid-file-save=u "$img" --name=x -m 16Mi -- tail /dev/zero
	is message "$(vpod status --uuid-file=u | tail -n 1)" 'message=app x ran out of memory'
	clear_pods
}

exited() { vpod status --uuid-file=u | grep -q '^state=exited'; }
running() { vpod status --uuid-file=u 2>/dev/null | grep -q '^state=running'; }

t_an_exited_pod_keeps_no_running_files() {
	local pid
	vpod run $machine --uuid-file-save=u "$img" -- true
	is files "$(ls "$DATA/pods/exited/$(cat u)" | tr '\n' ' ')" \
		'console.log lock log manifest.json scratch.img status.json '
	clear_pods
	"$O/vpod" --dir="$DATA" run $machine --uuid-file-save=u "$img" -- sleep 60 &
	pid=$!
	until_true 20 running
	# its directory says so a moment before its status does
	until_true 20 test -e "$DATA/pods/run/$(cat u)/status.json"
	kill -9 $pid
	wait $pid || true # it was killed
	until_true 5 exited
	vpod gc
	is "files after a kill" "$(ls "$DATA/pods/exited/$(cat u)" | tr '\n' ' ')" \
		'console.log lock log manifest.json scratch.img status.json '
	clear_pods
}

t_list_has_a_row_for_each_app() {
	local u
	u=$(vpod prepare "$img" --name=a -- true --- "$img" --name=b -- true)
	is heading "$(vpod list | head -n 1 | tr -s ' ')" "UUID APP IMAGE NAME STATE CREATED STARTED NETWORKS"
	is rows "$(vpod list --no-legend | wc -l)" 2
	like row "$(vpod list --no-legend | head -n 1)" "^${u%%-*} +a +$img +prepared +"
	like full "$(vpod list --no-legend --full | head -n 1)" "^$u +a +$img +sha256:[0-9a-f]{64} +prepared +"
	vpod list --format=json | jq -e '.[0].apps | length == 2' >/dev/null
	clear_pods
}

t_logs_keep_what_was_said() {
	vpod run $machine --uuid-file-save=u "$img" -- sh -c 'echo out; echo err >&2; printf end' \
		>/dev/null 2>&1
	status 0 vpod logs --uuid-file=u
	is stdout "$out" $'out\nend'
	is stderr "$err" err
	like stored "$(vpod logs --timestamps --uuid-file=u 2>/dev/null | head -n 1)" \
		'^20[0-9T:.-]+Z stdout F out$'
	clear_pods
}

t_the_boot_console_is_kept() {
	vpod run $machine --debug --uuid-file-save=u "$img" -- true 2>/dev/null
	like console "$(vpod logs --boot --uuid-file=u)" 'Linux version'
	clear_pods
}

t_cat_manifest_is_a_pod_manifest() {
	local u
	u=$(vpod prepare "$img" --name=m -e A=b --memory=64Mi -- echo "with space")
	is manifest "$(vpod cat-manifest "$u" | jq -c '[.acKind, .apps[0].name, .apps[0].app.exec,
		.apps[0].app.isolators[0].value.limit]')" \
		'["PodManifest","m",["echo","with space"],"67108864"]'
	clear_pods
}

t_rm_refuses_a_running_pod() {
	local u
	"$O/vpod" --dir="$DATA" run $machine --uuid-file-save=u "$img" -- sleep 60 &
	until_true 20 grep -q state=running <(until vpod status --uuid-file=u 2>/dev/null; do sleep 0.1; done)
	u=$(cat u)
	status 125 vpod rm "$u"
	like message "$err" 'it is running'
	vpod stop --force "$u"
	wait || true # stopped by force
	vpod rm "$u"
	status 125 vpod status "$u"
	like message "$err" 'no matches found'
}

t_rm_option_leaves_nothing() {
	status 0 vpod run --rm $machine "$img" -- true
	is pods "$(find "$DATA/pods" -mindepth 2 -maxdepth 2)" ""
}

t_an_unclear_uuid_is_refused() {
	status 125 vpod status 'not-a-uuid'
	status 125 vpod status 00000000
	like message "$err" 'no matches found for "00000000"'
}

t_gc_respects_the_grace_period() {
	vpod run $machine "$img" -- true
	vpod gc
	is pods "$(vpod list --no-legend | wc -l)" 1
	vpod gc --mark-only --grace-period=0s
	is marked "$(find "$DATA/pods/garbage" -mindepth 1 -maxdepth 1 | wc -l)" 1
	clear_pods
	is left "$(find "$DATA/pods" -mindepth 2 -maxdepth 2)" ""
}

t_timing_is_json() {
	status 0 vpod run --rm $machine --timing=json "$img" -- true
	jq -e '.total > .kernel and .kernel > 0 and .app >= 0' <<<"$err" >/dev/null
}

t_a_dry_run_starts_nothing() {
	status 0 vpod run --dry-run $machine "$img" -- true
	like argv "$out" 'qemu-system-x86_64|vpod-vmm'
	like cmdline "$out" 'command line: console=ttyS0'
	is pods "$(find "$DATA/pods" -mindepth 2 -maxdepth 2)" ""
}

t_many_pods_at_once_keep_apart() {
	local i rc pids=()
	for i in 1 2 3 4 5 6; do
		"$O/vpod" --dir="$DATA" run $machine "$img" --name="n$i" -- \
			sh -c "echo of $i; exit $i" >"out$i" 2>"err$i" &
		pids+=($!)
	done
	for i in 1 2 3 4 5 6; do
		rc=0
		wait "${pids[i - 1]}" || rc=$?
		is "status of $i" $rc "$i"
		is "output of $i" "$(cat "out$i")" "of $i"
		is "errors of $i" "$(cat "err$i")" ""
	done
	is statuses "$(vpod list --format=json | jq -c '[.[].apps[0] | {name, exit_code}] | sort_by(.name) | map(.exit_code)')" \
		'[1,2,3,4,5,6]'
	clear_pods
}

t_status_waits_for_the_end() {
	local pid rc=0
	"$O/vpod" --dir="$DATA" run $machine --uuid-file-save=u "$img" --name=w -- sh -c 'echo said; sleep 1; exit 5' \
		>log &
	pid=$!
	until_true 20 running
	is "while it runs" "$(vpod status --format=json --uuid-file=u | jq -c '[.state, .apps[0].exit_code]')" \
		'["running",null]'
	like row "$(vpod list --no-legend)" ' +w +.* running '
	until_true 20 grep -q said log
	is "logs of a running pod" "$(vpod logs --uuid-file=u)" said
	vpod status --wait --uuid-file=u >after
	like "after the wait" "$(cat after)" '^app-w=5$'
	wait "$pid" || rc=$?
	is "its status" $rc 5
	clear_pods
}

t_stop_and_rm_take_several() {
	local a b
	"$O/vpod" --dir="$DATA" run $machine --uuid-file-save=u "$img" -- sleep 60 &
	until_true 20 running
	a=$(cat u)
	"$O/vpod" --dir="$DATA" run $machine --uuid-file-save=v "$img" -- sleep 60 &
	until_true 20 test -s v
	b=$(cat v)
	cp v u
	until_true 20 running
	is stopped "$(vpod stop --time=1s "$a" "$b")" "\"$a\""$'\n'"\"$b\""
	status 125 vpod rm "$a" 00000000 "$b"
	like message "$err" 'no matches found for "00000000"'
	is "the others went" "$(find "$DATA/pods" -mindepth 2 -maxdepth 2)" ""
	wait
}

tap_run "$@"
