#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fetch and image ...: every format, wrong inputs, crashes, a full disk, many at once.
# No network but loopback.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib-image.sh"

for tool in umoci skopeo docker-registry fsck.erofs dump.erofs; do
	command -v $tool >/dev/null || {
		echo "1..0 # SKIP $tool is missing: run tools/setup"
		exit 77
	}
done
start_registry || exit 1

t_layout_becomes_a_rootfs() {
	make_layout l
	id=$(vpod fetch --full oci:l:one)
	like id "$id" '^sha256:[0-9a-f]{64}$'
	rootfs_of "$id" fs
	like "the listing" "$(dump.erofs --path=/etc/text fs)" 'regular file'
	is "id without --full" "$(vpod fetch oci:l)" "${id:0:19}"
}

t_the_same_image_has_one_id_in_every_oci_transport() {
	make_layout l
	skopeo copy -q oci:l:one oci-archive:a.tar:b
	skopeo copy -q --dest-tls-verify=false oci:l:one "docker://$REG/same:1"
	a=$(vpod fetch oci:l:one) b=$(vpod fetch oci-archive:a.tar:b) c=$(vpod fetch "$REG/same:1")
	is archive "$b" "$a"
	is registry "$c" "$a"
	gzip a.tar
	is "gzipped archive" "$(vpod fetch oci-archive:a.tar.gz:b)" "$a"
}

