/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the other CPUs by INIT and SIPI, as many as the MP table lists, and waits until each has
 * counted itself from real mode.
 */
#include "lib.h"

#define APIC 0xfee00000ull
#define ICR_LOW 0x300
#define TRAMPOLINE 0x1000u
#define COUNT 0x1800u

static void apic_write(unsigned reg, uint32_t v)
{
	*(volatile uint32_t *)(APIC + reg) = v;
}

/* 16-bit: lock incw 0x1800; hlt; jmp back */
static const uint8_t code[] = { 0x31, 0xc0, 0x8e, 0xd8, 0xf0, 0xff, 0x06,
				0x00, 0x18, 0xfa, 0xf4, 0xeb, 0xfd };

/* A port access leaves the guest: other vCPUs get their turn. */
static void pause_a_while(void)
{
	uint8_t v;

	__asm__ volatile("inb $0x64, %0" : "=a"(v));
}

static unsigned cpus_of_mp_table(void)
{
	const uint8_t *table = (const uint8_t *)(uintptr_t) * (volatile uint32_t *)(0x9fc00 + 4);
	const uint8_t *entry = table + 44;
	unsigned n = 0;

	while (entry[0] == 0) { /* a processor, 20 bytes */
		n++;
		entry += 20;
	}
	return n;
}

void guest_main(void)
{
	volatile uint16_t *count = (volatile uint16_t *)(uintptr_t)COUNT;
	unsigned cpus = cpus_of_mp_table(), i;

	for (i = 0; i < sizeof(code); i++)
		((volatile uint8_t *)(uintptr_t)TRAMPOLINE)[i] = code[i];
	*count = 0;
	apic_write(0xf0, 0x1ff);	 /* software enable */
	apic_write(ICR_LOW, 0x000c4500); /* INIT to all others */
	for (i = 0; i < 1000; i++)
		pause_a_while();
	apic_write(ICR_LOW, 0x000c4600 | TRAMPOLINE >> 12); /* start-up */
	for (i = 0; i < 100000 && *count < cpus - 1; i++)
		pause_a_while();
	say("cpus ");
	say_hex(*count + 1u);
	say("\n");
	if (*count + 1u == cpus)
		pass();
	fail("not all came");
}
