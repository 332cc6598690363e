/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/boot.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define E820_RAM 1u
#define E820_RESERVED 2u

#define LOADER_TYPE_UNDEFINED 0xffu

/* xen/include/public/arch-x86/hvm/start_info.h, version 1. */
struct pvh_start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modules, cmdline, rsdp, memmap;
	uint32_t nr_memmap, reserved;
};

struct pvh_module {
	uint64_t addr, size, cmdline, reserved;
};

struct pvh_memmap {
	uint64_t addr, size;
	uint32_t type, reserved;
};

#define PVH_MAGIC 0x336ec578u
#define PVH_MODULES (BOOT_PVH_INFO + 0x100)
#define PVH_MEMMAP (BOOT_PVH_INFO + 0x200)

_Static_assert(sizeof(struct pvh_start_info) == 56, "as Xen lays it out");

struct initrd {
	uint64_t gpa, size;
};

unsigned boot_memory_map(const struct guest_mem *m, struct boot_range r[BOOT_MAX_RANGES])
{
	uint64_t low = m->regions[0].size;
	unsigned n = 0;

	r[n++] = (struct boot_range){ 0, BOOT_LOW_END, E820_RAM };
	r[n++] = (struct boot_range){ BOOT_LOW_END, BOOT_HIGH - BOOT_LOW_END, E820_RESERVED };
	if (low > BOOT_HIGH)
		r[n++] = (struct boot_range){ BOOT_HIGH, low - BOOT_HIGH, E820_RAM };
	if (m->nr > 1)
		r[n++] = (struct boot_range){ m->regions[1].gpa, m->regions[1].size, E820_RAM };
	return n;
}

uint8_t boot_checksum(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *b++);
	return (uint8_t)-sum;
}

int boot_read(const struct guest_mem *m, int fd, uint64_t offset, uint64_t gpa, uint64_t len,
	      const char *what, struct err *e)
{
	uint8_t *to = mem_at(m, gpa, len);
	ssize_t n;

	if (!to)
		return err_set(e, 0, "cannot load the %s: %llu bytes at 0x%llx are not in memory",
			       what, (unsigned long long)len, (unsigned long long)gpa);
	for (; len; len -= (uint64_t)n, to += n, offset += (uint64_t)n) {
		n = pread(fd, to, len, (off_t)offset);
		if (n < 0)
			return err_set(e, errno, "cannot read the %s", what);
		if (n == 0)
			return err_set(e, 0, "cannot read the %s: it ended early", what);
	}
	return 0;
}

/* As high as it may lie, so that the kernel can unpack above itself. */
static int load_initrd(struct machine *m, const struct boot_kernel *k, struct initrd *out,
		       struct err *e)
{
	uint64_t top = m->mem.regions[0].size;
	struct stat st;

	*out = (struct initrd){ 0 };
	if (m->spec->initrd.fd < 0)
		return 0;
	if (fstat(m->spec->initrd.fd, &st) < 0)
		return err_set(e, errno, "cannot stat the initrd");
	out->size = (uint64_t)st.st_size;
	if (out->size > top || top - out->size < k->end + 4096)
		return err_set(e, 0,
			       "cannot load the initrd: its %llu bytes and the kernel do not fit "
			       "into %llu MiB",
			       (unsigned long long)out->size, (unsigned long long)(top >> 20));
	out->gpa = (top - out->size) & ~4095ull;
	return boot_read(&m->mem, m->spec->initrd.fd, 0, out->gpa, out->size, "initrd", e);
}

static void write_gdt(struct machine *m)
{
	const uint64_t gdt[BOOT_GDT_SIZE / 8] = {
		0, m->is_pvh ? 0x00cf9b000000ffffull : 0x00af9b000000ffffull, /* BOOT_CS */
		0x00cf93000000ffffull,					      /* BOOT_DS */
		0x008f8b000000ffffull,					      /* a task, unused */
	};

	memcpy(mem_at(&m->mem, BOOT_GDT, sizeof(gdt)), gdt, sizeof(gdt));
}

/* The first 4 GiB, by 2-MiB pages, which every CPU has. */
static void write_page_tables(struct machine *m)
{
	uint64_t *pml4 = mem_at(&m->mem, BOOT_PML4, 6 * 4096), *pdpt = pml4 + 512, *pd = pdpt + 512;
	unsigned i;

	pml4[0] = (BOOT_PML4 + 0x1000) | 3;
	for (i = 0; i < 4; i++)
		pdpt[i] = (BOOT_PML4 + 0x2000 + i * 0x1000) | 3;
	for (i = 0; i < 4 * 512; i++)
		pd[i] = (uint64_t)i << 21 | 0x83;
}

