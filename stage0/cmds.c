/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "stage0/cmd.h"

/* One to a line. */
/* clang-format off */
const struct cmd *const cmds[] = {
	&cmd_run,
	&cmd_prepare,
	&cmd_run_prepared,
	&cmd_list,
	&cmd_status,
	&cmd_logs,
	&cmd_cat_manifest,
	&cmd_stop,
	&cmd_rm,
	&cmd_gc,
	&cmd_fetch,
	&cmd_image_list,
	&cmd_image_rm,
	&cmd_image_cat_manifest,
	&cmd_image_gc,
	&cmd_kernel_import,
	&cmd_kernel_list,
	&cmd_kernel_info,
	&cmd_kernel_check,
	&cmd_kernel_default,
	&cmd_kernel_rm,
	&cmd_net_list,
	&cmd_doctor,
	&cmd_vmm,
	&cmd_version,
	&cmd_help,
	NULL,
};
/* clang-format on */
