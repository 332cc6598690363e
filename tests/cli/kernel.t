#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 'vpod kernel ...' with Debian's own kernels, from the cache that tools/get-kernels fills.
# Needs neither root nor KVM nor a network; skips what is not to be had.

vpod=${VPOD:-${O:-build}/vpod}
cache=${VPOD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vpod}
T=$(mktemp -d "${TMPDIR:-/tmp}/vpod-kernel.XXXXXX") || exit 99
trap 'rm -rf "$T"' EXIT
n=0

[ -x "$vpod" ] || { echo "1..0 # SKIP $vpod is not built"; exit 77; }

ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); failed=1; echo "not ok $n - $1"; sed 's/^/# /' "$T/out" "$T/err" 2>/dev/null; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
check() { local what=$1; shift; if "$@"; then ok "$what"; else not_ok "$what"; fi; }
v() { "$vpod" --dir="$T/data" kernel "$@" >"$T/out" 2>"$T/err"; }

# One message, status 125, and the store is as it was.
fails() {
	local what=$1 before after status
	shift
	before=$(ls -A "$T/data/kernels" 2>/dev/null | grep -v '^\.lock$')
	v "$@"; status=$?
	after=$(ls -A "$T/data/kernels" 2>/dev/null | grep -v '^\.lock$')
	check "$what" test "$status,$(grep -c '^vpod: cannot ' "$T/err"),$(grep -vc '^hint: ' "$T/err"),$before" = \
		"125,1,1,$after"
}

find_deb() {
	local f
	for f in "$cache"/debs/linux-image-$1*-cloud-amd64_*.deb /var/cache/vpod-test/linux-image-$1*-cloud-amd64_*.deb; do
		[ -f "$f" ] && { echo "$f"; return; }
	done
}

# Independent judges: GNU cpio reads the archive, depmod and modprobe know the dependencies.
closure_is_what_modprobe_would_load() {
	local entry=$1 release=$2 root=$T/root.$2 m dep at
	mkdir -p "$root/lib/modules"
	cp -r "$entry/modules" "$root/lib/modules/$release"
	depmod -b "$root" "$release" 2>/dev/null || return
	(mkdir -p "$T/cpio.$release" && cd "$T/cpio.$release" && cpio -id --quiet <"$entry/modules.cpio") || return
	for m in virtio_mmio virtio_blk virtio_console virtio_rng virtio_net erofs overlay ext4; do
		at=0
		for dep in $(modprobe -d "$root" -S "$release" --show-depends "$m" 2>/dev/null |
			sed -n 's/^insmod //p'); do
			dep=$(basename "${dep%% *}"); dep=${dep%.xz}
			line=$(grep -nx -- "$dep" "$T/cpio.$release/modules/order" | cut -d: -f1)
			[ -n "$line" ] || { echo "$m needs $dep" >>"$T/err"; return 1; }
			[ -s "$T/cpio.$release/modules/$dep" ] || return 1
			case $dep in crc32c*) continue ;; esac # soft: their order among themselves is free
			[ "$line" -gt "$at" ] || { echo "$m: $dep comes too late" >>"$T/err"; return 1; }
			at=$line
		done
	done
}

# While a package is imported, its reader is a process of its own with a filter on system calls.
reader_is_confined() {
	local import helper reader seen=
	"$vpod" --dir="$T/watched" kernel import "$1" >"$T/out" 2>"$T/err" &
	import=$!
	while kill -0 $import 2>/dev/null && [ "$seen" != 2 ]; do
		helper=$(pgrep -P $import -x vpod-kernel) && reader=$(pgrep -P "$helper" | head -n 1) &&
			seen=$(awk '$1 == "Seccomp:" { print $2 }' "/proc/$reader/status" 2>/dev/null)
	done
	wait $import && [ "$seen" = 2 ] && rm -rf "$T/watched"
}

