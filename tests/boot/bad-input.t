#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What cannot be run: one message that names the cause, a hint where there is one, 125, and no trace.
# Images that are damaged or lie are in tests/cli/fetch.t; here is one of each, through run.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../cli/lib-image.sh"
make_busybox "$FILE_TMP/bb"
import_kernels
img=dir:$FILE_TMP/bb
vpod run --dry-run $machine "$img" -- true >/dev/null # makes the directories that stay

# All that a pod or a fetch could leave in the data directory.
traces() {
	store_files
	find "$DATA/pods" -mindepth 2 -maxdepth 2
}

# wrong PATTERN ARGS…: 'vpod ARGS' fails with one message that matches.
wrong() {
	local pattern=$1 before
	shift
	before=$(traces)
	status 125 vpod "$@"
	like message "$err" "^vpod: .*$pattern"
	is "messages of '$*'" "$(grep -vc '^hint: ' <<<"$err")" 1
	is "printed by '$*'" "$out" ""
	is "left by '$*'" "$(traces)" "$before"
}

hinted() { like hint "$err" "^hint: .*$1"; }

wrong_run() {
	local pattern=$1
	shift
	wrong "$pattern" run $machine "$@"
}

t_misspelt_words_name_the_nearest() {
	wrong '--memroy' run --memroy=1 "$img"
	hinted '--memory'
	wrong '--intractive' run --intractive "$img"
	hinted '--interactive'
	wrong 'statsu' statsu
	hinted status
	wrong '--grace-peroid' gc --grace-peroid=1s
	hinted '--grace-period'
	wrong '--insecure-option' --insecure-option=image run "$img"
	hinted '--insecure-options'
}

t_values_that_are_none() {
	wrong_run 'memory' --memory=lots "$img"
	wrong_run 'memory' "$img" --memory=-1
	wrong_run 'memory' "$img" --memory=99999999999999999999
	wrong_run 'memory' "$img" --memory=1Ki
	wrong_run 'cpu' "$img" --cpu=none
	wrong_run 'cpu' "$img" --cpu=0
	wrong_run 'timeout' --timeout=soon "$img"
	wrong_run 'timeout' --timeout=-2s "$img"
	wrong_run 'timeout' --timeout= "$img"
	wrong_run 'vm-cpus' --vm-cpus=0.5 "$img"
	wrong_run 'accel' --accel=warp "$img"
	wrong_run 'hypervisor' --hypervisor=bhyve "$img"
	wrong_run 'pull-policy|pull policy' --pull-policy=perhaps "$img"
	wrong_run 'scratch' --scratch=tape "$img"
	wrong_run 'scratch' --scratch=disk:1 "$img"
	wrong_run 'readonly-rootfs' "$img" --readonly-rootfs=maybe
	wrong_run 'supplementary-gids' "$img" --supplementary-gids=1,x
	wrong_run 'insecure-options' --insecure-options=everything "$img"
	hinted 'all-run'
}

t_values_that_are_missing() {
	wrong 'memory' run "$img" --memory
	wrong 'no image' run
	wrong 'no image' run "$img" -- true ---
	wrong "'---' must follow" run --- "$img"
	wrong "'--' must follow" run -- true
	wrong 'status' status
	wrong 'stop' stop
	wrong 'rm' rm
}

t_sizes_that_no_host_has() {
	wrong_run 'memory' --vm-memory=1 "$img" -- true
	wrong_run 'memory' --vm-memory=900Ti "$img" -- true
	wrong_run 'CPU' --vm-cpus=100000 "$img" -- true
	wrong_run 'CPU' "$img" --cpu=5000 -- true
}

t_names_that_are_none() {
	wrong_run "name" "$img" --name=Big_Name -- true
	hinted 'a-z'
	wrong_run 'named' "$img" --name=a -- true --- "$img" --name=a -- true
	wrong_run 'hostname' --hostname= "$img" -- true
	wrong_run 'hostname' --hostname="$(printf 'h%.0s' {1..70})" "$img" -- true
	wrong_run 'environment' "$img" -e =x -- true
	wrong_run 'working directory' "$img" -w relative -- true
	wrong_run 'kernel' --kernel=none-such "$img" -- true
	wrong_run 'kernel' --kernel=../../etc "$img" -- true
}

t_volumes_and_mounts() {
	wrong_run 'kind= is missing' --volume=v "$img" -- true
	wrong_run 'kind=empty' --volume=v,kind=host,source=/ "$img" -- true
	wrong_run 'octal' --volume=v,kind=empty,mode=999 "$img" -- true
	wrong_run 'name' --volume=V_,kind=empty "$img" -- true
	wrong_run 'taken' --volume=v,kind=empty --volume=v,kind=empty "$img" -- true
	wrong_run 'no volume' "$img" --mount volume=v,target=/x -- true
	wrong_run 'absolute' --volume=v,kind=empty "$img" --mount volume=v,target=x -- true
	wrong_run 'target= is missing' --volume=v,kind=empty "$img" --mount volume=v -- true
}

