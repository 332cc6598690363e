#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Command lines that are wrong: told by themselves, in the words that were typed, before the host is
# looked at or anything is fetched.  Boots nothing.
cd "$(dirname "$0")/../.." || exit 99
O=$(realpath "${O:-build}")
. tests/lib.sh

mkdir -p "$FILE_TMP/one/bin"
echo one >"$FILE_TMP/one/bin/app"
img=dir:$FILE_TMP/one

# refused MESSAGE ARGS…: this message alone, maybe with a hint; nothing is made.
refused() {
	local want=$1
	shift
	status 125 "$O/vpod" --dir="$T/none" "$@"
	is message "$(head -n 1 <<<"$err")" "vpod: $want"
	is "lines besides it" "$(tail -n +2 <<<"$err" | grep -vc '^hint: ')" 0
	is "standard output" "$out" ""
	[ ! -e none ] || fail "'$*' made a data directory"
}

hinted() { is hint "$(sed -n 's/^hint: //p' <<<"$err")" "$1"; }

t_zero_is_refused_where_it_means_nothing() {
	refused 'cannot use --vm-cpus=0: a VM has 1 to 16 CPUs' run --vm-cpus=0 "$img" -- app
	refused 'cannot use --boot-timeout=0s: a guest needs time to boot' run --boot-timeout=0s "$img" -- app
	refused 'cannot use --vm-memory=0: a VM needs at least 64 MiB of memory' run --vm-memory=0 "$img" -- app
	refused 'cannot use --vm-cpus=0: a VM has 1 to 16 CPUs' run-prepared --vm-cpus=0 00000000
}

t_values_are_refused_by_the_name_that_was_typed() {
	refused 'cannot use --cpu=17: a VM has at most 16 CPUs' run "$img" --cpu=17 -- app
	refused 'cannot use --cpus=17: a VM has at most 16 CPUs' run "$img" --cpus=17 -- app
	refused 'cannot use --read-only=maybe: it takes true or false' run "$img" --read-only=maybe -- app
	refused 'cannot use --readonly-rootfs=maybe: it takes true or false' run "$img" --readonly-rootfs=maybe
	refused 'cannot use --rm=maybe: it takes true or false' run --rm=maybe "$img"
	refused "cannot use -m 1: a memory limit below 4096 bytes leaves nothing to run in" run "$img" -m 1
	refused "cannot use --memory: cannot read size 'lots': not a number with a unit" run "$img" --memory=lots
}

t_host_names_are_of_rfc_1123() {
	local name long
	long=$(printf 'h%.0s' {1..64})
	for name in 'a b' a_b -a a- a..b .a a. "$long" '' 'ä' 'a/b'; do
		refused "cannot use --hostname=$name: it is no host name" run --hostname="$name" "$img" -- app
	done
	for name in a A1 a-b a.b.c 0 "${long:1}"; do
		status 0 vpod prepare --hostname="$name" "$img" -- app
	done
}

t_what_needs_no_image_is_told_before_the_image() {
	local none=dir:$T/not-there
	refused 'cannot use --volume=v: kind= is missing' run --volume=v "$none" -- app
	refused 'cannot use --mount=volume=v,target=/x: the pod has no volume of that name' \
		run "$none" --mount=volume=v,target=/x -- app
	refused "cannot name an app 'Big'" run "$none" --name=Big -- app
	refused "cannot run two apps named 'a' in one pod" run "$none" --name=a -- app --- "$none" --name=a
	refused 'cannot use --environment==x: no name before '"'='" run "$none" -e =x -- app
	refused 'cannot use working directory x: not an absolute path' run "$none" -w x -- app
	refused "cannot use pull policy 'often': not never, new or update" run --pull-policy=often "$none"
	refused 'cannot use --timing=xml: it is text or json' run --timing=xml "$none"
	refused 'cannot use --timing=xml: it is text or json' run-prepared --timing=xml 00000000
	refused 'cannot use --accel=warp: it is auto, kvm or tcg' run-prepared --accel=warp 00000000
}

# Without --accel=tcg: the warning of hosts without KVM must not come before an error.
t_no_warning_stands_before_an_error() {
	status 125 vpod run "dir:$T/not-there" -- app
	is warnings "$(grep -c warning <<<"$err")" 0
	status 125 vpod run --kernel=none-such "$img" -- app
	like message "$(head -n 1 <<<"$err")" "^vpod: cannot .*none-such"
}

