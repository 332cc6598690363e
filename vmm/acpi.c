/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/boot.h"

int acpi_write(struct machine *m, struct err *e)
{
	(void)m;
	return err_set(e, 0, "cannot boot with ACPI: not there yet");
}
