# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Images for tests, on top of tests/lib.sh: layouts, archives and a registry, all made here.

# A layout of our own with one image: make_layout DIR [FILE-CONTENT] [TAG]
make_layout() {
	local dir=$1 text=${2:-hello} tag=${3:-one} work
	work=$(mktemp -d "$T/layout.XXXXXX")
	[ -d "$dir" ] || umoci init --layout "$dir"
	umoci new --image "$dir:$tag"
	umoci unpack --rootless --image "$dir:$tag" "$work/b" 2>/dev/null
	mkdir -p "$work/b/rootfs/etc"
	echo "$text" >"$work/b/rootfs/etc/text"
	head -c 300000 /dev/urandom >"$work/b/rootfs/random"
	umoci repack --image "$dir:$tag" "$work/b" 2>/dev/null
	umoci config --image "$dir:$tag" --config.cmd /bin/sh --config.exposedports 80/tcp
	rm -rf "$work"
}

# A layout by hand, so that it can be wrong: json_layout DIR, then put_blob and index_of.
json_layout() {
	mkdir -p "$1/blobs/sha256"
	echo '{"imageLayoutVersion":"1.0.0"}' >"$1/oci-layout"
}

# put_blob DIR <content: prints "DIGEST SIZE"
put_blob() {
	local hex
	cat >"$T/blob"
	hex=$(sha256sum "$T/blob" | cut -c1-64)
	echo "sha256:$hex $(stat -c %s "$T/blob")"
	mv "$T/blob" "$1/blobs/sha256/$hex"
}

# desc MEDIA-TYPE DIGEST SIZE [MORE]
desc() {
	echo "{\"mediaType\":\"$1\",\"digest\":\"$2\",\"size\":$3${4:+,$4}}"
}

OCI=application/vnd.oci.image

# simple_layer [TEXT]: a tar with one file, another one in every test
simple_layer() {
	mkdir -p "$T/.tree/etc"
	echo "${1:-${T##*/}}" >"$T/.tree/etc/text"
	tar -C "$T/.tree" --sort=name --mtime=@0 -cf - .
	rm -rf "$T/.tree"
}

# simple_layout DIR [ARCH]: one gzip layer, every blob right.  Sets $config $layer $manifest.
simple_layout() {
	local dir=$1 arch=${2:-amd64} diff
	json_layout "$dir"
	simple_layer >"$T/layer"
	diff=sha256:$(sha256sum "$T/layer" | cut -c1-64)
	# shellcheck disable=SC2046 # "DIGEST SIZE" are two words
	layer=$(desc $OCI.layer.v1.tar+gzip $(gzip -nc "$T/layer" | put_blob "$dir"))
	# shellcheck disable=SC2046
	config=$(desc $OCI.config.v1+json $(put_blob "$dir" <<<"{\"os\":\"linux\",\"architecture\":\"$arch\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"$diff\"]}}"))
	with_manifest "$dir" "{\"schemaVersion\":2,\"config\":$config,\"layers\":[$layer]}"
}

# with_manifest DIR JSON [MEDIA-TYPE]: index.json points to it
with_manifest() {
	# shellcheck disable=SC2046
	manifest=$(desc "${3:-$OCI.manifest.v1+json}" $(put_blob "$1" <<<"$2"))
	echo "{\"schemaVersion\":2,\"manifests\":[$manifest]}" >"$1/index.json"
}

# The file that a descriptor names: blob_path DIR DESC
blob_path() {
	echo "$1/blobs/sha256/$(grep -o 'sha256:[0-9a-f]*' <<<"$2" | head -n 1 | cut -c8-)"
}

# A registry on loopback: sets $REG to host:port.
start_registry() {
	local port i
	for i in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 20000))
		cat >"$FILE_TMP/registry.yml" <<-END
			version: 0.1
			log: {level: error}
			storage: {filesystem: {rootdirectory: $FILE_TMP/registry}}
			http: {addr: "127.0.0.1:$port"}
		END
		docker-registry serve "$FILE_TMP/registry.yml" >"$FILE_TMP/registry.log" 2>&1 &
		REG_PID=$!
		at_exit "kill $REG_PID 2>/dev/null"
		for _ in $(seq 100); do
			curl -s "http://127.0.0.1:$port/v2/" >/dev/null && REG=127.0.0.1:$port && return
			kill -0 $REG_PID 2>/dev/null || break
			sleep 0.05
		done
	done
	echo "no registry came up ($i tries)" >&2
	return 1
}

# Everything in the store but names and times, to see that nothing changed or stayed.
store_files() {
	(cd "$DATA" 2>/dev/null && find blobs layers rootfs refs tmp locks -mindepth 1 2>/dev/null |
		grep -v '^blobs/sha256$' | sort) || true
}

# refuses REF PATTERN: one message in the house form, status 125, the store as before.
refuses() {
	local before
	before=$(store_files)
	status 125 vpod fetch "$1"
	like "the message" "$err" "^vpod: cannot .*$2"
	is "lines that are neither the message nor its hint" \
		"$(grep -vc '^vpod: cannot \|^hint: ' <<<"$err" || true)" 0
	is "what stays in the store" "$(store_files)" "$before"
}

# The root file system of an image, as one EROFS file: rootfs_of ID FILE
rootfs_of() {
	local dir=$DATA/rootfs/${1#sha256:}-v* l
	# shellcheck disable=SC2086
	cat $dir/meta >"$2"
	# shellcheck disable=SC2086,SC2013
	for l in $(grep -o '"blob":"sha256:[0-9a-f]*' $dir/info.json | cut -d: -f3); do
		cat "$DATA/layers/$l"-v*/data >>"$2"
	done
	fsck.erofs "$2" >/dev/null
}

# A registry that misbehaves, serving LAYOUT: sets $BAD to host:port; its log is $T/requests.
start_fake_registry() {
	"$TOP/tests/tools/fake_registry.py" "$1" "$T/port" >"$T/requests" 2>&1 &
	# shellcheck disable=SC2064 # this one's id, now
	trap "kill $! 2>/dev/null" EXIT
	until_true 10 test -s "$T/port"
	BAD=127.0.0.1:$(cat "$T/port")
}
