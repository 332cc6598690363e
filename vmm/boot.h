/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: Boot
 *
 * A kernel is an ELF vmlinux, entered by the 64-bit protocol or by PVH (its ELF note), or a
 * bzImage, entered by the 64-bit protocol 0x200 bytes into its protected-mode part.  What the
 * kernel is told lies below 1 MiB, at the addresses below.
 */
#ifndef VPOD_VMM_BOOT_H
#define VPOD_VMM_BOOT_H

#include "vmm/machine.h"

/* Guest physical addresses. */
#define BOOT_GDT 0x500u
#define BOOT_GDT_SIZE 32u
#define BOOT_PVH_INFO 0x6000u
#define BOOT_PARAMS 0x7000u
#define BOOT_STACK 0x8ff0u
#define BOOT_PML4 0x9000u /* then a PDPT and four page directories: 4 GiB identity-mapped */
#define BOOT_CMDLINE 0x20000u
#define BOOT_LOW_END 0x9fc00u /* end of conventional memory: the MP table lies behind it */
#define BOOT_HIGH 0x100000u

/* Of the interrupt controllers, which are KVM's. */
#define BOOT_IOAPIC 0xfec00000u
#define BOOT_LAPIC 0xfee00000u

#define BOOT_CS 0x08
#define BOOT_DS 0x10
#define BOOT_TSS 0x18

/* Of the e820 map: type 1 is RAM, 2 reserved. */
struct boot_range {
	uint64_t start, size;
	uint32_t type;
};
#define BOOT_MAX_RANGES 4
unsigned boot_memory_map(const struct guest_mem *m, struct boot_range r[BOOT_MAX_RANGES]);

/* What a kernel image told of itself. */
struct boot_kernel {
	uint64_t entry;	       /* 64-bit */
	uint64_t pvh;	       /* 32-bit PVH entry; 0: none */
	uint64_t end;	       /* first byte behind it in guest memory */
	uint8_t header[0x200]; /* of a bzImage: its setup header, from 0x1f1 on; else zeros */
};

/*
 * Loads or maps the file into guest memory.  Checks every number in it against the file's size and
 * the guest's memory first.  kernel_load() looks at the magic.
 */
int kernel_load(const struct guest_mem *m, int fd, struct boot_kernel *out, struct err *e);
int kernel_load_elf(const struct guest_mem *m, int fd, uint64_t size, struct boot_kernel *out,
		    struct err *e);
int kernel_load_bzimage(const struct guest_mem *m, int fd, uint64_t size, struct boot_kernel *out,
			struct err *e);

/* "cannot boot the kernel: @why". Returns -1. */
int kernel_refuse(struct err *e, const char *why);

/* Reads [offset, offset + len) of @fd into guest memory at @gpa. */
int boot_read(const struct guest_mem *m, int fd, uint64_t offset, uint64_t gpa, uint64_t len,
	      const char *what, struct err *e);

/* Kernel, initrd, command line, tables: everything that is in memory when vCPU 0 starts. */
int boot_load(struct machine *m, struct err *e);

/* What makes the sum of @n bytes zero. */
uint8_t boot_checksum(const void *p, size_t n);

/* mptable.c: for kernels without ACPI. acpi.c: sets m->rsdp. */
int mptable_write(struct machine *m, struct err *e);
int acpi_write(struct machine *m, struct err *e);

#endif
