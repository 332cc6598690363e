/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel loaders and what the kernel is told: V27 of the threat list, without KVM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <asm/bootparam.h>
#include <cmocka.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/boot.h"

#define MEM (32u << 20)
#define KERNEL_AT 0x200000u

/* An ELF with two segments and a PVH note, which tests then spoil. */
struct image {
	Elf64_Ehdr h;
	Elf64_Phdr p[3];
	struct {
		Elf64_Nhdr n;
		char name[4];
		uint64_t entry;
	} note;
	uint8_t pad[4096 - sizeof(Elf64_Ehdr) - 3 * sizeof(Elf64_Phdr) - 24];
	uint8_t text[8192 + 100];
} __attribute__((packed));

static struct vmm_spec spec;
static struct machine m;

static void fill(struct image *i)
{
	memset(i, 0, sizeof(*i));
	memcpy(i->h.e_ident, ELFMAG, SELFMAG);
	i->h.e_ident[EI_CLASS] = ELFCLASS64;
	i->h.e_ident[EI_DATA] = ELFDATA2LSB;
	i->h.e_machine = EM_X86_64;
	i->h.e_phoff = offsetof(struct image, p);
	i->h.e_phentsize = sizeof(Elf64_Phdr);
	i->h.e_phnum = 3;
	i->h.e_entry = 0xffffffff80000010ull;
	i->p[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
				.p_offset = 4096,
				.p_vaddr = 0xffffffff80000000ull,
				.p_paddr = KERNEL_AT,
				.p_filesz = 8192 + 100,
				.p_memsz = 16384 };
	i->p[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
				.p_offset = 4096 + 5,
				.p_vaddr = 0xffffffff81000000ull,
				.p_paddr = KERNEL_AT + 0x10000,
				.p_filesz = 1000,
				.p_memsz = 1000 };
	i->p[2] = (Elf64_Phdr){ .p_type = PT_NOTE,
				.p_offset = offsetof(struct image, note),
				.p_filesz = sizeof(i->note) };
	i->note.n = (Elf64_Nhdr){ .n_namesz = 4, .n_descsz = 8, .n_type = 18 };
	memcpy(i->note.name, "Xen", 4);
	i->note.entry = KERNEL_AT + 0x20;
	memset(i->text, 0xcc, sizeof(i->text));
}

static int write_file(const void *p, size_t len)
{
	int fd = memfd_create("kernel", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, len), len);
	return fd;
}

static int load(const void *p, size_t len, struct boot_kernel *k, struct err *e)
{
	int fd = write_file(p, len), r = kernel_load(&m.mem, fd, k, e);

	close(fd);
	return r;
}

static void refuse(const void *p, size_t len, const char *why)
{
	struct boot_kernel k;
	struct err e;

	assert_int_equal(load(p, len, &k, &e), -1);
	if (!strstr(e.msg, why))
		fail_msg("'%s' does not say '%s'", e.msg, why);
}

static int setup(void **state)
{
	struct err e;

	(void)state;
	spec = (struct vmm_spec){ .cpus = 2, .memory = MEM };
	spec.kernel.fd = spec.initrd.fd = -1;
	m = (struct machine){ .spec = &spec };
	return mem_init(&m.mem, MEM, false, &e);
}

static int teardown(void **state)
{
	(void)state;
	mem_free(&m.mem);
	return 0;
}

static void elf_segments_go_to_their_addresses(void **state)
{
	struct boot_kernel k;
	struct image i;
	struct err e;
	uint8_t *at;

	(void)state;
	fill(&i);
	i.text[8192 + 99] = 0x77;
	memset(mem_at(&m.mem, KERNEL_AT, 1), 0, 1);
	assert_int_equal(load(&i, sizeof(i), &k, &e), 0);
	at = mem_at(&m.mem, KERNEL_AT, 16384);
	assert_memory_equal(at, i.text, sizeof(i.text));
	assert_int_equal(at[8192 + 100], 0); /* bss */
	assert_memory_equal(mem_at(&m.mem, KERNEL_AT + 0x10000, 1000), i.text + 5, 1000);
	assert_int_equal(k.entry, KERNEL_AT + 0x10);
	assert_int_equal(k.pvh, KERNEL_AT + 0x20);
	assert_int_equal(k.end, KERNEL_AT + 0x10000 + 1000);
}

