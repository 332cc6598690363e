# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Debian packages as raw material: found by apt's lists, downloaded into our
# cache, checked by digest, never installed.  Sourced by tools/get-kernels and
# kernel-config/build; the sourcing script sets PROG for the messages.
#
# DOC: The cache is outside the tree, so that CI and clean checkouts share it:
#   debs/NAME_VERSION_ARCH.deb     as downloaded; a file with a name is whole
#   kernel/HASH/{vmlinux,config,release}
# Everything gets its name by rename, so a killed run leaves no half file.

say() { echo "$PROG: $*" >&2; }

# die WHAT-AND-WHY [HINT]
die() {
	say "$1"
	[[ -z ${2:-} ]] || echo "hint: $2" >&2
	exit 1
}

# The cache directory, made if need be.  HOME may be unset in CI.
cache_dir() {
	local dir

	if [[ -n ${VPOD_CACHE:-} ]]; then
		dir=$VPOD_CACHE
	elif [[ -n ${XDG_CACHE_HOME:-} ]]; then
		dir=$XDG_CACHE_HOME/vpod
	elif [[ -n ${HOME:-} ]]; then
		dir=$HOME/.cache/vpod
	else
		dir=/var/cache/vpod
	fi
	[[ $dir == /* ]] || dir=$PWD/$dir
	mkdir -p "$dir" || die "cannot make the cache directory $dir" "name another with VPOD_CACHE"
	echo "$dir"
}

# need_tools TOOL=PACKAGE...: all that is missing in one message.
need_tools() {
	local pair tools=() packages=()

	for pair; do
		command -v "${pair%%=*}" >/dev/null && continue
		tools+=("${pair%%=*}")
		packages+=("${pair#*=}")
	done
	((${#tools[@]} == 0)) ||
		die "cannot go on: missing ${tools[*]}" "apt-get install ${packages[*]}"
}

# Brings apt's lists, once per run, when a package is not in them.
apt_update() {
	[[ -z ${APT_UPDATED:-} ]] || return 1
	APT_UPDATED=1
	say "bringing apt's package lists"
	apt-get update -qq >&2
}

# The version of a package that apt would download, or "" if it knows none.
deb_candidate() {
	apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *//p' | grep -vx '(none)' || true
}

# deb_version PACKAGE: the same, after bringing the lists if that is needed.
deb_version() {
	local version

	version=$(deb_candidate "$1")
	if [[ -z $version ]] && apt_update; then
		version=$(deb_candidate "$1")
	fi
	[[ -n $version ]] || return 1
	echo "$version"
}

# The name under which apt-get download leaves a package.
deb_filename() {
	local arch

	arch=$(apt-cache show "$1=$2" | sed -n 's/^Architecture: *//p' | head -n 1)
	echo "${1}_${2//:/%3a}_$arch.deb"
}

# Compares a file with the digest in apt's (signed) lists.
deb_is_whole() {
	local want got

	want=$(apt-cache show "$1=$2" | sed -n 's/^SHA256: *//p' | head -n 1)
	got=$(sha256sum <"$3")
	[[ -n $want && ${got%% *} == "$want" ]]
}

# deb_fetch PACKAGE VERSION: prints the path of the package in the cache.
deb_fetch() {
	local debs file tmp

	debs=$(cache_dir)/debs
	mkdir -p "$debs"
	file=$debs/$(deb_filename "$1" "$2")
	if [[ -e $file ]]; then
		if deb_is_whole "$1" "$2" "$file"; then
			echo "$file"
			return
		fi
		say "$file has not the digest that apt's lists tell: fetching it anew"
	fi

	say "fetching $1 $2"
	tmp=$(mktemp -d "$debs/.tmp.XXXXXX")
	# The sandbox user of apt cannot write into our directory; nothing is installed.
	if ! (cd "$tmp" && apt-get -qq -o APT::Sandbox::User=root download "$1=$2" >&2) ||
		! deb_is_whole "$1" "$2" "$tmp/${file##*/}"; then
		rm -rf "$tmp"
		return 1
	fi
	sync "$tmp/${file##*/}"
	mv "$tmp/${file##*/}" "$file"
	rm -rf "$tmp"
	echo "$file"
}
