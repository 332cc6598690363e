#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What vpod-init does to a guest's network, done to a network namespace of this host.
. "$(dirname "$0")/../lib.sh"
NS=vpod-test-$$
MAC0=02:00:00:00:00:01
MAC1=02:00:00:00:00:02

inside() {
	ip netns exec "$NS" "$@"
}

# make_ns NAME=MAC...: a namespace with these devices, each one end of a pair.
make_ns() {
	local n peer=0
	[ "$(id -u)" = 0 ] || skip "network namespaces need root"
	command -v jq >/dev/null || skip "no jq"
	drop_ns
	ip netns add "$NS" || skip "no network namespaces"
	for n in "$@"; do
		peer=$((peer + 1))
		inside ip link add "${n%%=*}" address "${n#*=}" type veth peer name "peer$peer" ||
			skip "no veth devices"
		inside ip link set "peer$peer" up
	done
}

drop_ns() {
	[ ! -e "/run/netns/$NS" ] || ip netns del "$NS"
}
at_exit drop_ns

# configure: with the spec of standard input.
configure() {
	inside "$O/tests/tools/guestnet"
}

# routes FAMILY DEVICE: those of all tables that are no addresses of our own.
routes() {
	inside ip -j "-$1" route show table all dev "$2" |
		jq -c '.[] | select(.type != "local" and .type != "broadcast" and .type != "multicast" and .type != "anycast")
			| select(.dst | startswith("fe80") | not) | del(.flags, .pref)'
}

# addresses DEVICE
addresses() {
	inside ip -j addr show dev "$1" |
		jq -c '.[].addr_info[] | select(.scope == "global") | [.local, .prefixlen, .broadcast, .nodad, .noprefixroute]'
}

t_address_has_its_prefix_route_and_broadcast() {
	make_ns x=$MAC0
	configure <<-END
		nic eth0 $MAC0 1400
		addr eth0 10.1.2.3/24
		addr eth0 fd00::2/64
	END
	is mtu "$(inside cat /sys/class/net/eth0/mtu)" 1400
	is addresses "$(addresses eth0)" "$(printf '%s\n' '["10.1.2.3",24,"10.1.2.255",null,null]' '["fd00::2",64,null,true,null]')"
	is routes4 "$(routes 4 eth0)" \
		'{"dst":"10.1.2.0/24","protocol":"kernel","scope":"link","prefsrc":"10.1.2.3"}'
	is routes6 "$(routes 6 eth0)" '{"dst":"fd00::/64","protocol":"kernel","metric":256}'
	is accept_ra "$(inside cat /proc/sys/net/ipv6/conf/eth0/accept_ra)" 0
	is ping "$(inside cat /proc/sys/net/ipv4/ping_group_range | tr '\t' ' ')" "0 2147483647"
	is ports "$(inside cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" 0
	is lo "$(inside cat /sys/class/net/lo/flags)" 0x9
}

t_names_are_exchanged() {
	make_ns eth0=$MAC1 eth1=$MAC0
	configure <<-END
		nic eth0 $MAC0 0
		nic eth1 $MAC1 0
	END
	is eth0 "$(inside cat /sys/class/net/eth0/address)" $MAC0
	is eth1 "$(inside cat /sys/class/net/eth1/address)" $MAC1
}

t_name_of_a_stranger_is_taken() {
	make_ns x=$MAC0 eth0=$MAC1
	configure <<-END
		nic eth0 $MAC0 0
	END
	is eth0 "$(inside cat /sys/class/net/eth0/address)" $MAC0
	is nic0 "$(inside cat /sys/class/net/vpodnic0/address)" $MAC1
}

t_routes_have_their_options() {
	make_ns x=$MAC0
	configure <<-END
		nic eth0 $MAC0 0
		addr eth0 10.1.2.3/24
		addr eth0 fd00::2/64
		route eth0 0.0.0.0/0 10.1.2.1 mtu 1400 advmss 1300 priority 7 src 10.1.2.3
		route eth0 10.9.0.0/16 10.1.2.1 table 1000
		route eth0 10.8.0.0/16 - scope 0
		route eth0 ::/0 fd00::1 mtu 1300 priority 5
	END
	is routes4 "$(routes 4 eth0 | grep -v kernel)" "$(
		cat <<-'END'
			{"dst":"10.9.0.0/16","gateway":"10.1.2.1","table":"1000"}
			{"dst":"default","gateway":"10.1.2.1","prefsrc":"10.1.2.3","metric":7,"metrics":[{"mtu":1400,"advmss":1300}]}
			{"dst":"10.8.0.0/16"}
		END
	)"
	is routes6 "$(routes 6 eth0 | grep -v kernel)" \
		'{"dst":"default","gateway":"fd00::1","metric":5,"metrics":[{"mtu":1300}]}'
}