/* What a guest writes over its kernel stays its own. */
static void mapped_kernel_is_private(void **state)
{
	struct boot_kernel k;
	struct image i;
	struct err e;
	uint8_t byte;
	int fd;

	(void)state;
	fill(&i);
	fd = write_file(&i, sizeof(i));
	assert_int_equal(kernel_load(&m.mem, fd, &k, &e), 0);
	*(uint8_t *)mem_at(&m.mem, KERNEL_AT, 1) = 0x11;
	assert_int_equal(pread(fd, &byte, 1, 4096), 1);
	assert_int_equal(byte, 0xcc);
	close(fd);
}

static void elf_lies_are_refused(void **state)
{
	struct image i;

	(void)state;
	fill(&i);
	refuse(&i, 3, "cut short");
	refuse(&i, 40, "cut short");
	i.h.e_machine = EM_AARCH64;
	refuse(&i, sizeof(i), "not for x86-64");
	fill(&i);
	i.h.e_phnum = 65535;
	refuse(&i, sizeof(i), "program headers");
	fill(&i);
	i.h.e_phoff = UINT64_MAX - 8;
	refuse(&i, sizeof(i), "program headers");
	fill(&i);
	i.h.e_entry = 0x1234;
	refuse(&i, sizeof(i), "entry lies outside");
	fill(&i);
	i.note.entry = 0x123456789abcull;
	refuse(&i, sizeof(i), "PVH entry");
}

static void segments_that_lie_are_refused(void **state)
{
	struct image i;

	(void)state;
	fill(&i);
	i.p[0].p_filesz = sizeof(i);
	i.p[0].p_memsz = 1u << 20;
	refuse(&i, sizeof(i), "outside of the file");
	fill(&i);
	i.p[0].p_offset = UINT64_MAX - 100;
	refuse(&i, sizeof(i), "outside of the file");
	fill(&i);
	i.p[0].p_memsz = 100;
	refuse(&i, sizeof(i), "outside of the file");
	fill(&i);
	i.p[0].p_memsz = MEM;
	refuse(&i, sizeof(i), "guest's memory");
	fill(&i);
	i.p[0].p_paddr = UINT64_MAX - 4095;
	refuse(&i, sizeof(i), "guest's memory");
	fill(&i);
	i.p[0].p_paddr = 0; /* over the tables */
	refuse(&i, sizeof(i), "guest's memory");
	fill(&i);
	i.p[1].p_paddr = KERNEL_AT + 4096;
	refuse(&i, sizeof(i), "overlap");
}

static void notes_that_lie_are_no_pvh(void **state)
{
	struct boot_kernel k;
	struct image i;
	struct err e;

	(void)state;
	fill(&i);
	i.note.n.n_descsz = UINT32_MAX;
	assert_int_equal(load(&i, sizeof(i), &k, &e), 0);
	assert_int_equal(k.pvh, 0);
	fill(&i);
	i.p[2].p_filesz = UINT64_MAX;
	assert_int_equal(load(&i, sizeof(i), &k, &e), 0);
	assert_int_equal(k.pvh, 0);
}

static void make_bzimage(uint8_t *buf, size_t len, struct setup_header *h)
{
	memset(buf, 0, len);
	memset(h, 0, sizeof(*h));
	h->setup_sects = 1;
	h->header = 0x53726448;
	h->version = 0x20f;
	h->xloadflags = 1;
	h->pref_address = 0x1000000;
	h->init_size = 1u << 20;
}

static void bzimage_is_entered_behind_its_start(void **state)
{
	static uint8_t buf[16384];
	struct setup_header h;
	struct boot_kernel k;
	struct err e;

	(void)state;
	make_bzimage(buf, sizeof(buf), &h);
	memcpy(buf + 0x1f1, &h, sizeof(h));
	buf[1024] = 0x42;
	assert_int_equal(load(buf, sizeof(buf), &k, &e), 0);
	assert_int_equal(k.entry, 0x1000200);
	assert_int_equal(k.end, 0x1100000);
	assert_int_equal(*(uint8_t *)mem_at(&m.mem, 0x1000000, 1), 0x42);
}

static void bzimage_lies_are_refused(void **state)
{
	static uint8_t buf[16384];
	struct setup_header h;

	(void)state;
#define SPOIL(change, why)                          \
	do {                                        \
		make_bzimage(buf, sizeof(buf), &h); \
		change;                             \
		memcpy(buf + 0x1f1, &h, sizeof(h)); \
		refuse(buf, sizeof(buf), why);      \
	} while (0)
	SPOIL(h.setup_sects = 255, "setup part");
	SPOIL(h.header = 0, "neither");
	SPOIL(h.version = 0x20b, "64-bit");
	SPOIL(h.xloadflags = 0, "64-bit");
	SPOIL(h.init_size = UINT32_MAX, "does not fit");
	SPOIL(h.init_size = 1, "does not fit");
	SPOIL(h.pref_address = UINT64_MAX - 4095, "does not fit");
	SPOIL(h.pref_address = 0, "does not fit");
#undef SPOIL
	make_bzimage(buf, sizeof(buf), &h);
	memcpy(buf + 0x1f1, &h, sizeof(h));
	refuse(buf, 0x200, "cut short");
}