t_images_that_are_not_there() {
	wrong_run 'No such file|no such' "oci:$T/none" -- true
	wrong_run 'No such file|no such' "oci-archive:$T/none.tar" -- true
	wrong_run 'No such file|no such' "docker-archive:$T/none.tar" -- true
	wrong_run 'No such file|no such' "dir:$T/none" -- true
	wrong_run 'No such file|no such' "tar:$T/none" -- true
	wrong_run 'sha256:0{12}|not in the store|no image' "sha256:$(printf '0%.0s' {1..64})" -- true
	wrong_run 'http:?|ftp|reference|image' "ftp://host/image" -- true
	wrong_run 'image|reference' "" -- true
	wrong_run '127.0.0.1:1' "docker://127.0.0.1:1/x:1" -- true
	wrong_run 'no program|names no program' "$img"
	hinted 'PROGRAM'
}

t_images_that_are_damaged() {
	tar -C "$FILE_TMP/bb" -cf whole.tar .
	head -c 400000 whole.tar >cut.tar
	wrong_run 'cut.tar' "tar:$T/cut.tar" -- true
	head -c 100000 /dev/urandom >noise.tar
	wrong_run 'noise.tar' "tar:$T/noise.tar" -- true
	: >empty.tar
	wrong_run 'empty.tar' "oci-archive:$T/empty.tar" -- true
	tar -cf escape.tar --transform='s|^|../../|' -P -C "$FILE_TMP/bb" etc/passwd
	wrong_run '\.\.' "tar:$T/escape.tar" -- true
	simple_layout other arm64
	wrong_run 'arm64|platform' "oci:$T/other" -- true
	simple_layout bad
	printf x >>"$(blob_path bad "$layer")"
	wrong_run 'sha256' "oci:$T/bad" -- true
}

t_an_image_that_is_a_hostile_manifest() {
	json_layout big
	{ printf '{"schemaVersion":2,"x":"' && head -c 5000000 /dev/zero | tr '\0' a && printf '"}'; } >big/index.json
	wrong_run 'index.json' "oci:$T/big" -- true
	json_layout deep
	{ head -c 10000 /dev/zero | tr '\0' '['; } >deep/index.json
	wrong_run 'deeper than' "oci:$T/deep" -- true
}

t_a_data_directory_that_cannot_be_used() {
	: >file
	status 125 "$O/vpod" --dir="$T/file" run $machine "$img" -- true
	like message "$err" "^vpod: cannot .*$T/file"
	is messages "$(grep -vc '^hint: ' <<<"$err")" 1
	status 0 "$O/vpod" --dir="$T/new" list --no-legend
	[ ! -e new ] || fail "list made a directory"
}

t_without_a_kernel_the_way_to_one_is_told() {
	VPOD_CACHE=$T/none HOME=$T status 125 "$O/vpod" --dir="$T/empty" run $machine "$img" -- true
	like message "$err" 'kernel'
	hinted 'kernel'
	is "pods" "$(find "$T/empty/pods" -mindepth 2 2>/dev/null)" ""
}

t_a_full_disk_is_told() {
	[ "$(id -u)" = 0 ] || skip "needs root to mount a small disk"
	mkdir small big
	head -c 30000000 /dev/urandom >big/file
	mount -t tmpfs -o size=8m none small
	trap 'umount "$T/small"' EXIT
	status 125 "$O/vpod" --dir="$T/small/data" fetch "dir:$T/big"
	like message "$err" '^vpod: cannot .*No space left on device'
	is messages "$(grep -vc '^hint: ' <<<"$err")" 1
	is "left behind" "$(find small/data -type f -size +0 | wc -l)" 0
}

t_a_tar_may_lack_its_last_padding_but_no_content() {
	python3 - "$T" <<-'E'
		import io, sys, tarfile
		b = io.BytesIO()
		info = tarfile.TarInfo("f")
		info.size = 1000
		tarfile.open(fileobj=b, mode="w").addfile(info, io.BytesIO(b"x" * 1000))
		open(sys.argv[1] + "/unpadded.tar", "wb").write(b.getvalue()[:512 + 1000])
		open(sys.argv[1] + "/short.tar", "wb").write(b.getvalue()[:512 + 900])
	E
	status 0 vpod fetch "tar:$T/unpadded.tar"
	status 125 vpod fetch "tar:$T/short.tar"
	like message "$err" 'cannot read the tar'
}

tap_run "$@"
