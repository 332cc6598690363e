/* SPDX-License-Identifier: Apache-2.0 */
#include "caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int caps_bound(uint64_t mask, struct err *e)
{
	for (unsigned cap = 0; cap < 64; cap++) {
		if (mask & (1ull << cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL)
				break; /* beyond the last one that this kernel has */
			return err_set(e, errno, "cannot drop capability %u", cap);
		}
	}
	return 0;
}

int caps_keep(uint64_t mask, struct err *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct now[2], data[2];

	if (syscall(SYS_capget, &head, now) < 0)
		return err_set(e, errno, "cannot read capabilities");
	for (unsigned i = 0; i < 2; i++) {
		data[i].permitted = now[i].permitted & (uint32_t)(mask >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, data) < 0)
		return err_set(e, errno, "cannot set capabilities");
	return 0;
}