static void write_params(struct machine *m, const struct boot_kernel *k, const struct initrd *rd)
{
	struct boot_params *p = mem_at(&m->mem, BOOT_PARAMS, sizeof(*p));
	struct boot_range r[BOOT_MAX_RANGES];
	unsigned i, n = boot_memory_map(&m->mem, r);

	memset(p, 0, sizeof(*p));
	if (k->header[0x202 - 0x1f1]) /* a bzImage's own header, then what we say */
		memcpy(&p->hdr, k->header, sizeof(p->hdr));
	p->hdr.boot_flag = 0xaa55;
	p->hdr.header = 0x53726448; /* "HdrS" */
	if (!p->hdr.kernel_alignment)
		p->hdr.kernel_alignment = 0x1000000;
	p->hdr.type_of_loader = LOADER_TYPE_UNDEFINED;
	p->hdr.cmd_line_ptr = BOOT_CMDLINE;
	p->hdr.cmdline_size = SPEC_MAX_CMDLINE;
	p->hdr.ramdisk_image = (uint32_t)rd->gpa;
	p->hdr.ramdisk_size = (uint32_t)rd->size;
	p->acpi_rsdp_addr = m->rsdp;
	for (i = 0; i < n; i++) {
		p->e820_table[i].addr = r[i].start;
		p->e820_table[i].size = r[i].size;
		p->e820_table[i].type = r[i].type;
	}
	p->e820_entries = (uint8_t)n;
}

static void write_pvh(struct machine *m, const struct initrd *rd)
{
	struct pvh_start_info info = { .magic = PVH_MAGIC,
				       .version = 1,
				       .nr_modules = rd->size ? 1 : 0,
				       .modules = PVH_MODULES,
				       .cmdline = BOOT_CMDLINE,
				       .rsdp = m->rsdp,
				       .memmap = PVH_MEMMAP };
	struct pvh_module module = { .addr = rd->gpa, .size = rd->size };
	struct pvh_memmap map[BOOT_MAX_RANGES] = { 0 };
	struct boot_range r[BOOT_MAX_RANGES];
	unsigned i;

	info.nr_memmap = boot_memory_map(&m->mem, r);
	for (i = 0; i < info.nr_memmap; i++)
		map[i] = (struct pvh_memmap){ r[i].start, r[i].size, r[i].type, 0 };
	memcpy(mem_at(&m->mem, BOOT_PVH_INFO, sizeof(info)), &info, sizeof(info));
	memcpy(mem_at(&m->mem, PVH_MODULES, sizeof(module)), &module, sizeof(module));
	memcpy(mem_at(&m->mem, PVH_MEMMAP, sizeof(map)), map, sizeof(map));
}

/* Without ACPI the kernel hears of its devices here: virtio_mmio.device=SIZE@ADDRESS:IRQ. */
static int write_cmdline(struct machine *m, struct err *e)
{
	char *to = mem_at(&m->mem, BOOT_CMDLINE, SPEC_MAX_CMDLINE);
	int n = snprintf(to, SPEC_MAX_CMDLINE, "%s", m->spec->cmdline);
	unsigned i;

	for (i = 0; !m->rsdp && i < m->nr_devs && n < SPEC_MAX_CMDLINE; i++)
		n += snprintf(to + n, (size_t)(SPEC_MAX_CMDLINE - n),
			      " virtio_mmio.device=4K@0x%llx:%u",
			      VIRTIO_BASE + (unsigned long long)i * VIRTIO_STRIDE,
			      VIRTIO_FIRST_GSI + i % VIRTIO_NR_GSI);
	if (n >= SPEC_MAX_CMDLINE)
		return err_set(e, 0,
			       "cannot boot: the command line with its devices is longer "
			       "than %d bytes",
			       SPEC_MAX_CMDLINE - 1);
	return 0;
}

static int choose_entry(struct machine *m, const struct boot_kernel *k, struct err *e)
{
	if (m->spec->boot == SPEC_BOOT_PVH && !k->pvh)
		return err_set(e, 0, "cannot boot the kernel by PVH: it has no PVH entry");
	m->is_pvh = m->spec->boot == SPEC_BOOT_PVH;
	m->entry = m->is_pvh ? k->pvh : k->entry;
	return 0;
}

int boot_load(struct machine *m, struct err *e)
{
	struct boot_kernel k;
	struct initrd rd;

	if (m->mem.size < 2 * BOOT_HIGH)
		return err_set(e, 0, "cannot boot in less than 2 MiB of memory");
	if (kernel_load(&m->mem, m->spec->kernel.fd, &k, e) < 0 || choose_entry(m, &k, e) < 0 ||
	    load_initrd(m, &k, &rd, e) < 0)
		return -1;
	if ((m->spec->has_acpi ? acpi_write(m, e) : mptable_write(m, e)) < 0 ||
	    write_cmdline(m, e) < 0)
		return -1;
	write_gdt(m);
	if (m->is_pvh) {
		write_pvh(m, &rd);
	} else {
		write_page_tables(m);
		write_params(m, &k, &rd);
	}
	return 0;
}
