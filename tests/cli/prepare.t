#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Prepared pods: what they keep and what they refuse.  Boots nothing, needs neither KVM nor QEMU.
cd "$(dirname "$0")/../.." || exit 99
O=$(realpath "${O:-build}")
. tests/lib.sh

mkdir -p "$FILE_TMP/one/bin"
echo one >"$FILE_TMP/one/bin/app"
img=dir:$FILE_TMP/one

t_an_image_of_a_prepared_pod_stays() {
	local u id
	id=$(vpod fetch --full "$img")
	u=$(vpod prepare "$img" -- app)
	status 125 vpod image rm "$img"
	like message "$err" "^vpod: cannot remove image sha256:${id:7:12}: prepared pod $u needs it"
	like hint "$err" "^hint: 'vpod list'"
	status 125 vpod image rm "$id"
	is "image gc" "$(vpod image gc --grace-period=0s)" ""
	is images "$(vpod image list --no-legend | wc -l)" 1
	vpod rm "$u"
	vpod image rm "$img"
	is images "$(vpod image list --no-legend | wc -l)" 0
}

t_gc_passes_by_the_nameless_image_of_a_prepared_pod() {
	local u
	vpod fetch "$img" >/dev/null
	u=$(vpod prepare "$img" -- app)
	echo two >"$FILE_TMP/one/bin/app"
	vpod fetch "$img" >/dev/null
	is "image gc" "$(vpod image gc)" ""
	is images "$(vpod image list --no-legend | wc -l)" 2
	vpod rm "$u"
	like "image gc" "$(vpod image gc)" '^removed 1 image, '
}

t_nothing_is_removed_when_a_pod_cannot_tell_what_it_needs() {
	local u
	vpod fetch "$img" >/dev/null
	u=$(vpod prepare "$img" -- app)
	echo '{' >"$DATA/pods/prepared/$u/manifest.json"
	status 125 vpod image rm "$img"
	like message "$err" "^vpod: cannot tell which images are needed: cannot read pod $u"
	like hint "$err" "^hint: remove the pod with 'vpod rm ${u%%-*}'"
	vpod rm "$u"
	vpod image rm "$img"
}

tap_run "$@"