t_zstd_layers_are_read() {
	make_layout l
	skopeo copy -q --dest-compress --dest-compress-format=zstd oci:l:one oci:z:one ||
		skip "skopeo cannot compress with zstd"
	grep -q zstd z/blobs/sha256/* || skip "skopeo kept gzip"
	id=$(vpod fetch --full oci:z:one)
	rootfs_of "$id" fs
}

t_docker_archive_is_read() {
	make_layout l
	skopeo copy -q oci:l:one docker-archive:a.tar:h.example/b:1
	a=$(vpod fetch --full docker-archive:a.tar)
	is "by name" "$(vpod fetch --full docker-archive:a.tar:h.example/b:1)" "$a"
	rootfs_of "$a" fs
	refuses docker-archive:a.tar:c "no image named 'c', there is: h.example/b:1"
	gzip a.tar
	is gzipped "$(vpod fetch --full docker-archive:a.tar.gz)" "$a"
}

t_docker_archive_with_links_between_layers_is_read() {
	mkdir -p a/one a/two
	simple_layer >a/one/layer.tar
	diff=sha256:$(sha256sum a/one/layer.tar | cut -c1-64)
	ln -s ../one/layer.tar a/two/layer.tar
	echo "{\"rootfs\":{\"diff_ids\":[\"$diff\",\"$diff\"]}}" >a/c.json
	echo '[{"Config":"c.json","Layers":["one/layer.tar","two/layer.tar"]}]' >a/manifest.json
	tar -C a -cf a.tar c.json manifest.json one two
	vpod fetch docker-archive:a.tar
	echo '[{"Config":"c.json","Layers":["../../etc/passwd"]}]' >a/manifest.json
	tar -C a -cf a.tar c.json manifest.json one two
	refuses docker-archive:a.tar 'cannot open ../../etc/passwd in'
	ln -sfn ../../../etc/passwd a/two/layer.tar
	echo '[{"Config":"c.json","Layers":["two/layer.tar"]}]' >a/manifest.json
	tar -C a -cf a.tar c.json manifest.json one two
	refuses docker-archive:a.tar 'cannot open two/layer.tar in'
}

t_directory_and_tar_are_images() {
	mkdir -p root/a/b
	echo text >root/a/b/f
	ln root/a/b/f root/hard
	ln -s a/b/f root/soft
	chmod 4755 root/hard
	touch "root/$(printf 'x%.0s' $(seq 200))"
	one=$(vpod fetch --full dir:root)
	rootfs_of "$one" fs
	dump.erofs --path=/hard fs | grep -q 'Links: 2'
	cp -a root copy
	is "the id of the same tree elsewhere" "$(vpod fetch --full dir:copy)" "$one"
	tar -C root -czf r.tgz .
	rootfs_of "$(vpod fetch --full tar:r.tgz)" fs
	xz -k r.tgz
	refuses tar:r.tgz.xz 'compression with xz is not supported'
}

t_changed_local_sources_are_fetched_again() {
	make_layout l one
	a=$(vpod fetch --pull-policy=new oci:l:one)
	is unchanged "$(vpod fetch --pull-policy=new oci:l:one)" "$a"
	rm -r l
	is "a source that is gone" "$(vpod fetch --pull-policy=new oci:l:one)" "$a"
	make_layout l two
	b=$(vpod fetch --pull-policy=new oci:l:one)
	[ "$a" != "$b" ] || fail "the old image was taken"
	mkdir -p root/d
	echo 1 >root/d/f
	a=$(vpod fetch --pull-policy=new dir:root)
	echo 2 >root/d/f
	b=$(vpod fetch --pull-policy=new dir:root)
	[ "$a" != "$b" ] || fail "the old directory was taken"
}

t_pull_policy_never_asks_nobody() {
	status 125 vpod fetch --pull-policy=never "$REG/absent:1"
	like message "$err" 'cannot find image .*: it is not in the store'
	status 125 vpod fetch --pull-policy=often "$REG/absent:1"
}

t_image_of_this_platform_is_picked() {
	simple_layout l amd64
	good=$manifest
	simple_layout l s390x
	other=$manifest
	p='"platform":{"os":"linux","architecture":'
	# shellcheck disable=SC2046
	idx=$(desc $OCI.index.v1+json $(put_blob l <<<"{\"schemaVersion\":2,\"manifests\":[${other%\}},$p\"s390x\"}},${good%\}},$p\"amd64\"}}]}"))
	echo "{\"schemaVersion\":2,\"manifests\":[$idx]}" >l/index.json
	id=$(vpod fetch --full oci:l)
	like "the id" "$good" "$id"
	# shellcheck disable=SC2046
	idx=$(desc $OCI.index.v1+json $(put_blob l <<<"{\"schemaVersion\":2,\"manifests\":[${other%\}},$p\"s390x\"}}]}"))
	echo "{\"schemaVersion\":2,\"manifests\":[$idx]}" >l/index.json
	refuses oci:l 'no image for linux/amd64, there is: linux/s390x'
	# An index that lies about what it points to.
	echo "{\"schemaVersion\":2,\"manifests\":[${other%\}},$p\"amd64\"}}]}" >l/index.json
	refuses oci:l 'it is for linux/s390x, this host is linux/amd64'
}

t_wrong_references_are_usage_errors() {
	refuses oci:/nonexistent 'cannot open /nonexistent/index.json: No such file'
	refuses /etc 'a path needs to say what it is'
	refuses "http://h/b" 'unknown transport'
	refuses "Busy box" 'not a valid name'
	mkdir empty
	refuses oci:empty 'index.json: No such file'
	refuses "docker://$REG/absent:1" 'the registry has no such image'
}

t_layout_with_several_names_wants_one() {
	make_layout l a one
	make_layout l b two
	refuses oci:l 'it holds 2 images: one, two'
	refuses oci:l:three "no image named 'three', there is: one, two"
	vpod fetch oci:l:two
}

t_wrong_bytes_are_refused() {
	simple_layout l
	p=$(blob_path l "$layer")
	cp "$p" good
	head -c 50 good >"$p"
	refuses oci:l 'layer sha256:.*: it has 50 bytes, its descriptor says'
	tr 'a-y' 'b-z' <good >"$p"
	refuses oci:l 'layer sha256:.*: its content has the digest'
	cat good good >"$p"
	refuses oci:l 'it is longer than'
	rm "$p"
	refuses oci:l 'cannot open blobs/sha256/.*: No such file'
	ln -s /etc/shadow "$p"
	refuses oci:l 'it is a symbolic link'
	rm "$p"
	cp good "$p"
	echo '{}' >"$(blob_path l "$manifest")"
	refuses oci:l 'its content does not match'
}

t_truncated_archives_are_refused() {
	make_layout l
	skopeo copy -q oci:l:one oci-archive:a.tar:b
	for n in 100 600 5000 100000; do
		head -c $n a.tar >cut.tar
		refuses oci-archive:cut.tar 'cannot (read|open|fetch) '
	done
	gzip a.tar
	head -c 100000 a.tar.gz >cut.tgz
	refuses oci-archive:cut.tgz 'damaged or cut short'
	head -c 100000 /dev/urandom >noise
	refuses oci-archive:noise 'it is no tar'
}

t_layer_that_is_not_its_diff_id_is_refused() {
	simple_layout l
	# shellcheck disable=SC2046
	config=$(desc $OCI.config.v1+json $(put_blob l <<<"{\"rootfs\":{\"diff_ids\":[\"sha256:$(printf '0%.0s' $(seq 64))\"]}}"))
	with_manifest l "{\"schemaVersion\":2,\"config\":$config,\"layers\":[$layer]}"
	refuses oci:l 'cannot use layer 1 of 1'
	# The same when the layer is here already, by way of an honest image.
	simple_layout l2
	vpod fetch oci:l2
	refuses oci:l 'cannot use layer 1 of 1: its content is not sha256:0000'
	# shellcheck disable=SC2046
	config=$(desc $OCI.config.v1+json $(put_blob l <<<'{"rootfs":{"diff_ids":[]}}'))
	with_manifest l "{\"schemaVersion\":2,\"config\":$config,\"layers\":[$layer]}"
	refuses oci:l 'its configuration has 0 layers, its manifest 1'
}

t_hostile_json_is_refused() {
	simple_layout l
	m="\"config\":$config,\"layers\":[$layer]"
	with_manifest l "{\"schemaVersion\":2,$m,\"manifests\":[]}"
	refuses oci:l 'it claims to be an index and a manifest'
	with_manifest l "{\"schemaVersion\":2,$m,\"layers\":[]}"
	refuses oci:l 'cannot parse'
	with_manifest l "{\"schemaVersion\":2,\"config\":$config,\"layers\":[${layer%\}},\"urls\":[\"http://x/\"]}]}"
	refuses oci:l 'to be fetched from another place'
	with_manifest l "$(printf '[%.0s' $(seq 10000))"
	refuses oci:l 'nested deeper than 32 levels'
	with_manifest l "{\"a\":\"$(head -c 5000000 /dev/zero | tr '\0' x)\",\"schemaVersion\":2,$m}"
	refuses oci:l 'more than 4194304 bytes'
	head -c 5000000 /dev/zero | tr '\0' ' ' >l/index.json
	refuses oci:l 'more than 4194304 bytes'
	with_manifest l "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x/y\",\"digest\":\"sha256:$(printf '0%.0s' $(seq 64))\",\"size\":1},\"layers\":[]}"
	refuses oci:l 'it is no container image'
}

t_registry_digest_is_pinned() {
	simple_layout l
	skopeo copy -q --dest-tls-verify=false oci:l "docker://$REG/pin:1"
	id=$(vpod fetch --full "$REG/pin:1")
	is "by digest" "$(vpod fetch --full "$REG/pin@$id")" "$id"
	refuses "$REG/pin@sha256:$(printf '0%.0s' $(seq 64))" 'the registry has no such image'
	is "by its id" "$(vpod fetch --full "$id")" "$id"
	is "by a prefix of it" "$(vpod fetch --full "${id:7:10}")" "$id"
}

t_registry_that_serves_other_bytes_is_refused() {
	simple_layout l
	skopeo copy -q --dest-tls-verify=false oci:l "docker://$REG/bad:1"
	hex=$(grep -o 'sha256:[0-9a-f]*' <<<"$layer" | cut -c8-)
	f=$FILE_TMP/registry/docker/registry/v2/blobs/sha256/${hex:0:2}/$hex/data
	cp "$f" keep
	tr 'a-y' 'b-z' <keep >"$f"
	rm -rf "$DATA"
	refuses "$REG/bad:1" 'its content has the digest'
	cp keep "$f"
	vpod fetch "$REG/bad:1"
}

t_plain_http_is_for_loopback_only() {
	refuses "docker://192.0.2.1.example/b:1" 'cannot (read|use)'
	! grep -q 'http://' <<<"$err" || fail "it tried http: $err"
}

t_killed_fetches_leave_a_store_that_works() {
	make_layout l
	skopeo copy -q --dest-tls-verify=false oci:l:one "docker://$REG/kill:1"
	want=$(vpod fetch --full oci:l:one)
	for i in $(seq 40); do
		rm -rf "$DATA"
		"$O/vpod" --dir="$DATA" fetch "$REG/kill:1" >/dev/null 2>&1 &
		pid=$!
		sleep "0.0$(printf %02d $((i * 2)))"
		kill -9 $pid 2>/dev/null || true
		wait $pid 2>/dev/null || true
		# A second one, while litter of the first is there.
		is "the id after kill $i" "$(vpod fetch --full "$REG/kill:1")" "$want"
		rootfs_of "$want" fs
	done
	# The killed one may have been dying still when the second collected litter.
	vpod fetch "$REG/kill:1" >/dev/null
	is "litter" "$(ls "$DATA/tmp")" ""
}

t_many_fetches_at_once_make_one_image() {
	rm -rf "$DATA"
	make_layout l
	skopeo copy -q --dest-tls-verify=false oci:l:one "docker://$REG/many:1"
	for i in 1 2 3 4 5 6 7 8; do
		vpod fetch --full "$REG/many:1" >"id.$i" 2>"err.$i" &
		pids[i]=$!
	done
	for i in 1 2 3 4 5 6 7 8; do
		wait "${pids[i]}" || fail "fetch $i: $(cat "err.$i")"
	done
	is "different ids" "$(sort -u id.* | wc -l)" 1
	is "layers" "$(ls "$DATA/layers" | wc -l)" 1
	is "blobs" "$(ls "$DATA/blobs/sha256" | wc -l)" 3
	is "litter" "$(ls "$DATA/tmp" "$DATA/locks" | grep -v : | tr -d '\n')" ""
}

t_full_disk_is_one_clear_message() {
	make_layout l
	mkdir root small
	head -c 6000000 /dev/urandom >root/big
	unshare -m true 2>/dev/null || skip "mounting needs root"
	cat >inner <<-END
		mount -t tmpfs -o size=2m none small || exit 77
		"$O/vpod" --dir="$T/small" fetch dir:root >out 2>err
		echo \$? >status
		"$O/vpod" --dir="$T/small" fetch oci:l:one >out2 2>err2
		echo \$? >status2
		find small -type f | grep -v 'small/lock$' >files
	END
	unshare -m bash inner
	is status "$(cat status)" 125
	like message "$(cat err)" '^vpod: cannot .*No space left on device \(.* needed, .* free on .*/small\)'
	like hint "$(cat err)" '^hint: make room'
	is lines "$(wc -l <err)" 2
	is "an image that fits, afterwards" "$(cat status2)" 0
	is "files of the one that did not fit" "$(grep -c blobs files)" 3
}