t_order_of_link_routes_does_not_matter() {
	make_ns x=$MAC0
	configure <<-END
		nic eth0 $MAC0 0
		addr eth0 172.16.28.2/24
		route eth0 0.0.0.0/0 172.16.28.1
		route eth0 172.16.28.0/24 172.16.28.1 src 172.16.28.2
		route eth0 172.16.28.1/32 - src 172.16.28.2
	END
	is routes "$(routes 4 eth0)" "$(
		cat <<-'END'
			{"dst":"default","gateway":"172.16.28.1"}
			{"dst":"172.16.28.0/24","gateway":"172.16.28.1","prefsrc":"172.16.28.2"}
			{"dst":"172.16.28.1","scope":"link","prefsrc":"172.16.28.2"}
		END
	)"
}

t_gateway_beyond_the_address_is_on_the_link() {
	make_ns x=$MAC0
	configure <<-END
		nic eth0 $MAC0 0
		addr eth0 10.1.2.3/32
		addr eth0 fd00::2/128
		route eth0 0.0.0.0/0 169.254.1.1
		route eth0 ::/0 fd77::1
	END
	is flags "$(inside ip -j route show default | jq -c '.[] | [.gateway, .flags]')" '["169.254.1.1",["onlink"]]'
	is flags6 "$(inside ip -j -6 route show default | jq -c '.[] | [.gateway, .flags]')" '["fd77::1",["onlink"]]'
}

t_first_default_route_is_preferred() {
	make_ns x=$MAC0 y=$MAC1
	configure <<-END
		nic eth0 $MAC0 0
		nic eth1 $MAC1 0
		addr eth0 10.1.0.2/24
		addr eth1 10.2.0.2/24
		route eth0 0.0.0.0/0 10.1.0.1
		route eth1 0.0.0.0/0 10.2.0.1
		route eth1 0.0.0.0/0 10.2.0.1
	END
	is way "$(inside ip -j route get 192.0.2.1 | jq -r '.[].dev')" eth0
}

t_refusals_name_what_was_refused() {
	make_ns x=$MAC0
	echo "nic eth0 02:00:00:00:00:09 0" >spec
	configure <spec 2>err && fail "a missing device was found"
	err=$(cat err)
	like unknown "$err" 'cannot find nic eth0: no network device has the address 02:00:00:00:00:09'
}

# What CNI's own plugin makes of an interface, said as a spec, makes the same of another.
t_ptp_plugin_is_reproduced() {
	local cni=/usr/lib/cni conf made
	[ -x $cni/ptp ] && [ -x $cni/host-local ] || skip "no CNI plugins in $cni"
	make_ns
	conf='{"cniVersion":"1.0.0","name":"t","type":"ptp","ipam":{"type":"host-local","dataDir":"'$T'","routes":[{"dst":"0.0.0.0/0"}],
		"ranges":[[{"subnet":"172.31.28.0/24"}]]}}'
	cni() {
		CNI_COMMAND=$1 CNI_CONTAINERID=vpodtest$$ CNI_NETNS=/run/netns/$NS CNI_IFNAME=eth0 CNI_PATH=$cni $cni/ptp <<<"$conf"
	}
	cni ADD >result || { cat result; skip "CNI's ptp does not work here"; }
	made=$(routes 4 eth0; addresses eth0)
	cni DEL
	make_ns x=$MAC0
	configure <<-END
		nic eth0 $MAC0 0
		addr eth0 172.31.28.2/24
		route eth0 0.0.0.0/0 172.31.28.1
		route eth0 172.31.28.0/24 172.31.28.1 src 172.31.28.2
		route eth0 172.31.28.1/32 - src 172.31.28.2
	END
	is made "$(routes 4 eth0; addresses eth0 | sed 's/,true\]/,null]/')" "$made"
}

tap_run "$@"
