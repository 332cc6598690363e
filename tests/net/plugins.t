#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The CNI runtime with Debian's plugins, alone and chained, in network namespaces of its own.
. "$(dirname "$0")/lib-net.sh"
cd "$(dirname "$0")/../.." || exit 99
O=$(realpath "${O:-build}")
. tests/lib.sh

# cni COMMAND NETWORK NETNS IFNAME ID, with options before; the result is kept per ID and interface.
cni() {
	local o=()
	while [ "${1#-}" != "$1" ]; do
		case $1 in
		-P) o+=("$1") && shift ;;
		*) o+=("$1" "$2") && shift 2 ;;
		esac
	done
	mkdir -p net.d
	[ -z "$3" ] || set -- "$1" "$2" "/run/netns/$3" "$4" "$5"
	"$O/tests/tools/cnirun" -p "$CNI" -d net.d -r "result-$5-$4" "${o[@]}" "$@"
}

# conf NAME: a file of net.d from standard input.
conf() { mkdir -p net.d && cat >"net.d/$1"; }

addr() { inside "$1" ip -o "-${3:-4}" addr show dev "$2" scope global | sed -E 's/.* inet6? ([^ ]*).*/\1/'; }

pings() { inside "$1" ping -q -c 1 -W 5 "$2"; }

gone() {
	is "links" "$(links)" "${1:-}"
	is "leases" "$(leases)" ""
}

# A server in netns $1 at port $2 that answers each connection with $3.
serve() {
	inside "$1" perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 8, ReuseAddr => 1) or die;
		while (my $c = $s->accept) { print $c $ARGV[1]; close $c }' "$2" "$3" &
	at_end="${at_end:-} $!"
	# shellcheck disable=SC2064 # the pid of now
	trap "kill $at_end" EXIT
	until_true 10 listens "$1" "$2"
}

listens() { inside "$1" ss -Hltn "sport = :$2" | grep -q .; }

# What the server at address $1, port $2 says.
ask() { perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1], Timeout => 5) or die "$!\n";
	print <$s>' "$1" "$2"; }

# Debian's portmap 1.1.1 looks for a pod's chains in both families, though it makes them for those
# that the pod has: where ip6tables works, its CHECK of a pod without IPv6 fails.  The rest of the
# chain has been checked by then, for it is the last.
check_ports() {
	local rc=0
	cni "$@" 2>check.err || rc=$?
	[ $rc = 0 ] || like "what CHECK found" "$(cat check.err)" 'plugin portmap: could not check ipv6 dnat'
}

t_default_network_is_ptp_with_masquerading() {
	need ptp host-local
	netns d1 d2
	cni add default d1 eth0 p1 >/dev/null
	cni add default d2 eth0 p2 >/dev/null
	is "address" "$(addr d1 eth0)" 172.16.28.2/24
	is "address" "$(addr d2 eth0)" 172.16.28.3/24
	pings d1 172.16.28.1
	pings d1 172.16.28.3
	[ "$(rules 'p1')" -gt 0 ] || fail "no rules for masquerading"
	cni check default d1 eth0 p1
	inside d1 ip addr flush dev eth0
	status 1 cni check default d1 eth0 p1
	like "what CHECK found" "$err" '^error [0-9]+: cannot use network default any more: plugin ptp: '
	# ptp's DEL takes the address, whose rules are to go, from the interface, not from prevResult
	inside d1 ip addr add 172.16.28.2/24 dev eth0
	cni del default d1 eth0 p1
	cni del default d1 eth0 p1 # once more is no error
	cni del default d2 eth0 p2
	gone
	is "rules" "$(rules 'p1')" 0
}

t_default_restricted_has_no_default_route() {
	need ptp host-local
	netns r1
	cni add default-restricted r1 eth0 p1 >/dev/null
	is "address" "$(addr r1 eth0)" 172.31.0.2/16
	is "default route" "$(inside r1 ip route show default)" ""
	is "rules" "$(rules p1)" 0
	cni del default-restricted r1 eth0 p1
	gone
}

