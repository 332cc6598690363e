#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The first things anybody tries, on the tuned kernel.
. "$(dirname "$0")/../lib.sh"
make_busybox "$FILE_TMP/bb"
import_kernels

run() {
	vpod run $machine "dir:$FILE_TMP/bb" "$@"
}

t_echo_prints() {
	status 0 run -- echo hi
	is stdout "$out" hi
	is stderr "$err" ""
}

t_exit_status_is_the_apps() {
	status 7 run -- sh -c 'exit 7'
}

tap_run "$@"
