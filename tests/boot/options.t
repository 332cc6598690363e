#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What run's options do to the app.
. "$(dirname "$0")/../lib.sh"
make_busybox "$FILE_TMP/bb"
import_kernels
img=dir:$FILE_TMP/bb

run() { vpod run --rm $machine "$@"; }
prints() { # WANTED ARGS…
	local want=$1
	shift
	status 0 run "$@"
	is output "$out" "$want"
}

t_environment_and_directory() {
	prints $'b=c\n/tmp' "$img" -e A=b=c -w /tmp -- sh -c 'echo $A; pwd'
	export VPOD_TEST_PASSED=through
	prints through "$img" -e VPOD_TEST_PASSED -- sh -c 'echo $VPOD_TEST_PASSED'
	prints /made/here "$img" --working-dir=/made/here -- pwd
}

t_users_and_groups_by_name_and_number() {
	prints 'uid=1000(u) gid=1001(u) groups=1002(extra)' "$img" --user=u -- id
	prints '1234 0' "$img" --user=1234 -- sh -c 'echo $(id -u) $(id -g)'
	prints '1000 1002' "$img" -u u --group=extra -- sh -c 'echo $(id -u) $(id -g)'
	prints 1000 "$img" --user=/home/u -- id -u
	prints '5 6' "$img" -u 5:6 -- sh -c 'echo $(id -u) $(id -g)'
	status 125 run "$img" --user=nobody-here -- id
	like message "$err" 'nobody-here'
}

t_capabilities_are_the_14_defaults() {
	prints $'CapBnd:\t00000000a80425fb\nNoNewPrivs:\t0' "$img" -- grep -E 'CapBnd|NoNewPrivs' /proc/self/status
	prints $'CapEff:\t0000000000000000\nNoNewPrivs:\t1' "$img" --user=u -- grep -E 'CapEff|NoNewPrivs' /proc/self/status
}

t_a_read_only_root_is_read_only() {
	status 1 run "$img" --readonly-rootfs -- touch /x
	like message "$err" 'Read-only file system'
	status 0 run "$img" -- touch /x
}

t_the_host_name_is_set() {
	prints here --hostname=here "$img" -- hostname
}

t_volumes_are_shared_by_apps() {
	prints shared --volume=v,kind=empty,mode=1777,uid=1000 --mount=volume=v,target=/data \
		"$img" --name=w -- sh -c 'echo shared >/data/f; sleep 1' \
		--- "$img" --name=r -- sh -c 'until cat /data/f 2>/dev/null; do sleep 0.1; done'
	prints '1777 1000' --volume=v,kind=empty,mode=1777,uid=1000 "$img" --mount volume=v,target=/data \
		-- stat -c '%a %u' /data
	status 1 run --volume=v,kind=empty "$img" --mount volume=v,target=/d,readonly=true -- touch /d/x
}

t_scratch_has_a_size() {
	status 1 run --scratch=disk:16Mi "$img" -- dd if=/dev/zero of=/big bs=1M count=32
	like message "$err" 'No space left'
	prints tmpfs --scratch=tmpfs:16Mi "$img" -- sh -c 'echo x >/f; echo tmpfs'
}

t_memory_and_cpu_limits_are_the_cgroups() {
	prints 67108864 "$img" --memory=64Mi -- cat /sys/fs/cgroup/memory.max
	prints '50000 100000' "$img" --cpu=500m -- cat /sys/fs/cgroup/cpu.max
}

t_entrypoint_and_command_of_an_image_count() {
	umoci init --layout l
	umoci new --image l:t
	umoci unpack --image l:t b >/dev/null
	cp -a "$FILE_TMP/bb/." b/rootfs/
	umoci repack --image l:t b >/dev/null
	umoci config --image l:t --config.entrypoint /bin/echo --config.cmd from --config.cmd cmd \
		--config.env "FROM=image" --config.user u --config.workingdir /tmp --config.volume /vol
	prints 'from cmd' oci:l:t
	prints 'other' oci:l:t -- other
	prints '' oci:l:t --
	prints 'image u /tmp' oci:l:t --exec=/bin/sh -- -c 'echo $FROM $(id -un) $(pwd)'
	like mounts "$(run oci:l:t --exec=/bin/cat -- /proc/mounts)" ' /vol '
}

t_what_cannot_be_honoured_is_refused() {
	status 125 run --net=bridge "$img" -- true
	like message "$err" 'no networks yet'
	status 125 run --volume=v,kind=host,source=/ "$img" -- true
	status 125 run --hypervisor=kvm "$img" -- true
	status 125 run -i "$img" --name=a -- true --- "$img" --name=b -- true
	status 125 run "$img" -- true --- "$img" -- true
	like message "$err" "two apps named"
	status 125 run --memroy=1 "$img"
	like hint "$err" 'did you mean --memory'
	is "nothing left" "$(find "$DATA/pods" -mindepth 2 -maxdepth 2)" ""
}

tap_run "$@"