t_a_kernel_that_is_not_there_is_not_prepared_for() {
	status 125 vpod prepare --kernel=none-such "$img" -- app
	like message "$(head -n 1 <<<"$err")" "^vpod: cannot .*none-such"
	[ ! -e "$DATA/pods" ] || is pods "$(find "$DATA/pods" -mindepth 2 -maxdepth 2 | grep -c aborted)" 0
}

t_too_many_words_are_told_with_the_usage() {
	refused "cannot run 'list': it takes no arguments" list x
	hinted 'usage: vpod list'
	refused "cannot run 'status': it takes 1 argument, not 2" status a b
	hinted 'usage: vpod status UUID'
	refused "cannot run 'image gc': it takes no arguments" image gc x
	! grep -rq ' $' <<<"$err" || fail "a line ends in a space"
}

t_groups_tell_their_commands() {
	local g
	for g in image kernel; do
		status 0 "$O/vpod" help $g
		is "commands of $g" "$(grep -c "^  $g " <<<"$out")" "$(grep -c "&cmd_${g}_" "$TOP/stage0/cmds.c")"
		is "$g --help" "$("$O/vpod" $g --help)" "$out"
		is "$g -h" "$("$O/vpod" $g -h)" "$out"
	done
	refused "cannot run 'image': it needs a subcommand" image
	hinted "'vpod help image' lists them"
	refused "cannot help with 'image list extra': no such command" help image list extra
}

t_the_version_is_told_behind_a_command_too() {
	local v
	v=$("$O/vpod" --version)
	is "list --version" "$("$O/vpod" list --version)" "$v"
	is "run --version" "$("$O/vpod" run --version)" "$v"
	is "image gc --version" "$("$O/vpod" image gc --version)" "$v"
}

t_called_as_rkt_it_speaks_of_rkt() {
	ln -s "$O/vpod" rkt
	like version "$(./rkt version | head -n 1)" '^rkt Version: '
	like usage "$(./rkt run --help | head -n 1)" '^Usage: rkt run '
	is "help that names vpod" "$({ ./rkt help; ./rkt help image; ./rkt run --help; } | grep -c "vpod \(run\|help\|COMMAND\|kernel\|image\)")" 0
	status 254 ./rkt --dir="$T/none" frobnicate
	is message "$err" $'rkt: cannot run \'frobnicate\': no such command\nhint: \'rkt help\' lists the commands'
	status 254 ./rkt --dir="$T/none" status a b
	hinted 'usage: rkt status UUID'
	status 254 ./rkt --dir="$T/none" run --kernel=none-such "$img" -- app
	like message "$err" '^rkt: '
	is "hints that name vpod" "$(grep -c "vpod" <<<"${err//$T/}")" 0
}

# paths FILE-CONTENT: the configuration file of a directory of our own, and what vpod says of it.
paths() {
	mkdir -p c/paths.d
	echo "$1" >c/paths.d/x.json
	status "${2:-125}" "$O/vpod" --user-config="$T/c" list --no-legend
}

t_configuration_files_are_read_as_rkt_reads_them() {
	paths '{"rktKind":"paths","rktVersion":"v1","data":"'"$T/d"'"}' 0
	paths '{"rktKind":"paths","rktVersion":"v1","data":"'"$T/d"'","stage1-images":"/x"}' 0
	paths '{"rktKind":"paths","rktVersion":"v1","date":"/x"}'
	is message "$(head -n 1 <<<"$err")" "vpod: cannot use $T/c/paths.d/x.json: it has an unknown key \"date\""
	paths '{"rktKind":"paths","data":"/x"}'
	like message "$err" 'x.json: rktVersion is not "v1"$'
	paths '{"rktKind":"paths","rktVersion":"v2","data":"/x"}'
	like message "$err" 'x.json: rktVersion is not "v1"$'
	paths '{"rktVersion":"v1","data":"/x"}'
	like message "$err" 'x.json: rktKind is not "paths"$'
	paths '{"rktKind":"paths","rktVersion":"v1","data":"x"}'
	like message "$err" 'x.json: data "x" is not an absolute path$'
	paths '[]'
	like message "$err" '^vpod: cannot '
}

tap_run "$@"