t_damaged_files_are_made_again() {
	make_layout l
	id=$(vpod fetch --full oci:l:one)
	rootfs_of "$id" fs
	layer=$(ls -d "$DATA"/layers/*/ | head -n 1)
	rm -rf "$DATA"
	vpod fetch oci:l:one >/dev/null
	layer=$(ls -d "$DATA"/layers/*/)
	: >"$layer/data"
	vpod fetch --pull-policy=new oci:l:one >/dev/null
	rootfs_of "$id" fs2
	cmp fs fs2
	rm -rf "$DATA"/rootfs/*
	is "by id, from blobs" "$(vpod fetch --full "$id")" "$id"
	rootfs_of "$id" fs2
	cmp fs fs2
}

t_images_are_listed_and_removed() {
	rm -rf "$DATA"
	is "no store" "$(vpod image list --no-legend)" ""
	make_layout l a one
	make_layout m b one
	a=$(vpod fetch oci:l:one)
	vpod fetch dir:l/blobs >/dev/null
	b=$(vpod fetch oci:m:one)
	like legend "$(vpod image list | head -n 1)" '^ID +NAME +SIZE +IMPORT TIME +LAST USED$'
	is rows "$(vpod image list --no-legend | wc -l)" 3
	is fields "$(vpod image list --no-legend --fields=id --sort=name | head -n 1)" \
		"$(vpod image list --no-legend --fields=name,id --sort=name | head -n 1 | awk '{print $2}')"
	vpod image list --format=json | python3 -c '
import json, sys
l = json.load(sys.stdin)
assert len(l) == 3 and set(l[0]) == {"id", "name", "import_time", "last_used_time", "size"}, l'
	status 125 vpod image list --sort=color
	vpod image cat-manifest --pretty-print=false "$a" >manifest
	like "its digest" "sha256:$(sha256sum manifest)" "^$a"
	vpod image rm "$a" dir:l/blobs
	is rows "$(vpod image list --no-legend | wc -l)" 1
	status 125 vpod image rm "$a" "$b" oci:absent
	like message "$err" 'cannot remove 2 of 3 images: '
	is "files of no image" "$(store_files)" ""
}

t_image_that_is_held_stays() {
	make_layout l
	id=$(vpod fetch --full oci:l:one)
	exec {fd}<"$(echo "$DATA"/rootfs/"${id#sha256:}"-v*)"
	flock -s $fd
	status 125 vpod image rm oci:l:one
	like message "$err" "cannot remove image sha256:${id:7:12}: held by"
	status 125 vpod image rm "$id"
	rootfs_of "$id" fs
	exec {fd}<&-
	vpod image rm oci:l:one
	status 125 vpod image rm oci:l:one
}

t_last_name_takes_the_image_along() {
	rm -rf "$DATA"
	make_layout l
	cp -a l m
	vpod fetch oci:l:one oci:m:one >/dev/null
	vpod image rm oci:l:one
	rootfs_of "$(vpod fetch --pull-policy=never --full oci:m:one)" fs
	vpod image rm oci:m:one
	is "what stays" "$(store_files)" ""
}

t_gc_removes_what_lost_its_name() {
	rm -rf "$DATA"
	make_layout l one
	vpod fetch oci:l:one >/dev/null
	rm -r l
	make_layout l two
	id=$(vpod fetch --full oci:l:one)
	is "images before" "$(vpod image list --no-legend | wc -l)" 2
	like report "$(vpod image gc)" '^removed 1 image, '
	is "images after" "$(vpod image list --no-legend | wc -l)" 1
	rootfs_of "$id" fs
	mkdir "$DATA/tmp/1-dead" && touch "$DATA/tmp/1-dead/x" "$DATA/locks/blob-x"
	is "again" "$(vpod image gc)" ""
	is "litter" "$(ls "$DATA/tmp" "$DATA/locks" | grep -v : | tr -d '\n')" ""
}

t_store_is_closed_to_others() {
	mkdir -p root
	touch root/secret
	vpod fetch dir:root >/dev/null
	is "files that others may read" \
		"$(find "$DATA"/{blobs,layers,rootfs,refs,tmp,locks} -maxdepth 0 -perm /077)" ""
}

t_token_is_asked_for_and_goes_to_its_registry_only() {
	simple_layout l
	start_fake_registry l
	vpod fetch "$BAD/token:1"
	like "the scope" "$(cat requests)" '^/token\?scope=repository%3Atoken%3Apull&service=s None'
	is "times it was asked for" "$(grep -c '^/token' requests)" 1
	rm -rf "$DATA"
	vpod fetch "$BAD/token-elsewhere:1"
	grep -q '/v2/elsewhere/blobs/.* None None' requests || fail "the token went elsewhere: $(cat requests)"
	refuses "$BAD/token-file:1" 'cannot use address file:///etc/passwd'
	refuses "$BAD/token-metadata:1" 'cannot use address http://169.254.169.254/'
}

t_interrupted_download_goes_on_where_it_was() {
	simple_layout l
	start_fake_registry l
	vpod fetch "$BAD/cut:1"
	like "ranges" "$(cat requests)" '/v2/cut/blobs/.* bytes=[0-9]+-'
	rm -rf "$DATA"
	refuses "$BAD/wrong-range:1" 'the registry sent another part than asked for'
}

t_registry_that_lies_is_refused() {
	simple_layout l
	start_fake_registry l
	refuses "$BAD/loop:1" 'more than 5 redirects'
	refuses "$BAD/to-file:1" 'cannot use address file:///etc/passwd'
	refuses "$BAD/to-plain:1" 'cannot use address http://192.0.2.1/v2/: not https'
	refuses "$BAD/headers:1" 'over 64 KiB of headers'
	refuses "$BAD/big:1" 'more than 4194304 bytes'
	refuses "$BAD/other-digest:1" 'the registry says sha256:0000'
	refuses "$BAD/other-type:1" 'which it is not'
	refuses "$BAD/endless:1" 'it is longer than'
	vpod fetch "$BAD/elsewhere:1"
}

t_certificates_are_checked() {
	simple_layout l
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 \
		-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null ||
		skip "openssl is missing"
	cat >tls.yml <<-END
		version: 0.1
		storage: {filesystem: {rootdirectory: $T/registry}}
		http: {addr: "127.0.0.1:$((20000 + RANDOM % 20000))", tls: {certificate: $T/cert, key: $T/key}}
	END
	docker-registry serve tls.yml >registry.log 2>&1 &
	trap "kill $! 2>/dev/null" EXIT
	at=$(grep -o '127.0.0.1:[0-9]*' tls.yml)
	until_true 10 curl -sko /dev/null "https://$at/v2/"
	skopeo copy -q --dest-tls-verify=false oci:l "docker://$at/b:1"
	refuses "$at/b:1" 'certificate'
	status 0 vpod --insecure-options=tls fetch "localhost:${at#*:}/b:1"
}

tap_run "$@"
