# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Tests inside a rig (tools/rig) as one TAP file: source it and call rig_tier.
#
#   rig_tier HYPERVISOR TEST...    TEST as tests/rig/run-inside takes it; rig_tests prints the usual
#
# One rig for all of them, as a boot costs seconds.  VPOD_TEST_FULL=1: all tests, about 10 minutes,
# else some of each kind, about 3.  VPOD_RIG_ARGS: more options of tools/rig.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
O=${O:-build}

# Not in the rig: guest.t is about TCG itself, kernels.t and image-tree.t import hundreds of megabytes,
# and a console flood is a VM exit for each byte of a megabyte.
rig_tests() {
	echo rig/inside/host
	if [ "${VPOD_TEST_FULL:-0}" = 1 ]; then
		printf 'boot/%s\n' smoke exit ends options stdio signals life jail bad-input crash
		echo boot/faults:"$(sed -n 's/^t_\(.*\)() {$/\1/p' tests/boot/faults.t | grep -v console_flood | paste -sd,)"
		return
	fi
	cat <<-'END'
		boot/exit
		boot/ends
		boot/jail
		boot/stdio:bytes_pass_through_pipes_unchanged,output_and_errors_stay_apart,half_close_works
		boot/signals:sigterm_reaches_the_app,stop_force_ends_the_vm_at_once,a_timeout_is_124_with_everything_gone,a_terminal_follows_resizes_and_is_given_back
		boot/life:a_prepared_pod_runs_once,many_pods_at_once_keep_apart,timing_is_json
		boot/faults:a_guest_that_stands_still_can_be_stopped_by_force
		boot/crash:a_killed_supervisor_takes_the_vm_with_it,a_killed_hypervisor_is_a_vmm_crash,what_was_fsynced_survives_a_killed_hypervisor,two_collectors_at_once_do_not_hinder_each_other
	END
}

# Everything is one skipped test where no rig can run, and a failed one where the rig is broken.
rig_or_skip() {
	local why rc=0
	why=$(tools/rig --probe 2>&1) || rc=$?
	case $rc in
	0) return ;;
	77) echo "ok 1 - rig # SKIP $why" ;;
	*) echo "not ok 1 - tools/rig --probe ended with $rc: $why" ;;
	esac
	echo "1..1"
	exit $((rc != 77))
}

# rig_debian SERIES-FLAVOUR: pods of vpod-vmm with Debian's kernel of that name; long, so only with
# VPOD_TEST_FULL=1.
rig_debian() {
	local kernels deb why
	if [ "${VPOD_TEST_FULL:-0}" != 1 ]; then
		echo "1..1"
		echo "ok 1 - pods with Debian's $1 kernel # SKIP only with VPOD_TEST_FULL=1 (make test-all)"
		exit 0
	fi
	rig_or_skip
	kernels=$(realpath "$O")/rig-kernels/$1 # the rig sees it, unlike /tmp
	rm -rf "$kernels"
	mkdir -p "$kernels"
	why=$(tools/get-kernels "$1" 2>&1 >"$kernels/deb") || {
		echo "1..1"
		echo "ok 1 - pods with Debian's $1 kernel # SKIP it is not to be had: ${why##*$'\n'}"
		exit 0
	}
	deb=$(tail -n 1 "$kernels/deb")
	"$O/vpod" --dir="$kernels" kernel import "$deb" --name=debian >/dev/null || exit 1
	export VPOD_TEST_KERNELS=$kernels/kernels
	rig_tier kvm boot/exit boot/ends boot/smoke \
		boot/stdio:bytes_pass_through_pipes_unchanged,output_and_errors_stay_apart,half_close_works \
		boot/signals:sigterm_reaches_the_app,stop_force_ends_the_vm_at_once \
		boot/crash:a_killed_hypervisor_is_a_vmm_crash,what_was_fsynced_survives_a_killed_hypervisor
}

# The machine died or ran out of time: a failure of its own, and the plan that is owed.
rig_died() {
	local ran
	ran=$(grep -cE '^(not )?ok ' "$1")
	echo "not ok $((ran + 1)) - the rig ended with $2 before the tests did"
	sed 's/^/# /' "$3" | tail -n 40
	echo "1..$((ran + 1))"
}

rig_tier() {
	local hypervisor=$1 tmp rc=0
	shift
	rig_or_skip
	tmp=$(mktemp -d "${TMPDIR:-/tmp}/vpod-rig.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	VPOD_TEST_TUNED=$(kernel-config/build 2>"$tmp/kernel" | tail -n 1)
	export VPOD_TEST_TUNED
	# pods start in 2 s instead of half a second
	VPOD_TEST_HYPERVISOR=$hypervisor VPOD_TEST_ACCEL=kvm VPOD_TEST_SLOW=4 VPOD_TEST_FULL=0 \
		tools/rig --timeout="$((${VPOD_TEST_TIMEOUT:-900} - 60))" ${VPOD_RIG_ARGS:-} -- tests/rig/run-inside "$@" \
		2>"$tmp/err" | tee "$tmp/out"
	rc=${PIPESTATUS[0]}
	grep -q '^1\.\.' "$tmp/out" || rig_died "$tmp/out" "$rc" "$tmp/err"
	exit "$rc"
}
