#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pods of vpod-vmm with Debian's 6.12 generic kernel, inside one rig.
. "$(dirname "$0")/lib-rig.sh"
rig_debian 6.12-generic
