/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/ports.h"

#include <string.h>

#define I8042_PULSE_RESET 0xfe
#define PANIC_PANICKED 1u
#define PANIC_CRASH_LOADED 2u
#define SLEEP_STATUS (SLEEP_PORT + 1)
#define SLEEP_ENABLE 0x20u /* ACPI 6.4 section 4.8.3.7; the type in bits 2-4 */
#define SLEEP_TYPE_S5 5u

/* One byte wide, all of them, as on the ISA bus; wider accesses hit nothing. */
static bool read_port(struct machine *m, uint16_t port, uint8_t *v)
{
	if (port >= UART_PORT && port < UART_PORT + 8) {
		*v = uart_read(&m->uart, port - UART_PORT);
		return true;
	}
	switch (port) {
	case I8042_PORT: /* neither buffer is full */
	case SLEEP_PORT:
	case SLEEP_STATUS:
		*v = 0;
		return true;
	case PANIC_PORT: /* what it takes */
		*v = PANIC_PANICKED | PANIC_CRASH_LOADED;
		return true;
	default:
		return false;
	}
}

void ports_read(struct machine *m, uint16_t port, uint8_t *data, unsigned len)
{
	if (len != 1 || !read_port(m, port, data))
		memset(data, 0xff, len);
}

void ports_write(struct machine *m, uint16_t port, const uint8_t *data, unsigned len)
{
	uint8_t v = data[0];

	if (len != 1)
		return;
	if (port >= UART_PORT && port < UART_PORT + 8)
		uart_write(&m->uart, port - UART_PORT, v);
	else if (port == I8042_PORT && v == I8042_PULSE_RESET)
		machine_end(m, END_RESET, "keyboard controller");
	else if (port == PANIC_PORT && v & PANIC_PANICKED)
		machine_end(m, END_PANIC, "the guest told of a panic");
	else if (port == SLEEP_PORT && v == (SLEEP_ENABLE | SLEEP_TYPE_S5 << 2))
		machine_end(m, END_POWEROFF, "ACPI");
}