static int boot(size_t initrd_size, struct err *e)
{
	struct image i;
	int r;

	fill(&i);
	spec.kernel.fd = write_file(&i, sizeof(i));
	if (initrd_size) {
		spec.initrd.fd = write_file("", 0);
		assert_int_equal(ftruncate(spec.initrd.fd, (off_t)initrd_size), 0);
	}
	r = boot_load(&m, e);
	close(spec.kernel.fd);
	close(spec.initrd.fd);
	return r;
}

static void zero_page_tells_memory_and_initrd(void **state)
{
	struct boot_params *p = mem_at(&m.mem, BOOT_PARAMS, sizeof(*p));
	struct err e;

	(void)state;
	snprintf(spec.cmdline, sizeof(spec.cmdline), "quiet");
	m.nr_devs = 2;
	assert_int_equal(boot(5000, &e), 0);
	assert_int_equal(p->e820_entries, 3);
	assert_int_equal(p->e820_table[2].addr, 0x100000);
	assert_int_equal(p->e820_table[2].size, MEM - 0x100000);
	assert_int_equal(p->hdr.ramdisk_size, 5000);
	assert_int_equal(p->hdr.ramdisk_image, (MEM - 5000) & ~4095u);
	assert_string_equal(mem_at(&m.mem, p->hdr.cmd_line_ptr, 1),
			    "quiet virtio_mmio.device=4K@0xd0000000:5 "
			    "virtio_mmio.device=4K@0xd0001000:6");
	assert_memory_equal(mem_at(&m.mem, BOOT_LOW_END, 4), "_MP_", 4);
}

static void acpi_machines_find_their_devices_there(void **state)
{
	struct boot_params *p = mem_at(&m.mem, BOOT_PARAMS, sizeof(*p));
	struct err e;

	(void)state;
	spec.has_acpi = true;
	m.nr_devs = 2;
	assert_int_equal(boot(0, &e), 0);
	assert_int_equal(p->acpi_rsdp_addr, m.rsdp);
	assert_memory_equal(mem_at(&m.mem, m.rsdp, 8), "RSD PTR ", 8);
	assert_string_equal(mem_at(&m.mem, BOOT_CMDLINE, 1), "");
}

static void pvh_needs_its_note(void **state)
{
	struct image i;
	struct err e;

	(void)state;
	spec.boot = SPEC_BOOT_PVH;
	assert_int_equal(boot(0, &e), 0);
	assert_true(m.is_pvh);
	assert_int_equal(m.entry, KERNEL_AT + 0x20);
	fill(&i);
	i.p[2].p_type = PT_NULL;
	spec.kernel.fd = write_file(&i, sizeof(i));
	assert_int_equal(boot_load(&m, &e), -1);
	assert_non_null(strstr(e.msg, "no PVH entry"));
	close(spec.kernel.fd);
}

static void initrd_must_fit_beside_the_kernel(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(boot(MEM, &e), -1);
	assert_non_null(strstr(e.msg, "do not fit"));
	assert_int_equal(boot(1ull << 40, &e), -1);
	assert_int_equal(boot(MEM - KERNEL_AT, &e), -1);
}

static void command_line_must_hold_the_devices(void **state)
{
	struct err e;

	(void)state;
	memset(spec.cmdline, 'x', sizeof(spec.cmdline) - 30);
	m.nr_devs = 2;
	assert_int_equal(boot(0, &e), -1);
	assert_non_null(strstr(e.msg, "command line"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(elf_segments_go_to_their_addresses),
		TEST(mapped_kernel_is_private),
		TEST(elf_lies_are_refused),
		TEST(segments_that_lie_are_refused),
		TEST(notes_that_lie_are_no_pvh),
		TEST(bzimage_is_entered_behind_its_start),
		TEST(bzimage_lies_are_refused),
		TEST(zero_page_tells_memory_and_initrd),
		TEST(acpi_machines_find_their_devices_there),
		TEST(pvh_needs_its_note),
		TEST(initrd_must_fit_beside_the_kernel),
		TEST(command_line_must_hold_the_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
