#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The metadata service, as apps see it.
. "$(dirname "$0")/../lib.sh"
make_busybox "$FILE_TMP/bb"
import_kernels

# app OPTIONS... -- SCRIPT: an app with these functions:
#   get PATH     the body of an answer
#   post PATH FORM
#   code PATH    the status of an answer
run() {
	local script='
		M="--header Metadata-Flavor:AppContainer"
		get() { wget -q -O - $M $AC_METADATA_URL/acMetadata/v1/$1; }
		post() { wget -q -O - $M --post-data="$2" $AC_METADATA_URL/acMetadata/v1/$1; }
		code() { wget -S -O /dev/null $M "$AC_METADATA_URL$1" 2>&1 | grep -o "HTTP/1.1 ..." | tail -n 1 | cut -c 10-; }
	'
	vpod run $machine --mds-register "dir:$FILE_TMP/bb" --name=web "${@:1:$#-1}" -- sh -c "$script${*: -1}"
}

t_pod_and_app_are_described() {
	status 0 run --uuid-file-save="$T/uuid" -e SECRET=x '
		get pod/uuid; echo; get pod/manifest; get pod/annotations; get pod/annotations/vpod/scratch; echo
		get apps/web/annotations; get apps/web/image/id; echo; get apps/web/image/manifest; get pod/manifest/'
	is uuid "$(sed -n 1p "$T/out")" "$(cat "$T/uuid")"
	vpod cat-manifest "$(cat "$T/uuid")" >manifest
	tail -n +2 "$T/out" | head -n "$(wc -l <manifest)" | cmp - manifest
	like annotations "$out" '\[\{"name":"vpod/hostname","value":"vpod-'
	like annotation "$out" '^disk$'
	like app "$out" '^\[\]$'
	like id "$out" '^sha256:[0-9a-f]{64}$'
	like image "$out" '^\{"acKind":"ImageManifest",.*"name":"SECRET"'
}

t_signatures_hold_between_pods_and_runs() {
	local sig uuid enc
	status 0 run --uuid-file-save="$T/uuid" 'post pod/hmac/sign "content=a%20b"'
	sig=$out uuid=$(cat "$T/uuid")
	is key "$(stat -c '%a %s' "$DATA/hmac.key")" "600 64"
	enc=$(sed 's/+/%2B/g' <<<"$sig")
	status 0 run "
		post pod/hmac/verify 'content=a+b&uuid=$uuid&signature=$enc' && echo good
		post pod/hmac/verify 'content=a+c&uuid=$uuid&signature=$enc' || echo bad
		post pod/hmac/verify \"content=a+b&uuid=\$(get pod/uuid)&signature=$enc\" || echo other"
	is verified "$out" "$(printf 'good\nbad\nother')"
}

t_status_tells_what_was_wrong() {
	status 0 run '
		code /acMetadata/v1/pod/uuid; code /acMetadata/v1/apps/none/image/id; code /nowhere
		code /acMetadata/v1/pod/hmac/sign; M=; code /acMetadata/v1/pod/uuid'
	is codes "$(tr '\n' ' ' <<<"$out")" "200 404 404 405 403 "
}

t_many_clients_at_once() {
	status 0 run '
		for i in $(seq 30); do get pod/uuid >/tmp/$i & done; wait
		cat /tmp/* | wc -c; for i in $(seq 12); do (tail -f /dev/null | nc 127.0.0.1 18112) & done; exit 0'
	is bytes "$out" $((30 * 36))
}

t_answer_longer_than_a_window() {
	local e=() i
	for i in $(seq 60); do e+=(-e "V$i=$(head -c 5000 /dev/zero | tr '\0' x)"); done
	status 0 run "${e[@]}" 'for i in 1 2 3 4; do get pod/manifest | wc -c; done | sort -u | wc -l; get pod/manifest | wc -c'
	[ "$(tail -n 1 <<<"$out")" -gt 300000 ] || fail "the manifest has $out bytes"
	is lengths "$(head -n 1 <<<"$out")" 1
}

t_there_is_none_unless_asked_for() {
	status 0 vpod run $machine "dir:$FILE_TMP/bb" -- sh -c \
		'echo "url:$AC_METADATA_URL"; nc -z 127.0.0.1 18112 || echo none'
	is url "$out" "$(printf 'url:\nnone')"
}

tap_run "$@"
