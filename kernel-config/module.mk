# SPDX-License-Identifier: Apache-2.0
#
# The tuned guest kernel.  No other target depends on it: the build takes
# minutes, and its result is cached outside the tree (see kernel-config/build).

.PHONY: kernel check-kernel-config

kernel:
	$(Q)kernel-config/build

# Does every symbol that the fragments ask for exist and take?  Seconds, not minutes.
check-kernel-config:
	$(Q)kernel-config/build --check