one_deb() {
	local version=$1 deb name entry
	deb=$(find_deb "$version")
	if [ -z "$deb" ]; then
		skip "Debian $version imports" "no linux-image-$version cloud .deb in $cache/debs (tools/get-kernels)"
		return
	fi
	check "Debian $version: its package is read by a confined process" reader_is_confined "$deb"
	check "Debian $version imports" v import "$deb"
	name=$(cat "$T/out")
	entry=$T/data/kernels/$name
	check "$name: named by its release" eval \
		'v info "$name" && grep -qx "release=$name" "$T/out" && [ "${name#$version.}" != "$name" ]'
	check "$name: vmlinux is a sound ELF file" eval 'readelf -lW "$entry/vmlinux" 2>&1 | grep -q "LOAD.*R E"'
	check "$name: nothing is missing for a pod" v check "$name"
	check "$name: module closure is what modprobe would load" closure_is_what_modprobe_would_load "$entry" "$name"
	check "$name: imported again is unchanged" eval 'v import "$deb" && grep -q "already there" "$T/err"'
	check "$name: under another name it is the same, byte for byte" eval \
		'v import --name=twin "$deb" && cmp "$entry/modules.cpio" "$T/data/kernels/twin/modules.cpio" &&
		 cmp "$entry/vmlinux" "$T/data/kernels/twin/vmlinux"'
	check "$name: twin goes" v rm twin
	mkdir -p "$T/deb.$version"
	ar p "$deb" data.tar.xz | tar -xJ -C "$T/deb.$version" --wildcards './boot/*'
	check "$name: its bzImage alone imports" v import --name=alone "$T/deb.$version/boot/vmlinuz-$name"
	check "$name: its bzImage has the same vmlinux" cmp "$entry/vmlinux" "$T/data/kernels/alone/vmlinux"
	v check alone
	check "$name: without modules they are named" grep -q \
		'CONFIG_VIRTIO_BLK=m, but the module virtio_blk is not there (the root disks)' "$T/err"
	v rm alone
	head -c 100000 "$deb" >"$T/short.deb"
	fails "$name: truncated .deb is one message" import "$T/short.deb"
	head -c 5000000 "$deb" >"$T/short.deb"
	fails "$name: .deb cut in its modules is one message" import "$T/short.deb"
	head -c 1000000 "$T/deb.$version/boot/vmlinuz-$name" >"$T/short"
	fails "$name: truncated bzImage is one message" import "$T/short"
	head -c 100000 "$entry/vmlinux" >"$T/short"
	fails "$name: truncated vmlinux is one message" import "$T/short"
}

killed_import_leaves_nothing_that_hurts() {
	local deb i
	deb=$(find_deb 6.1)
	[ -n "$deb" ] || { skip "a killed import leaves nothing that hurts" "no .deb"; return; }
	for i in 0.05 0.2 0.5 0.9; do
		"$vpod" --dir="$T/killed" kernel import "$deb" >/dev/null 2>&1 &
		sleep $i
		kill -9 $! 2>/dev/null
		wait $! 2>/dev/null
	done
	check "after killed imports the next one works" eval \
		'"$vpod" --dir="$T/killed" kernel import "$deb" >"$T/out" 2>"$T/err"'
	check "... and tidies up" test "$(ls -A "$T/killed/kernels" | tr '\n' ' ')" = ".lock $(cat "$T/out") "
}

full_disk_is_one_message() {
	local deb out
	deb=$(find_deb 6.1)
	if [ -z "$deb" ] || ! unshare -m true 2>/dev/null; then
		skip "a full disk is one message" "needs a .deb and a mount namespace"
		return
	fi
	mkdir -p "$T/full"
	unshare -m sh -c "mount -t tmpfs -o size=40m none '$T/full' && '$vpod' --dir='$T/full' kernel import '$deb' \
		>'$T/out' 2>'$T/err'; echo \$?; ls -A '$T/full/kernels'" >"$T/status"
	check "a full disk is one message" eval '[ "$(tr "\n" " " <"$T/status")" = "125 .lock " ] &&
		[ "$(grep -c "No space left on device" "$T/err")" = 1 ] && [ "$(wc -l <"$T/err")" = 1 ]'
}

fails "no kernel yet: default is one message" default
check "no kernel yet: the list is empty" eval 'v list --no-legend && [ ! -s "$T/out" ]'
one_deb 6.1
one_deb 6.12

head -c 65536 /dev/urandom >"$T/garbage"
{ printf '!<arch>\n'; head -c 65536 /dev/urandom; } >"$T/garbage.deb"
{ printf '\177ELF\2\1\1'; head -c 65536 /dev/urandom; } >"$T/garbage.elf"
: >"$T/empty"
mkdir "$T/dir"
mkfifo "$T/fifo"
for f in garbage garbage.deb garbage.elf empty dir fifo nonexistent; do
	fails "import of $f is one message" import "$T/$f"
done
fails "import of two things is one message" import "$T/a" "$T/b"
fails "a bad name is one message" import --name=../x "$T/garbage"
fails "rm of an unknown kernel is one message" rm nonesuch
killed_import_leaves_nothing_that_hurts
full_disk_is_one_message

tuned=$(ls -d "$cache"/kernel/*/ 2>/dev/null | head -1)
if [ -f "$tuned/vmlinux" ]; then
	check "vpod's own kernel imports" v import "$tuned"
	name=$(cat "$T/out")
	check "... lacks nothing" v check "$name"
	check "... is the default" eval 'v default && [ "$(cat "$T/out")" = "$name" ]'
	check "... and has no modules" test ! -e "$T/data/kernels/$name/modules.cpio"
	check "the list is JSON with one default" eval 'v list --format=json && python3 -c "
import json, sys
l = json.load(open(sys.argv[1]))
assert [k[\"name\"] for k in l if k[\"default\"]] == [sys.argv[2]]" "$T/out" "$name"'
	check "info tells what is where" eval 'v info "$name" && grep -qx "tuned=yes" "$T/out" &&
		grep -qx "vmlinux=$T/data/kernels/$name/vmlinux" "$T/out"'
	check "rm removes it" eval 'v rm "$name" && ! [ -e "$T/data/kernels/$name" ]'
else
	skip "vpod's own kernel" "none in $cache/kernel (make kernel)"
fi

echo "1..$n"
exit "${failed:-0}"
