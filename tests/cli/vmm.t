#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vpod vmm: a machine's configuration in JSON becomes vpod-vmm's own description.  No root, no KVM.
cd "$(dirname "$0")/../.." || exit 99
O=$(realpath "${O:-build}")
. tests/lib.sh

boot='"boot-source":{"kernel_image_path":"/k"}'

# print JSON: the description
print() { "$O/vpod" vmm --config - --print <<<"$1"; }

# refused JSON PATTERN: an error that says so
refused() {
	local rc=0
	print "$1" >out 2>err || rc=$?
	is "status of $1" $rc 125
	is "output of $1" "$(cat out)" ""
	like "error of $1" "$(tr '\n' ' ' <err)" "$2"
}

t_a_whole_machine_is_converted() {
	cat >c.json <<-'E'
	{"boot-source": {"kernel_image_path": "/k", "initrd_path": "/i", "boot_args": "console=ttyS0 quiet"},
	 "drives": [
	  {"drive_id": "data", "path_on_host": "/a b%", "is_root_device": false, "is_read_only": true,
	   "io_engine": "Async", "cache_type": "Unsafe",
	   "rate_limiter": {"bandwidth": {"size": 1000, "refill_time": 100},
	                    "ops": {"size": 5, "one_time_burst": 10, "refill_time": 1000}}},
	  {"drive_id": "root", "path_on_host": "/r", "is_root_device": true}],
	 "machine-config": {"vcpu_count": 2, "mem_size_mib": 64, "smt": false, "cpu_template": "None"},
	 "network-interfaces": [{"iface_id": "eth0", "host_dev_name": "tap0", "guest_mac": "06:00:00:00:00:01",
	   "tx_rate_limiter": {"bandwidth": {"size": 1000, "refill_time": 100}}},
	  {"iface_id": "eth1", "socket": "/run/p q.socket", "mtu": 65520}],
	 "balloon": {"amount_mib": 8, "deflate_on_oom": true, "stats_polling_interval_s": 1},
	 "entropy": {}, "serial": {"serial_out_path": "/s"}, "control": {"path": "/c"},
	 "shares": [{"tag": "t", "socket": "/f"}], "vsock": null, "logger": null}
	E
	"$O/vpod" vmm --config=c.json --print >out
	cat >wanted <<-'E'
	vpod-vmm 1
	machine cpus=2 memory=67108864 acpi=on io=uring
	kernel path=/k
	initrd path=/i
	cmdline console=ttyS0 quiet root=/dev/vda rw
	serial path=/s
	rng
	disk serial=root readonly=off path=/r
	disk serial=data readonly=on bytes=10000 bytes-burst=1000 ops=5 ops-burst=15 path=/a%20b%25
	balloon target=8388608 stats=on reporting=off
	net tap=tap0 mac=06:00:00:00:00:01 tx-bytes=10000 tx-bytes-burst=1000
	net kind=stream path=/run/p%20q.socket mtu=65520
	fs tag=t path=/f
	control path=/c
	E
	diff wanted out
}

t_the_least_is_a_kernel() {
	is machine "$(print "{$boot}" | sed -n 2p)" "machine cpus=1 memory=134217728 acpi=on"
	is serial "$(print "{$boot}" | grep serial)" "serial fd=1"
	refused '{}' 'no boot-source'
	refused '{"boot-source":{}}' 'no kernel_image_path'
}

t_an_unknown_key_names_the_nearest() {
	refused '{"boot-sorce":{}}' "top level: unknown key 'boot-sorce'.*did you mean 'boot-source'"
	refused "{$boot,\"drives\":[{\"drive_id\":\"a\",\"path_on_hos\":\"/x\"}]}" "did you mean 'path_on_host'"
	refused "{$boot,\"entropy\":{\"rate_limit\":{}}}" "did you mean 'rate_limiter'"
}

t_what_there_is_not_is_refused_by_name() {
	for k in vsock mmds-config logger metrics cpu-config pmem memory-hotplug; do
		refused "{$boot,\"$k\":{}}" "$k: vpod-vmm has none"
	done
	refused "{$boot,\"machine-config\":{\"smt\":true}}" 'smt cannot be true'
	refused "{$boot,\"machine-config\":{\"huge_pages\":\"2M\"}}" 'huge_pages can only be None'
}

t_wrong_values_are_refused() {
	refused "{$boot,\"machine-config\":{\"vcpu_count\":0}}" 'vcpu_count is 1 to 32'
	refused "{$boot,\"machine-config\":{\"vcpu_count\":\"2\"}}" 'vcpu_count'
	refused "{$boot,\"machine-config\":7}" 'machine-config'
	refused "{$boot,\"drives\":[7]}" 'drives: not an object'
	refused "{$boot,\"drives\":[{\"drive_id\":\"a\",\"path_on_host\":\"/x\",\"is_root_device\":true},{\"drive_id\":\"b\",\"path_on_host\":\"/y\",\"is_root_device\":true}]}" 'two root devices'
	refused "{$boot,\"entropy\":{\"rate_limiter\":{\"ops\":{\"size\":1}}}}" 'refill_time must be'
	refused "{$boot,\"network-interfaces\":[{\"iface_id\":\"a\"}]}" 'either host_dev_name or socket is needed'
	refused "{$boot,\"network-interfaces\":[{\"iface_id\":\"a\",\"socket\":\"\"}]}" 'either host_dev_name or socket is needed'
	refused "{$boot,\"network-interfaces\":[{\"iface_id\":\"a\",\"socket\":\"/s\",\"host_dev_name\":\"t\"}]}" 'either host_dev_name or socket is needed'
	refused '{"boot-source":{"kernel_image_path":"/k","boot_args":"a\ndisk path=/etc/shadow"}}' "boot_args has a line's end"
	refused "{$boot,$boot}" 'boot-source'
	refused 'x' 'configuration'
}

t_a_path_cannot_end_its_word() {
	is kernel "$(print '{"boot-source":{"kernel_image_path":"/k fd=0\ndisk x"}}' | sed -n 3p)" \
		"kernel path=/k%20fd=0%0Adisk%20x"
}

t_a_configuration_must_be_named() {
	status 125 "$O/vpod" vmm
	like error "$err" "no --config=FILE"
	status 125 "$O/vpod" vmm --config=nowhere.json
	like error "$err" "nowhere.json"
}

t_it_runs() {
	[ -w /dev/kvm ] || skip "/dev/kvm cannot be opened"
	echo "{\"boot-source\":{\"kernel_image_path\":\"$O/tests/vmm/null\"}}" >c.json
	status 0 "$O/vpod" vmm --config=c.json
	status 0 "$O/vpod" vmm --config=c.json -- --timing
	like stages "$err" "timing: jail"
}

t_doctor_prints_the_surface() {
	status 0 "$O/vpod" doctor --surface
	like ports "$out" "^port 0x3f8-0x3ff"
	like calls "$out" "^call vcpu ioctl IS\(1, KVM_RUN\)"
	is calls "$(grep '^call vcpu' <<<"$out" | awk '{ print $3 }' | sort -u | wc -l)" 5
}

tap_run "$@"