t_address_can_be_asked_for() {
	need ptp host-local
	netns a1 a2
	cni -a 'IgnoreUnknown=1;IP=172.16.28.77' add default a1 eth0 p1 >/dev/null
	is "address" "$(addr a1 eth0)" 172.16.28.77/24
	status 1 cni -a 'IgnoreUnknown=1;IP=172.16.28.77' add default a2 eth0 p2
	like "the reason" "$err" '172\.16\.28\.77'
	cni del default a2 eth0 p2
	cni del default a1 eth0 p1
	gone
}

t_port_is_forwarded() {
	need ptp host-local portmap
	local caps='{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}'
	netns f1
	ip link add host0 type veth peer name host1
	ip addr add 10.99.0.1/24 dev host0
	ip link set host0 up
	cni -P -c "$caps" add default f1 eth0 p1 >/dev/null
	serve f1 80 hello
	is "answer" "$(ask 10.99.0.1 8080)" hello
	check_ports -P -c "$caps" check default f1 eth0 p1
	cni -P -c "$caps" del default f1 eth0 p1
	is "rules" "$(rules 8080)" 0
	ip link del host0
	gone
}

t_bridge_joins_pods() {
	need bridge host-local
	netns b1 b2
	conf 10-br.conf <<-'END'
		{ "cniVersion": "1.0.0", "name": "br", "type": "bridge", "bridge": "cnibr0", "isGateway": true,
		  "ipMasq": true, "hairpinMode": true, "mtu": 1400,
		  "ipam": { "type": "host-local",
		    "ranges": [ [ { "subnet": "10.88.0.0/24" } ], [ { "subnet": "fd00:88::/64" } ] ],
		    "routes": [ { "dst": "0.0.0.0/0" }, { "dst": "::/0" } ] } }
	END
	cni add br b1 eth0 p1 >/dev/null
	cni add br b2 eth0 p2 >/dev/null
	is "address" "$(addr b1 eth0)" 10.88.0.2/24
	is "address" "$(addr b2 eth0 6)" fd00:88::3/64
	is "MTU" "$(inside b1 cat /sys/class/net/eth0/mtu)" 1400
	pings b1 10.88.0.3
	pings b1 fd00:88::3
	cni check br b1 eth0 p1
	cni del br b1 eth0 p1
	cni del br b2 eth0 p2
	gone cnibr0
}

t_static_addresses_and_dns_are_told() {
	need bridge static
	netns s1
	conf 10-s.conf <<-'END'
		{ "cniVersion": "0.4.0", "name": "s", "type": "bridge", "bridge": "cnis0",
		  "ipam": { "type": "static", "addresses": [
		      { "address": "10.77.0.5/24", "gateway": "10.77.0.1" }, { "address": "fd00:77::5/64" } ],
		    "routes": [ { "dst": "10.0.0.0/8", "gw": "10.77.0.2" } ] },
		  "dns": { "nameservers": [ "10.77.0.53" ], "search": [ "example.org" ] } }
	END
	cni add s s1 eth0 p1 >out.json
	is "address" "$(addr s1 eth0)" 10.77.0.5/24
	is "dns" "$(jq -c .dns out.json)" '{"nameservers":["10.77.0.53"],"search":["example.org"]}'
	is "route" "$(jq -r '.routes[0].gw' out.json)" 10.77.0.2
	cni check s s1 eth0 p1
	cni del s s1 eth0 p1
}

