#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a CNI plugin is given, golden: environment, fds and standard input of every command.  The
# plugin is tests/tools/cni_plugin.c, which records it.  Needs neither root nor a network.
# 'make golden' writes tests/golden/cni anew.
cd "$(dirname "$0")/../.." || exit 99
O=$(realpath "${O:-build}")
. tests/lib.sh

GOLDEN=$TOP/tests/golden/cni

setup() {
	local p
	mkdir -p plugins records net.d
	for p in one two three; do
		ln -s "$O/tests/tools/cni_plugin" "plugins/$p"
	done
}

cnirun() {
	PATH=/usr/bin:/bin "$O/tests/tools/cnirun" -p "$T/plugins" -d "$T/net.d" -r "$T/result" "$@"
}

# The golden file $1 against what was recorded, in its order, and forgets it.
golden() {
	local f
	for f in records/*; do
		echo "--- ${f#records/}"
		sed "s|$T|DIR|g" "$f"
	done >got
	if [ "${UPDATE:-0}" = 1 ]; then
		mkdir -p "$GOLDEN"
		cp got "$GOLDEN/$1.txt"
	fi
	diff -u "$GOLDEN/$1.txt" got || fail "what plugins get for $1 changed; if it is meant: make golden"
	rm -f records/*
}

# A network of version $1.
network() {
	cat >net.d/10-net1.conflist <<-END
		{
		  "cniVersion": "$1",
		  "name": "net1",
		  "vpod.isolation": "none",
		  "plugins": [
		    { "type": "one", "record": "$T/records", "big": 18446744073709551615, "args": { "cni": { "x": 1 } },
		      "result": { "cniVersion": "$1", "interfaces": [ { "name": "eth0", "sandbox": "/run/netns/a" } ],
		                  "ips": [ { "version": "4", "address": "10.1.0.2/24", "interface": 0 } ] } },
		    { "type": "two", "record": "$T/records", "capabilities": { "portMappings": true, "mac": true },
		      "runtimeConfig": { "stale": true } },
		    { "type": "three", "record": "$T/records", "capabilities": { "bandwidth": true } }
		  ]
		}
	END
}

caps='{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}],"ips":["10.1.0.2/24"]}'

t_commands_of_1_1_0() {
	setup
	network 1.1.0
	cnirun -a 'IP=10.1.0.2;X=y' -c "$caps" add net1 /run/netns/a eth0 pod-1 >/dev/null
	golden add-1.1.0
	cnirun -a 'IP=10.1.0.2;X=y' -c "$caps" check net1 /run/netns/a eth0 pod-1
	golden check-1.1.0
	cnirun -a 'IP=10.1.0.2;X=y' -c "$caps" del net1 /run/netns/a eth0 pod-1
	golden del-1.1.0
	cnirun status net1
	golden status-1.1.0
	cnirun gc net1 - - - pod-1/eth0 pod-2/eth7
	golden gc-1.1.0
}

t_commands_of_0_3_1() {
	setup
	network 0.2.0
	cnirun add net1 /run/netns/a eth0 pod-1 >result.out
	like "the result" "$(cat result.out)" '"cniVersion":"0.3.1"'
	golden add-0.3.1
	cnirun del net1 '' eth0 pod-1
	golden del-0.3.1
	status 3 cnirun check net1 /run/netns/a eth0 pod-1
	status 3 cnirun status net1
	status 3 cnirun gc net1
	is "runs" "$(ls records)" ""
}

t_portmap_is_chained_for_ports() {
	setup
	network 0.4.0
	is "a chain that takes ports" "$(cnirun -P print net1 | grep -c '"portmap"')" 0
	like "the default network" "$(cnirun -P print default)" \
		'\{ "type": "portmap", "capabilities": \{ "portMappings": true \} \}\]\}$'
}

t_missing_plugin_is_told_with_a_hint() {
	setup
	network 1.0.0
	rm plugins/three
	status 1 cnirun add net1 /run/netns/a eth0 pod-1
	like "the error" "$err" "cannot add network net1: plugin three: cannot find plugin three in $T/plugins"
	like "the hint" "$err" 'hint: install containernetworking-plugins'
	status 1 cnirun del net1 /run/netns/a eth0 pod-1
	is "the others' DEL" "$(ls records | grep -c DEL)" 2
}

recorded() { [ -s records/pid ]; }
ended() { ! grep -q '^State:[[:space:]]*[^Z]' "/proc/$1/status" 2>/dev/null; }

# Nobody would end an ADD that outlives its engine, and gc's DEL would run beside it.
t_plugin_dies_with_the_engine() {
	setup
	cat >net.d/10-net1.conf <<-END
		{ "name": "net1", "type": "one", "record": "$T/records", "mode": "hang-group" }
	END
	"$O/tests/tools/cnirun" -p plugins -d net.d add net1 /run/netns/a eth0 pod-1 & # no subshell: $!
	until_true 10 recorded
	trap 'kill -9 "$(cat records/pid)"' EXIT
	# its child is not the engine's: kill ends that one, the engine's end the plugin itself
	local plugin
	plugin=$(awk '{ print $4 }' "/proc/$(cat records/pid)/stat")
	kill -9 $!
	until_true 10 ended "$plugin"
}

# Time of ours, without that of the plugins, for one plugin: the limit is for a loaded machine.
t_engine_takes_milliseconds() {
	local i ns best=1000000000
	setup
	network 1.0.0
	for i in 1 2 3 4 5 6 7 8 9 10; do
		ns=$(cnirun -s add net1 /run/netns/a eth0 "pod-$i" 2>&1 >/dev/null |
			sed -n 's/.* engine \([0-9]*\) runs 3$/\1/p')
		[ "$ns" -ge "$best" ] || best=$ns
	done
	echo "the best of ten: $best ns for three plugins"
	[ "$best" -lt $(($(slow 30) * 1000000)) ] || fail "$best ns"
}

tap_run "$@"
