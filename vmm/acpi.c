/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI tables (ACPI 6.4) of a hardware-reduced machine: RSDP, XSDT, FADT, MADT and a DSDT that
 * names the virtio-mmio devices (LNRO0005), the serial port, the panic signal and S5.  Distro
 * kernels find their devices here.
 */
#include <stddef.h>
#include <string.h>

#include "vmm/aml.h"
#include "vmm/boot.h"

#define ACPI_AT 0xe0000u /* 16-aligned, in the range that is searched for the RSDP */
#define ACPI_SIZE 0x10000u

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t ext_checksum, reserved[3];
} __attribute__((packed));

struct table {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct address {
	uint8_t space, bits, offset, access;
	uint64_t at;
} __attribute__((packed));

/* Only what a hardware-reduced machine has. */
struct fadt {
	struct table head;
	uint8_t skipped[109 - 36];
	uint16_t boot_flags; /* at 109 */
	uint8_t reserved;
	uint32_t flags; /* at 112 */
	struct address reset;
	uint8_t reset_value;
	uint16_t arm_flags;
	uint8_t minor;
	uint64_t facs, dsdt; /* at 132, 140 */
	uint8_t blocks[244 - 148];
	struct address sleep_control, sleep_status; /* at 244, 256 */
	uint64_t hypervisor;
} __attribute__((packed));

_Static_assert(offsetof(struct fadt, flags) == 112, "ACPI 6.4 table 5.9");
_Static_assert(offsetof(struct fadt, dsdt) == 140, "ACPI 6.4 table 5.9");
_Static_assert(sizeof(struct fadt) == 276, "ACPI 6.4 table 5.9");

#define FADT_NO_VGA (1u << 2)
#define FADT_NO_MSI (1u << 3)
#define FADT_NO_RTC (1u << 5)
#define FADT_RESET_SUP (1u << 10)
#define FADT_HW_REDUCED (1u << 20)
#define SPACE_IO 1

struct madt {
	struct table head;
	uint32_t lapic, flags;
} __attribute__((packed));

struct madt_lapic {
	uint8_t type, length, uid, apic;
	uint32_t flags;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t at, gsi_base;
} __attribute__((packed));

/* Where the next table goes. */
struct area {
	uint8_t *base;
	uint32_t used;
};

/* Appends a table and completes its header. Returns its address in the guest. */
static uint64_t put_table(struct area *a, const char *signature, uint8_t revision,
			  const void *table, size_t len)
{
	struct table *t = (struct table *)(a->base + a->used);
	uint64_t at = ACPI_AT + a->used;

	memcpy(t, table, len);
	memcpy(t->signature, signature, 4);
	memcpy(t->oem, "VPOD  ", 6);
	memcpy(t->oem_table, "VPODVMM ", 8);
	memcpy(t->creator, "VPOD", 4);
	t->oem_revision = t->creator_revision = 1;
	t->length = (uint32_t)len;
	t->revision = revision;
	t->checksum = 0;
	t->checksum = boot_checksum(t, len);
	a->used = (a->used + (uint32_t)len + 15) & ~15u;
	return at;
}

static void add_virtio(struct aml *b, unsigned slot)
{
	size_t dev = aml_device(b, 'V', slot), crs;

	aml_name_string(b, "_HID", "LNRO0005");
	aml_name_integer(b, "_UID", slot);
	aml_name_integer(b, "_CCA", 1);
	crs = aml_resources(b);
	aml_memory32(b, (uint32_t)VIRTIO_BASE + slot * VIRTIO_STRIDE, VIRTIO_STRIDE);
	aml_interrupt(b, VIRTIO_FIRST_GSI + slot % VIRTIO_NR_GSI);
	aml_resources_end(b, crs);
	aml_package_end(b, dev);
}

/* PNP0501, a 16550; and QEMU0001, which Linux' pvpanic driver takes. */
static void add_ports(struct aml *b)
{
	size_t dev = aml_device(b, 'C', 0), crs;

	aml_name_string(b, "_HID", "PNP0501");
	aml_name_integer(b, "_UID", 0);
	crs = aml_resources(b);
	aml_io(b, UART_PORT, 8);
	aml_interrupt(b, UART_GSI);
	aml_resources_end(b, crs);
	aml_package_end(b, dev);
	dev = aml_device(b, 'P', 0);
	aml_name_string(b, "_HID", "QEMU0001");
	aml_name_integer(b, "_UID", 0);
	aml_name_integer(b, "_STA", 0xf);
	crs = aml_resources(b);
	aml_io(b, PANIC_PORT, 1);
	aml_resources_end(b, crs);
	aml_package_end(b, dev);
}

static uint64_t put_dsdt(struct area *a, const struct machine *m)
{
	static uint8_t buf[8192];
	struct aml b = { .buf = buf, .size = sizeof(buf), .len = sizeof(struct table) };
	size_t scope = aml_scope_sb(&b);
	unsigned i;

	for (i = 0; i < m->nr_devs; i++)
		add_virtio(&b, i);
	add_ports(&b);
	aml_package_end(&b, scope);
	aml_name_s5(&b, 5);
	return put_table(a, "DSDT", 2, buf, b.len);
}

static uint64_t put_fadt(struct area *a, uint64_t dsdt)
{
	struct fadt f = {
		.flags = FADT_HW_REDUCED | FADT_RESET_SUP,
		.boot_flags = FADT_NO_VGA | FADT_NO_MSI | FADT_NO_RTC,
		.reset = { SPACE_IO, 8, 0, 1, I8042_PORT },
		.reset_value = 0xfe,
		.minor = 4,
		.dsdt = dsdt,
		.sleep_control = { SPACE_IO, 8, 0, 1, SLEEP_PORT },
		.sleep_status = { SPACE_IO, 8, 0, 1, SLEEP_PORT + 1 },
	};

	return put_table(a, "FACP", 6, &f, sizeof(f));
}

static uint64_t put_madt(struct area *a, unsigned cpus)
{
	uint8_t buf[sizeof(struct madt) + sizeof(struct madt_ioapic) +
		    SPEC_MAX_CPUS * sizeof(struct madt_lapic)];
	struct madt head = { .lapic = BOOT_LAPIC };
	struct madt_ioapic io = { 1, sizeof(io), (uint8_t)cpus, 0, BOOT_IOAPIC, 0 };
	size_t len = sizeof(head);
	unsigned i;

	memcpy(buf, &head, sizeof(head));
	memcpy(buf + len, &io, sizeof(io));
	len += sizeof(io);
	for (i = 0; i < cpus; i++, len += sizeof(struct madt_lapic)) {
		struct madt_lapic l = { 0, sizeof(l), (uint8_t)i, (uint8_t)i, 1 };

		memcpy(buf + len, &l, sizeof(l));
	}
	return put_table(a, "APIC", 5, buf, len);
}

static uint64_t put_xsdt(struct area *a, uint64_t fadt, uint64_t madt)
{
	struct {
		struct table head;
		uint64_t tables[2];
	} __attribute__((packed)) x = { .tables = { fadt, madt } };

	return put_table(a, "XSDT", 1, &x, sizeof(x));
}

int acpi_write(struct machine *m, struct err *e)
{
	struct area a = { .base = mem_at(&m->mem, ACPI_AT, ACPI_SIZE), .used = 48 };
	struct rsdp r = { .revision = 2, .length = sizeof(r) };

	(void)e;
	memcpy(r.signature, "RSD PTR ", 8);
	memcpy(r.oem, "VPOD  ", 6);
	r.xsdt = put_xsdt(&a, put_fadt(&a, put_dsdt(&a, m)), put_madt(&a, m->spec->cpus));
	r.checksum = boot_checksum(&r, 20);
	r.ext_checksum = boot_checksum(&r, sizeof(r));
	memcpy(a.base, &r, sizeof(r));
	m->rsdp = ACPI_AT;
	return 0;
}