t_macvlan_gets_a_link_of_its_own() {
	need macvlan host-local
	need_link macvlan
	netns m1
	ip link add par0 type veth peer name par1
	ip link set par0 up
	conf 10-m.conf <<-'END'
		{ "cniVersion": "1.0.0", "name": "m", "type": "macvlan", "master": "par0", "mode": "bridge",
		  "ipam": { "type": "host-local", "subnet": "10.66.0.0/24" } }
	END
	cni add m m1 eth0 p1 >/dev/null
	is "address" "$(addr m1 eth0)" 10.66.0.2/24
	like "link" "$(inside m1 ip -d link show eth0)" macvlan
	cni check m m1 eth0 p1
	cni del m m1 eth0 p1
	ip link del par0
	gone
}

t_vlan_gets_a_link_of_its_own() {
	need vlan host-local
	need_link vlan id 5
	netns v1
	ip link add par0 type veth peer name par1
	ip link set par0 up
	conf 10-v.conf <<-'END'
		{ "cniVersion": "0.4.0", "name": "v", "type": "vlan", "master": "par0", "vlanId": 7,
		  "ipam": { "type": "host-local", "subnet": "10.65.0.0/24" } }
	END
	cni add v v1 eth0 p1 >/dev/null
	is "address" "$(addr v1 eth0)" 10.65.0.2/24
	cni del v v1 eth0 p1
	ip link del par0
	gone
}

t_ipvlan_gets_a_link_of_its_own() {
	need ipvlan host-local
	need_link ipvlan
	netns i1
	ip link add par0 type veth peer name par1
	ip link set par0 up
	conf 10-i.conf <<-'END'
		{ "cniVersion": "1.0.0", "name": "i", "type": "ipvlan", "master": "par0",
		  "ipam": { "type": "host-local", "subnet": "10.64.0.0/24" } }
	END
	cni add i i1 eth0 p1 >/dev/null
	is "address" "$(addr i1 eth0)" 10.64.0.2/24
	cni del i i1 eth0 p1
	ip link del par0
	gone
}

t_host_device_comes_back() {
	need host-device
	netns h1
	ip link add dev0 type veth peer name dev1
	conf 10-h.conf <<-'END'
		{ "cniVersion": "1.0.0", "name": "h", "type": "host-device", "device": "dev0" }
	END
	cni add h h1 eth0 p1 >/dev/null
	is "links" "$(links)" dev1
	inside h1 ip link show eth0
	cni check h h1 eth0 p1
	cni del h h1 eth0 p1
	is "links" "$(links)" "$(printf 'dev1\ndev0')"
	ip link del dev0
}

t_chain_of_five() {
	need bridge host-local tuning bandwidth firewall portmap
	need_link ifb
	local mac=02:11:22:33:44:55 caps
	caps='{"portMappings":[{"hostPort":8081,"containerPort":80,"protocol":"tcp"}],"mac":"'$mac'",
	       "bandwidth":{"ingressRate":8000000,"ingressBurst":800000,"egressRate":8000000,"egressBurst":800000}}'
	netns c1
	conf 10-c.conflist <<-'END'
		{ "cniVersion": "1.0.0", "name": "c", "plugins": [
		  { "type": "bridge", "bridge": "cnic0", "isDefaultGateway": true,
		    "ipam": { "type": "host-local", "subnet": "10.55.0.0/24" } },
		  { "type": "tuning", "capabilities": { "mac": true }, "sysctl": { "net.core.somaxconn": "500" } },
		  { "type": "bandwidth", "capabilities": { "bandwidth": true } },
		  { "type": "firewall", "backend": "iptables" },
		  { "type": "portmap", "capabilities": { "portMappings": true }, "snat": true } ] }
	END
	cni -c "$caps" add c c1 eth0 p1 >out.json
	is "MAC" "$(inside c1 cat /sys/class/net/eth0/address)" $mac
	is "MAC in the result" "$(jq -r '.interfaces[] | select(.name == "eth0") | .mac' out.json)" $mac
	is "sysctl" "$(inside c1 sysctl -n net.core.somaxconn)" 500
	like "shaping" "$(tc qdisc show)" 'tbf .*rate 8Mbit'
	[ "$(rules 10.55.0.2/32)" -gt 0 ] || fail "no rules of the firewall"
	serve c1 80 chained
	is "answer" "$(ask 10.55.0.1 8081)" chained
	check_ports -c "$caps" check c c1 eth0 p1
	cni -c "$caps" del c c1 eth0 p1
	gone cnic0
	is "rules" "$(rules '10.55.0.2\|8081')" 0
}

