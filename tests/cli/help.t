#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The help of every command: golden, the same however it is asked for, and complete in the manual.
# Needs neither root nor KVM nor a kernel.  'make golden' writes tests/golden/ anew.
cd "$(dirname "$0")/../.." || exit 99
O=$(realpath "${O:-build}")
. tests/lib.sh

GOLDEN=$TOP/tests/golden/help

# Names of all commands, one a line: "image list".
commands() {
	"$O/vpod" help | sed -n '/^Commands:/,/^$/p' | sed -nE 's/^  ([a-z-]+( [a-z-]+)?)  +.*/\1/p'
}

# The long options of a help text on standard input, without dashes.
options_of() {
	sed -nE 's/^ +(-., )?--([a-z-]+).*/\2/p'
}

# The page of a command: of its own, or its group's; version and help are in vpod(1).
page_of() {
	case $1 in
	version | help) echo vpod ;;
	*) echo "vpod-${1%% *}" ;;
	esac
}

# The text of page $1, one line, without formatting.
page_text() {
	man -E UTF-8 -l "$O/man/$1.1" 2>/dev/null | col -bx
}

need_pages() {
	command -v scdoc >/dev/null || skip "scdoc is not installed"
	command -v man >/dev/null || skip "man is not installed"
	command -v col >/dev/null || skip "col is not installed (bsdextrautils)"
	make -s -C "$TOP" O="$O" man >/dev/null || fail "make man"
}

compare() {
	[ -f "$GOLDEN/$1.txt" ] || fail "no golden file $GOLDEN/$1.txt: make golden"
	diff -u "$GOLDEN/$1.txt" - || fail "the help of $1 changed; if it is meant: make golden"
}

t_commands_are_found_in_the_help() {
	[ "$(commands | wc -l)" -ge 24 ] || fail "only: $(commands)"
	is "the commands' own table" "$(commands | wc -l)" \
		"$(sed -n '/cmds\[\] = {/,/^};/p' "$TOP/stage0/cmds.c" | grep -c '&cmd_')"
}

t_help_is_golden() {
	local c
	"$O/vpod" help | compare vpod
	commands | while read -r c; do
		# shellcheck disable=SC2086 # "image list" is two words
		"$O/vpod" $c --help | compare "${c// /-}"
	done
}

t_golden_has_no_leftovers() {
	local want
	want=$({ echo vpod; commands | tr ' ' '-'; } | sort)
	is "files" "$(cd "$GOLDEN" && printf '%s\n' *.txt | sed 's/\.txt$//' | sort)" "$want"
}

t_help_is_the_same_however_asked() {
	local c
	is "vpod --help" "$("$O/vpod" --help)" "$("$O/vpod" help)"
	is "vpod -h" "$("$O/vpod" -h)" "$("$O/vpod" help)"
	commands | while read -r c; do
		# shellcheck disable=SC2086
		is "help $c" "$("$O/vpod" help $c)" "$("$O/vpod" $c --help)"
		# shellcheck disable=SC2086
		is "$c -h" "$("$O/vpod" $c -h)" "$("$O/vpod" $c --help)"
	done
}

t_help_needs_no_data_directory() {
	status 0 "$O/vpod" --dir=/proc/nonexistent run --help
	is "standard error" "$err" ""
}

t_unknown_option_names_the_nearest() {
	local c opt
	commands | while read -r c; do
		# shellcheck disable=SC2086
		opt=$("$O/vpod" $c --help | options_of | awk 'length > 3 { print; exit }')
		[ -n "$opt" ] || continue
		# shellcheck disable=SC2086
		status 125 "$O/vpod" --dir="$T/none" $c "--${opt}x"
		like "$c --${opt}x" "$err" "^vpod: cannot use --${opt}x: no such option"
		like "$c --${opt}x" "$err" "^hint: did you mean --$opt\\?"
		is "standard output" "$out" ""
	done
}

t_unknown_global_option_names_the_nearest() {
	status 125 "$O/vpod" --dirr=/x list
	like "message" "$err" '^hint: did you mean --dir\?'
}

t_unknown_command_names_the_nearest() {
	status 125 "$O/vpod" --dir="$T/none" rnu
	like "message" "$err" "^vpod: cannot run 'rnu': no such command"
	like "hint" "$err" "^hint: did you mean 'run'\\?"
	status 125 "$O/vpod" --dir="$T/none" image lst
	like "hint" "$err" "^hint: did you mean 'image list'\\?"
}

t_help_of_an_unknown_command_is_one_message() {
	status 125 "$O/vpod" help nonsense
	is "lines" "$(wc -l <"$T/err")" 2
	is "standard output" "$out" ""
}

t_every_command_has_a_page() {
	local c p text
	need_pages
	commands | while read -r c; do
		p=$(page_of "$c")
		[ -s "$O/man/$p.1" ] || fail "vpod $c has no page $p(1)"
		text=$(page_text "$p")
		like "$p(1)" "$text" "vpod $c"
	done
}

t_every_option_has_an_entry_in_its_page() {
	local c opt text
	need_pages
	commands | while read -r c; do
		text=$(page_text "$(page_of "$c")")
		# shellcheck disable=SC2086
		"$O/vpod" $c --help | options_of | while read -r opt; do
			grep -Eq -- "^ +(-., )?--$opt([=[]|\$)" <<<"$text" ||
				fail "$(page_of "$c")(1) has no entry for --$opt of $c"
		done
	done
	text=$(page_text vpod)
	"$O/vpod" --help | options_of | while read -r opt; do
		grep -Eq -- "^ +(-., )?--$opt([=[]|\$)" <<<"$text" || fail "vpod(1) has no entry for --$opt"
	done
}

t_pages_name_no_option_that_is_not_there() {
	local p known opt
	need_pages
	known=$({
		"$O/vpod" --help
		commands | while read -r c; do
			# shellcheck disable=SC2086
			"$O/vpod" $c --help
		done
		"$O/vpod-vmm" --help # vpod-vmm(1) is its page too
	} | options_of | sort -u)
	for p in "$TOP"/docs/man/*.scd; do
		# one to a line; what other programs take is written with one dash
		sed -E 's/(^|[[:space:]*_(])--([a-z][a-z-]+)/\nREF \2\n/g' "$p" | sed -n 's/^REF //p' | sort -u |
			while read -r opt; do
				grep -qx -- "$opt" <<<"$known" || fail "${p##*/} speaks of --$opt"
			done
	done
}

t_pages_refer_to_pages_that_are_there() {
	local p ref
	need_pages
	for p in "$TOP"/docs/man/*.scd; do
		sed -E 's/\*(vpod[a-z-]*)\*\(1\)/\nREF \1\n/g' "$p" | sed -n 's/^REF //p' | sort -u | while read -r ref; do
			[ -s "$O/man/$ref.1" ] || fail "${p##*/} refers to $ref(1)"
		done
	done
}

t_groff_has_nothing_to_say() {
	local p
	command -v groff >/dev/null || skip "groff is not installed"
	need_pages
	for p in "$O"/man/*.1; do
		groff -man -Tutf8 -Kutf8 -t -ww "$p" 2>&1 >/dev/null | grep -v 'cannot adjust\|cannot break' |
			grep . && fail "$p"
	done
	true
}

tap_run "$@"
