/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MP table of kernels that boot without ACPI: Intel MultiProcessor Specification 1.4,
 * chapter 4. One IO-APIC, whose pins are the ISA interrupts of the same number.
 */
#include <string.h>

#include "vmm/boot.h"
#include "vmm/vcpu.h"

#define APIC_VERSION 0x14
#define ISA_BUS 0
#define NR_PINS 24

struct mp_pointer {
	char signature[4];
	uint32_t table;
	uint8_t length, revision, checksum, features[5];
} __attribute__((packed));

struct mp_header {
	char signature[4];
	uint16_t length;
	uint8_t revision, checksum;
	char oem[8], product[12];
	uint32_t oem_table;
	uint16_t oem_size, nr_entries;
	uint32_t lapic;
	uint16_t ext_length;
	uint8_t ext_checksum, reserved;
} __attribute__((packed));

struct mp_cpu {
	uint8_t type, apic, version, flags;
	uint32_t signature, features, reserved[2];
} __attribute__((packed));

struct mp_bus {
	uint8_t type, bus;
	char name[6];
} __attribute__((packed));

struct mp_ioapic {
	uint8_t type, apic, version, flags;
	uint32_t addr;
} __attribute__((packed));

struct mp_int {
	uint8_t type, irq_type;
	uint16_t flags;
	uint8_t bus, irq, apic, pin;
} __attribute__((packed));

enum { MP_CPU, MP_BUS, MP_IOAPIC, MP_IOINT, MP_LINT };
enum { MP_INT, MP_NMI, MP_SMI, MP_EXTINT };

static void add(uint8_t **at, struct mp_header *h, const void *entry, size_t len)
{
	memcpy(*at, entry, len);
	*at += len;
	h->nr_entries++;
}

static void add_entries(uint8_t **at, struct mp_header *h, unsigned cpus)
{
	struct mp_ioapic ioapic = { MP_IOAPIC, (uint8_t)cpus, 0x11, 1, BOOT_IOAPIC };
	struct mp_bus isa = { MP_BUS, ISA_BUS, "ISA   " };
	struct mp_int lint = { MP_LINT, MP_EXTINT, 0, ISA_BUS, 0, 0, 0 };
	unsigned i;

	for (i = 0; i < cpus; i++) {
		struct mp_cpu cpu = { .type = MP_CPU,
				      .apic = (uint8_t)i,
				      .version = APIC_VERSION,
				      .flags = i ? 1 : 3, /* enabled, bootstrap */
				      .signature = 0x600,
				      .features = 0x201 }; /* APIC, FPU */

		add(at, h, &cpu, sizeof(cpu));
	}
	add(at, h, &isa, sizeof(isa));
	add(at, h, &ioapic, sizeof(ioapic));
	for (i = 0; i < NR_PINS; i++) {
		struct mp_int pin = { MP_IOINT,	  MP_INT,	 0,	    ISA_BUS,
				      (uint8_t)i, (uint8_t)cpus, (uint8_t)i };

		add(at, h, &pin, sizeof(pin));
	}
	add(at, h, &lint, sizeof(lint));
	lint = (struct mp_int){ MP_LINT, MP_NMI, 0, ISA_BUS, 0, 0xff, 1 };
	add(at, h, &lint, sizeof(lint));
}

int mptable_write(struct machine *m, struct err *e)
{
	struct mp_pointer p = { .signature = { '_', 'M', 'P', '_' },
				.table = BOOT_LOW_END + sizeof(p),
				.length = 1,
				.revision = 4 };
	struct mp_header h = { .signature = "PCMP",
			       .revision = 4,
			       .oem = "VPOD    ",
			       .product = "VPOD-VMM    ",
			       .lapic = BOOT_LAPIC };
	uint8_t *start = mem_at(&m->mem, p.table, 4096), *at = start + sizeof(h);

	(void)e;
	add_entries(&at, &h, m->spec->cpus);
	h.length = (uint16_t)(at - start);
	memcpy(start, &h, sizeof(h));
	h.checksum = boot_checksum(start, h.length);
	memcpy(start, &h, sizeof(h));
	p.checksum = boot_checksum(&p, sizeof(p));
	memcpy(mem_at(&m->mem, BOOT_LOW_END, sizeof(p)), &p, sizeof(p));
	return 0;
}
