# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For tests that change networks: the whole file runs in a network and mount namespace of its own,
# with its own /run and /var/lib.  Nothing of the host's network is touched, and nothing is left.
# Source it before tests/lib.sh, with the file's arguments.
CNI=/usr/lib/cni

if [ "${VPOD_TEST_NETNS:-}" != "$PPID" ] && [ "$(id -u)" = 0 ] && unshare -nm true 2>/dev/null; then
	# bash -c stays as the parent whose pid the inner one checks: the variable alone would be
	# believed when it leaks into another environment
	exec unshare -nm --propagation private bash -c '
		mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && ip link set lo up || exit 99
		VPOD_TEST_NETNS=$$ "$0" "$@"
		exit $?' "$0" "$@"
fi

# Nothing of an earlier test that failed halfway is there.
wipe_network() {
	local l
	[ ! -d /run/netns ] || ip -all netns del
	for l in $(links); do
		! ip link show "$l" >/dev/null 2>&1 || ip link del "$l"
	done
	nft flush ruleset
	rm -rf /var/lib/cni
}

# need PLUGIN...: in namespaces of our own, nothing there, and plugins that there are.
need() {
	local p
	[ "${VPOD_TEST_NETNS:-}" = "$PPID" ] || skip "network namespaces need root"
	wipe_network
	for p in "$@"; do
		[ -x "$CNI/$p" ] || skip "$CNI/$p is not there (containernetworking-plugins)"
	done
}

# need_link TYPE [ARGS]: the kernel has links of that type.
need_link() {
	ip link add vpodprobe0 type veth peer name vpodprobe1
	if ! ip link add link vpodprobe0 name vpodprobe2 type "$@" 2>/dev/null; then
		ip link del vpodprobe0
		skip "this kernel has no links of type $1"
	fi
	ip link del vpodprobe2
	ip link del vpodprobe0
}

# Network namespaces that go with the test, in /run/netns, which is the file's own.
netns() {
	local n
	for n in "$@"; do
		ip netns add "$n"
	done
}

inside() { ip netns exec "$@"; }

# What a network left on the host's side: links but lo, the plugins' own bridges apart; rules.
links() { ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/\1/' | grep -v '^lo$'; }
rules() { iptables-save 2>/dev/null | grep -c -- "$1"; }
leases() { find /var/lib/cni -type f -regex '.*/[0-9]+\.[0-9.]+' -printf '%f\n' 2>/dev/null | sort; }
