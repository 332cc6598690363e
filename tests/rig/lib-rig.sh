# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Tests inside a rig (tools/rig) as one TAP file: source it and call rig_tier.
#
#   rig_tier HYPERVISOR TEST...    TEST as tests/rig/run-inside takes it
#
# One rig for all of them, as a boot costs seconds.  VPOD_RIG_ARGS: more options of tools/rig.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
O=${O:-build}

# Everything is one skipped test where no rig can run.
rig_or_skip() {
	local why
	if ! why=$(tools/rig --probe); then
		echo "1..1"
		echo "ok 1 - rig # SKIP $why"
		exit 0
	fi
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
		tools/rig --timeout="${VPOD_RIG_TIMEOUT:-840}" ${VPOD_RIG_ARGS:-} -- tests/rig/run-inside "$@" \
		2>"$tmp/err" | tee "$tmp/out"
	rc=${PIPESTATUS[0]}
	grep -q '^1\.\.' "$tmp/out" || rig_died "$tmp/out" "$rc" "$tmp/err"
	exit "$rc"
}
