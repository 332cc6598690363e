#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Images against umoci: crafted layers, and a whole Debian; then the Debian as a pod.
. "$(dirname "$0")/../lib.sh"
import_kernels
cache=${VPOD_TEST_CACHE:-$CACHE/test}

need_root() { [ "$(id -u)" = 0 ] || skip "mounting an image and debootstrap need root"; }

minbase() {
	need_root
	"$TOP/tests/tools/make_minbase" "$cache" >make.log 2>&1 ||
		skip "no Debian tree: $(tail -n 1 make.log)"
}

t_crafted_layers_are_what_umoci_unpacks() {
	need_root
	local rc=0
	python3 "$TOP/tests/tools/umoci_diff.py" "$O/tests/tools/layer2erofs" >diff.log 2>&1 || rc=$?
	cat diff.log
	! grep '^not ok' diff.log
	[ "$(grep -c '^ok' diff.log)" -ge 5 ]
	is "exit status" $rc 0
}

# One file of what the store keeps apart: meta, then the layers' data.
concatenate() {
	local id=$1 f
	cat "$DATA"/rootfs/"$id"*/meta >"$2"
	for f in $(jq -r '.layers[] | .blob // .digest // .' "$DATA"/rootfs/"$id"*/info.json | sed 's/^sha256://'); do
		cat "$DATA"/layers/"$f"*/data >>"$2"
	done
}

t_a_debian_image_is_the_tree_that_umoci_unpacks() {
	minbase
	local id
	vpod fetch --full "oci:$cache/minbase-oci:latest" >id
	id=$(sed 's/^sha256[:-]//' id)
	concatenate "$id" image.erofs
	fsck.erofs image.erofs
	umoci unpack --image "$cache/minbase-oci:latest" bundle >/dev/null 2>&1
	mkdir mnt
	mount -t erofs -o loop,ro image.erofs mnt
	local rc=0
	python3 "$TOP/tests/tools/treecmp.py" mnt bundle/rootfs >cmp.log 2>&1 || rc=$?
	umount mnt
	head -n 30 cmp.log
	is "differences" $rc 0
}

t_the_same_image_gives_the_same_bytes() {
	minbase
	"$O/vpod" --dir="$T/a" fetch "oci:$cache/minbase-oci:latest" >/dev/null
	"$O/vpod" --dir="$T/b" fetch "oci:$cache/minbase-oci:latest" >/dev/null
	is trees "$(cd a && find rootfs layers -type f ! -name '*.json' -exec sha256sum {} + | sort)" \
		"$(cd b && find rootfs layers -type f ! -name '*.json' -exec sha256sum {} + | sort)"
}

t_a_debian_pod_runs_debians_programs() {
	minbase
	run() { vpod run --rm --accel=tcg "oci:$cache/minbase-oci:latest" -- "$@"; }
	like apt "$(run apt-get --version)" '^apt [0-9.]+ \(amd64\)'
	[ "$(run dpkg -l | grep -c '^ii')" -ge 80 ]
	is perl "$(run perl -e 'print join(",", map { $_ * 2 } 1..3), "\n"')" 2,4,6
}

tap_run
