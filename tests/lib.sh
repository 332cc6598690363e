# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# TAP for tests in bash: source it, define functions named t_<behaviour>, end with 'tap_run'.
#
# Each t_ function runs in a subshell with errexit, in a directory of its own ($T), against a data
# directory shared by the file ($DATA).  It fails when it returns non-zero; 'skip WHY' skips it.
# What it prints is shown only when it fails.
#
# VPOD_TEST_HYPERVISOR, VPOD_TEST_ACCEL: what pods run on (default: qemu with tcg).
# VPOD_TEST_SLOW: by how much this machine is slower than one where pods start in half a second.
set -uo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
O=${O:-$TOP/build}
CACHE=${VPOD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/vpod}
export LC_ALL=C.UTF-8
# Options of run and run-prepared, as words: never quoted.
machine="--accel=${VPOD_TEST_ACCEL:-tcg}${VPOD_TEST_HYPERVISOR:+ --hypervisor=$VPOD_TEST_HYPERVISOR}"

FILE_TMP=$(mktemp -d "${TMPDIR:-/tmp}/vpod-test.XXXXXX")
DATA=$FILE_TMP/data
cleanup_hooks=()

# The command under test, with the file's data directory.
vpod() {
	"$O/vpod" --dir="$DATA" "$@"
}

# at_exit 'command': in reverse order, when the file ends however it ends.
at_exit() {
	cleanup_hooks+=("$1")
}

# Pods that a failed test left running: supervisors whose arguments name this file's directory, each
# by its pid.  Their hypervisors die with them.
kill_leftovers() {
	local pid
	for pid in $(pgrep -x vpod); do
		if tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -q -- "^--dir=$FILE_TMP/"; then
			kill -9 "$pid"
		fi
	done
}

on_exit() {
	local i
	kill_leftovers
	for ((i = ${#cleanup_hooks[@]} - 1; i >= 0; i--)); do
		eval "${cleanup_hooks[i]}"
	done
	rm -rf "$FILE_TMP"
}
trap on_exit EXIT
trap 'exit 130' INT TERM

skip() {
	echo "SKIP $*" >"$T/.skip"
	exit 77
}

fail() {
	echo "FAILED: $*"
	exit 1
}

# is WHAT GOT WANTED
is() {
	[ "$2" = "$3" ] || fail "$1: got '$2', wanted '$3'"
}

# like WHAT TEXT PATTERN (extended regular expression)
like() {
	grep -Eq -- "$3" <<<"$2" || fail "$1: '$2' does not match '$3'"
}

# status N COMMAND...: the command must end with exit status N; its output is in $out and $err.
status() {
	local want=$1 got=0
	shift
	"$@" >"$T/out" 2>"$T/err" </dev/null || got=$?
	out=$(cat "$T/out")
	err=$(cat "$T/err")
	[ "$got" = "$want" ] || fail "'$*' ended with $got, wanted $want; it said: $out $err"
}

# slow SECONDS: as many as that takes on this machine.
slow() {
	echo $(($1 * ${VPOD_TEST_SLOW:-1}))
}

# until_true SECONDS COMMAND...: waits for a condition, with a deadline.
until_true() {
	local end=$((SECONDS + $(slow "$1")))
	shift
	until "$@"; do
		[ $SECONDS -lt "$end" ] || fail "not true in time: $*"
		sleep 0.05
	done
}

# A small image from busybox-static at $1, as a directory.
make_busybox() {
	mkdir -p "$1"/bin "$1"/etc "$1"/tmp "$1"/root "$1"/home/u
	cp /bin/busybox "$1"/bin/busybox
	# one process for 400 links
	"$1"/bin/busybox --list | perl -ne 'chomp; symlink "busybox", "$d/$_"; BEGIN { $d = shift }' "$1/bin"
	printf 'root:x:0:0:root:/root:/bin/sh\nu:x:1000:1001:u:/home/u:/bin/sh\n' >"$1"/etc/passwd
	printf 'root:x:0:\nu:x:1001:\nextra:x:1002:u\n' >"$1"/etc/group
	chown 1000:1001 "$1"/home/u
	chmod 1777 "$1"/tmp
}

# Whether the programs under test are of a sanitizer build, which takes more memory.
is_sanitized() { ldd "$O/vpod" | grep -q libasan; }

# The tuned kernel's directory; builds it when the cache is empty.  VPOD_TEST_TUNED names it where
# looking for it would take long.
tuned_kernel() {
	if [ -n "${VPOD_TEST_TUNED:-}" ]; then
		echo "$VPOD_TEST_TUNED"
	else
		"$TOP"/kernel-config/build | tail -n 1
	fi
}

# The data directory gets the tuned kernel and, on request, Debian's: import_kernels [6.1-cloud] ...
# VPOD_TEST_KERNELS: a directory of kernels that is taken instead, as it is.
import_kernels() {
	local k
	if [ -n "${VPOD_TEST_KERNELS:-}" ]; then
		mkdir -p "$DATA"
		ln -s "$VPOD_TEST_KERNELS" "$DATA/kernels"
		return
	fi
	vpod kernel import "$(tuned_kernel)" >/dev/null
	for k in "$@"; do
		vpod kernel import "$("$TOP"/tools/get-kernels "$k" | tail -n 1)" --name="debian-$k" \
			>/dev/null
	done
}

tap_run() {
	local names t n=0 rc failed=0
	names=$(declare -F | awk '$3 ~ /^t_/ { print $3 }')
	[ $# -eq 0 ] || names=$(printf 't_%s\n' "$@")
	echo "1..$(wc -w <<<"$names")"
	for t in $names; do
		n=$((n + 1))
		T=$FILE_TMP/$t
		mkdir -p "$T"
		(
			set -e
			cd "$T"
			"$t"
		) >"$T/.log" 2>&1
		rc=$?
		case $rc in
		0) echo "ok $n - ${t#t_}" ;;
		77) echo "ok $n - ${t#t_} # $(cat "$T/.skip" 2>/dev/null || echo SKIP no reason given)" ;;
		*)
			failed=1
			echo "not ok $n - ${t#t_}"
			sed 's/^/#   /' "$T/.log" | tail -n 40
			;;
		esac
		rm -rf "$T"
	done
	exit $failed
}
