#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 'vpod net list'.  Needs neither root nor a network.
cd "$(dirname "$0")/../.." || exit 99
O=$(realpath "${O:-build}")
. tests/lib.sh

net_list() { vpod --local-config="$T/etc" --system-config="$T/usr" net list "$@"; }

setup() {
	mkdir -p etc/net.d usr/net.d
	cat >etc/net.d/10-office.conflist <<-'END'
		{ "cniVersion": "1.0.0", "name": "office", "plugins": [ { "type": "bridge" }, { "type": "portmap" } ] }
	END
	echo '{ "name": "office", "type": "macvlan" }' >usr/net.d/00-office.conf
}

t_built_in_networks_are_listed() {
	is "table" "$(net_list)" "$(
		cat <<-'END'
			NAME                CNI VERSION  PLUGINS  SOURCE
			default             0.4.0        ptp      built in
			default-restricted  0.4.0        ptp      built in
		END
	)"
}

t_first_of_a_name_is_listed() {
	setup
	is "row" "$(net_list --no-legend | head -n 1 | tr -s ' ')" \
		"office 1.0.0 bridge,portmap $T/etc/net.d/10-office.conflist"
	echo '{ "name": "default", "type": "bridge" }' >usr/net.d/99-default.conf
	is "row" "$(net_list --no-legend | sed -n 2p | tr -s ' ')" "default 0.3.1 bridge $T/usr/net.d/99-default.conf"
	is "rows" "$(net_list --no-legend | wc -l)" 3
}

t_json_is_the_same() {
	setup
	is "JSON" "$(net_list --format=json | jq -c '.[0]')" \
		'{"name":"office","cniVersion":"1.0.0","plugins":["bridge","portmap"],"source":"'"$T"'/etc/net.d/10-office.conflist"}'
	is "built in" "$(net_list --format=json | jq -c '.[1]')" \
		'{"name":"default","cniVersion":"0.4.0","plugins":["ptp"]}'
}

t_broken_file_is_named() {
	setup
	echo '{ "name": "x", "type": "../../bin/sh" }' >etc/net.d/20-x.conf
	status 125 net_list
	is "message" "$err" \
		"vpod: cannot use $T/etc/net.d/20-x.conf: plugin type \"../../bin/sh\" is no name of a plugin"
	echo '{ "name": "x", "type": "a", "cniVersion": "9.0.0" }' >etc/net.d/20-x.conf
	status 125 net_list
	like "message" "$err" "20-x.conf: its cniVersion is \"9\\.0\\.0\"$"
	like "hint" "$err" '^hint: vpod speaks 0\.3\.1, 0\.4\.0, 1\.0\.0 and 1\.1\.0'
}

tap_run "$@"
