#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The file tree of an image: as umoci unpacks it, as the host's kernel mounts it, as the pod sees it.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../cli/lib-image.sh"
[ "$(id -u)" = 0 ] || { echo "1..1"; echo "ok 1 - tree # SKIP needs root to mount and to unpack"; exit 0; }
for tool in umoci fsck.erofs python3; do
	command -v $tool >/dev/null || { echo "1..1"; echo "ok 1 - tree # SKIP $tool is missing: run tools/setup"; exit 0; }
done
import_kernels
tools=$TOP/tests/tools
minbase=${VPOD_TEST_CACHE:-/var/cache/vpod-test}
"$tools/make_minbase" "$minbase" >"$FILE_TMP/minbase.log" 2>&1 && have_minbase=1 || have_minbase=0
mnt=$FILE_TMP/mnt
mkdir "$mnt"
at_exit '! mountpoint -q "$mnt" || umount "$mnt"'

need_minbase() { [ $have_minbase = 1 ] || skip "no Debian tree: $(tail -n 1 "$FILE_TMP/minbase.log")"; }

# The image $1 becomes one EROFS file, mounted on $mnt.
mount_image() {
	rootfs_of "$(vpod fetch --full "$1")" fs
	mount -t erofs -o loop,ro fs "$mnt"
}

# as_umoci_unpacks LAYOUT:TAG: of parents that no layer describes the time is umoci's own clock.
as_umoci_unpacks() {
	local start rc=0
	start=$(($(date +%s) - 1))
	umoci unpack --image "$1" bundle >/dev/null
	mount_image "oci:$1"
	"$tools/treecmp.py" --skip-xattr=trusted.overlay. --skip-xattr=user.overlay. --clock=$start \
		bundle/rootfs "$mnt" || rc=$?
	umount "$mnt"
	return $rc
}

layout_of() { # NAME: the layers of gen_layers.py as the layout l:t
	"$tools/gen_layers.py" layers
	ls -v layers/"$1"-*.tar | xargs "$tools/oci_layout.py" l:t >/dev/null
}

made_tree() {
	layout_of "$1"
	as_umoci_unpacks l:t
}

t_minbase_is_as_umoci_unpacks_it() {
	need_minbase
	as_umoci_unpacks "$minbase/minbase-oci:latest"
}

t_minbase_runs_perl_dpkg_and_apt() {
	need_minbase
	local img=oci:$minbase/minbase-oci:latest
	status 0 vpod run --rm $machine "$img" -- sh -c \
		'perl -e "print 6 * 7, qq(\n)"; dpkg -l | grep -c ^ii; apt-get --version | head -n 1'
	is perl "$(sed -n 1p <<<"$out")" 42
	is packages "$(sed -n 2p <<<"$out")" "$(grep -c '^Status: install ok installed' "$minbase/minbase/var/lib/dpkg/status")"
	like apt "$(sed -n 3p <<<"$out")" '^apt [0-9.]+ \(amd64\)'
	is stderr "$err" ''
}

t_types_owners_and_times() { made_tree types; }
t_names() { made_tree names; }
t_xattrs() { made_tree xattrs; }
t_hard_links_between_layers() { made_tree links; }
t_symlinked_parents() { made_tree symparents; }
t_replaced_types() { made_tree replace; }
t_ten_layers_with_every_whiteout() { made_tree whiteouts; }
t_opaque_root() { made_tree rootopaque; }

# Names, types, modes, owners, times: DIR as this machine's busybox lists it, and the pod's the same way.
t_the_pod_sees_what_the_host_mounts() {
	mkdir one
	cp /bin/busybox one/busybox
	tar -C one -cf layers.tar busybox
	"$tools/gen_layers.py" layers
	ls -v layers/whiteouts-*.tar | xargs "$tools/oci_layout.py" l:t layers.tar >/dev/null
	local list='/busybox find . -xdev -exec /busybox stat -c "%n %f %u %g %Y" {} +'
	status 0 vpod run --rm $machine -w / oci:l:t -- /busybox sh -c "$list"
	sort <<<"$out" >guest
	mount_image oci:l:t
	(cd "$mnt" && find . -xdev -exec /bin/busybox stat -c '%n %f %u %g %Y' {} +) | sort >host
	umount "$mnt"
	[ "$(wc -l <host)" -ge 15 ]
	# what the pod adds are mount points; the root's own time changes with them
	is "missing or different" "$(grep -vxFf guest host | grep -v '^\. ' || true)" ""
	is added "$(grep -vxFf host guest | grep -Ev '^\.(/(dev|proc|sys|etc|tmp|run)(/hosts|/hostname|/resolv.conf)?)? ' || true)" ""
}

t_the_same_image_gives_the_same_bytes() {
	local first
	layout_of whiteouts
	rootfs_of "$(vpod fetch --full oci:l:t)" a
	first=$(sha256sum <a)
	"$O/vpod" --dir="$T/other" fetch --full oci:l:t >id
	(DATA=$T/other && rootfs_of "$(cat id)" b)
	is bytes "$(sha256sum <b)" "$first"
}

tap_run "$@"