t_del_without_the_netns_gives_the_address_back() {
	need ptp host-local portmap
	local caps='{"portMappings":[{"hostPort":8082,"containerPort":80,"protocol":"tcp"}]}'
	netns g1
	cni -P -c "$caps" add default g1 eth0 p1 >/dev/null
	is "leases" "$(leases)" 172.16.28.2
	ip netns del g1
	cni -P -c "$caps" del default '' eth0 p1
	gone
	is "rules" "$(rules 8082)" 0
}

t_failed_add_is_cleaned_up_by_del() {
	need ptp host-local tuning
	netns x1
	conf 10-x.conflist <<-'END'
		{ "cniVersion": "0.4.0", "name": "x", "plugins": [
		  { "type": "ptp", "ipam": { "type": "host-local", "subnet": "10.44.0.0/24" } },
		  { "type": "tuning", "sysctl": { "net.ipv4.no_such_thing": "1" } } ] }
	END
	status 1 cni add x x1 eth0 p1
	like "the reason" "$err" '^error [0-9]+: cannot add network x: plugin tuning: .*no_such_thing'
	is "leases" "$(leases)" 10.44.0.2
	cni del x x1 eth0 p1
	gone
}

t_older_network_is_run_as_0_3_1() {
	need ptp host-local
	netns o1
	conf 10-rkt.conf <<-'END'
		{ "name": "rkts", "type": "ptp", "ipMasq": true,
		  "ipam": { "type": "host-local", "subnet": "10.33.0.0/24", "routes": [ { "dst": "0.0.0.0/0" } ] } }
	END
	cni add rkts o1 eth0 p1 >out.json
	is "version" "$(jq -r .cniVersion out.json)" 0.3.1
	is "address" "$(addr o1 eth0)" 10.33.0.2/24
	status 3 cni check rkts o1 eth0 p1
	cni del rkts o1 eth0 p1
	gone
}

t_version_that_a_plugin_does_not_speak_is_explained() {
	need ptp firewall
	netns w1
	conf 10-w.conflist <<-'END'
		{ "cniVersion": "0.3.1", "name": "w", "plugins": [ { "type": "firewall", "backend": "iptables" } ] }
	END
	status 1 cni add w w1 eth0 p1
	like "the reason" "$err" '^error 1: cannot add network w: plugin firewall: incompatible CNI versions'
	like "the hint" "$err" 'hint: network w is of CNI version 0\.3\.1; plugin firewall speaks 0\.4\.0'
	like "versions" "$("$O/tests/tools/cnirun" -p "$CNI" versions default)" '^ptp: .*0\.4\.0'
}

# 0.2.0's results, of a plugin as rkt's users wrote them: shell.
t_plugin_of_0_2_0_is_understood() {
	need
	netns t1
	mkdir bin
	cat >bin/old <<-'END'
		#!/bin/sh
		cat >/dev/null
		[ "$CNI_COMMAND" = ADD ] || exit 0
		echo '{ "cniVersion": "0.2.0", "ip4": { "ip": "10.22.0.2/24", "gateway": "10.22.0.1" } }'
	END
	chmod +x bin/old
	conf 10-old.conf <<<'{ "cniVersion": "0.2.0", "name": "old", "type": "old" }'
	"$O/tests/tools/cnirun" -p "$T/bin" -d net.d add old /run/netns/t1 eth0 p1 >out.json
	is "result" "$(jq -c .ips out.json)" '[{"address":"10.22.0.2/24","gateway":"10.22.0.1","version":"4"}]'
}

tap_run "$@"
