/* SPDX-License-Identifier: Apache-2.0 */
/* acpidump CPUS DEVICES DIR: the ACPI tables that vpod-vmm makes, each a file in DIR. No KVM. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "vmm/boot.h"

static uint64_t get(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

static const uint8_t *at(const struct machine *m, uint64_t gpa)
{
	const uint8_t *p = mem_at(&m->mem, gpa, 36);

	if (!p || !mem_at(&m->mem, gpa, get(p + 4, 4))) {
		fprintf(stderr, "acpidump: a table outside of memory\n");
		exit(1);
	}
	return p;
}

static void save(const char *dir, const uint8_t *table)
{
	char path[4096];
	struct err e;

	snprintf(path, sizeof(path), "%s/%.4s.aml", dir, (const char *)table);
	if (fs_write_atomic(AT_FDCWD, path, table, get(table + 4, 4), 0644, &e) < 0) {
		err_print(&e, "acpidump");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct vmm_spec spec = { .has_acpi = true };
	struct machine m = { .spec = &spec };
	const uint8_t *xsdt, *fadt;
	struct err e;
	unsigned i;

	if (argc != 4)
		return 2;
	spec.cpus = (unsigned)atoi(argv[1]);
	m.nr_devs = (unsigned)atoi(argv[2]);
	if (mem_init(&m.mem, 16u << 20, false, &e) < 0 || acpi_write(&m, &e) < 0) {
		err_print(&e, "acpidump");
		return 1;
	}
	xsdt = at(&m, get((uint8_t *)mem_at(&m.mem, m.rsdp, 36) + 24, 8));
	save(argv[3], xsdt);
	for (i = 36; i < get(xsdt + 4, 4); i += 8)
		save(argv[3], at(&m, get(xsdt + i, 8)));
	fadt = at(&m, get(xsdt + 36, 8));
	save(argv[3], at(&m, get(fadt + 140, 8)));
	return 0;
}
