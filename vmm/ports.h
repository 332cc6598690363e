/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port space: serial port, keyboard controller's reset line, panic signal, ACPI sleep register.
 * Everything else reads as ones and ignores writes.  vCPU threads.
 */
#ifndef VPOD_VMM_PORTS_H
#define VPOD_VMM_PORTS_H

#include "vmm/machine.h"

void ports_read(struct machine *m, uint16_t port, uint8_t *data, unsigned len);
void ports_write(struct machine *m, uint16_t port, const uint8_t *data, unsigned len);

#endif
