/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF vmlinux: its PT_LOAD segments go to their physical addresses, its PVH entry is in a note
 * (XEN_ELFNOTE_PHYS32_ENTRY).  A segment that lies on pages in the file as in memory is mapped, so
 * that machines with the same kernel share it until they write; what hangs over is copied.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/boot.h"

#define ELF_MAX_PHDRS 64
#define NOTE_MAX 65536u
#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define PAGE 4096ull

static bool in_file(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

static bool read_at(int fd, uint64_t offset, void *buf, size_t len)
{
	return pread(fd, buf, len, (off_t)offset) == (ssize_t)len;
}

/* Whole pages of the segment, private and lazily read. Returns how many bytes are mapped. */
static uint64_t map_pages(const struct guest_mem *m, int fd, const Elf64_Phdr *p)
{
	uint64_t len = p->p_filesz & ~(PAGE - 1);
	uint8_t *at = mem_at(m, p->p_paddr, p->p_filesz);

	if (m->fd >= 0 || p->p_paddr & (PAGE - 1) || p->p_offset & (PAGE - 1) || !len)
		return 0;
	if (mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
		 (off_t)p->p_offset) == MAP_FAILED)
		return 0;
	(void)madvise(at, len, MADV_DONTDUMP);
	return len;
}

static int load_segment(const struct guest_mem *m, int fd, uint64_t size, const Elf64_Phdr *p,
			struct err *e)
{
	uint64_t mapped;

	if (!in_file(p->p_offset, p->p_filesz, size) || p->p_filesz > p->p_memsz)
		return kernel_refuse(e, "a segment lies outside of the file");
	if (p->p_paddr < BOOT_HIGH || !mem_at(m, p->p_paddr, p->p_memsz))
		return kernel_refuse(e, "a segment lies outside of the guest's memory");
	mapped = map_pages(m, fd, p);
	return boot_read(m, fd, p->p_offset + mapped, p->p_paddr + mapped, p->p_filesz - mapped,
			 "kernel", e);
}

/* Finds the PVH entry in a note segment; notes that do not parse have none. */
static void read_notes(int fd, uint64_t size, const Elf64_Phdr *p, struct boot_kernel *out)
{
	static uint8_t buf[NOTE_MAX];
	uint64_t len = p->p_filesz, at = 0, name, desc;
	Elf64_Nhdr n;

	if (!in_file(p->p_offset, len, size) || len > sizeof(buf) ||
	    !read_at(fd, p->p_offset, buf, len))
		return;
	while (len - at >= sizeof(n)) {
		memcpy(&n, buf + at, sizeof(n));
		at += sizeof(n);
		name = (n.n_namesz + 3ull) & ~3ull;
		desc = (n.n_descsz + 3ull) & ~3ull;
		if (name > len - at || desc > len - at - name)
			return;
		if (n.n_type == XEN_ELFNOTE_PHYS32_ENTRY && n.n_namesz == 4 &&
		    !memcmp(buf + at, "Xen", 4) && n.n_descsz >= 4)
			memcpy(&out->pvh, buf + at + name, n.n_descsz >= 8 ? 8 : 4);
		at += name + desc;
	}
}

static int check_header(const Elf64_Ehdr *h, uint64_t size, struct err *e)
{
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    h->e_machine != EM_X86_64)
		return kernel_refuse(e, "it is not for x86-64");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum || h->e_phnum > ELF_MAX_PHDRS ||
	    !in_file(h->e_phoff, (uint64_t)h->e_phnum * sizeof(Elf64_Phdr), size))
		return kernel_refuse(e, "its program headers are not sound");
	return 0;
}

static bool overlaps(const Elf64_Phdr *a, const Elf64_Phdr *b)
{
	return a->p_paddr < b->p_paddr + b->p_memsz && b->p_paddr < a->p_paddr + a->p_memsz;
}

/* All are checked to lie in memory before they are compared, so that no sum wraps. */
static int check_overlap(const Elf64_Phdr *p, unsigned n, struct err *e)
{
	unsigned i, j;

	for (i = 0; i < n; i++) {
		for (j = 0; j < i; j++) {
			if (p[i].p_type == PT_LOAD && p[j].p_type == PT_LOAD &&
			    overlaps(&p[i], &p[j]))
				return kernel_refuse(e, "two of its segments overlap");
		}
	}
	return 0;
}

/* The entry is a physical address, or a virtual one of the segment that has it. */
static uint64_t physical_entry(const Elf64_Phdr *p, unsigned n, uint64_t entry)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		if (p[i].p_type != PT_LOAD)
			continue;
		if (entry >= p[i].p_paddr && entry - p[i].p_paddr < p[i].p_memsz)
			return entry;
		if (entry >= p[i].p_vaddr && entry - p[i].p_vaddr < p[i].p_memsz)
			return entry - p[i].p_vaddr + p[i].p_paddr;
	}
	return 0;
}

int kernel_load_elf(const struct guest_mem *m, int fd, uint64_t size, struct boot_kernel *out,
		    struct err *e)
{
	Elf64_Phdr p[ELF_MAX_PHDRS];
	Elf64_Ehdr h;
	unsigned i;

	if (size < sizeof(h) || !read_at(fd, 0, &h, sizeof(h)))
		return kernel_refuse(e, "it is cut short");
	if (check_header(&h, size, e) < 0)
		return -1;
	if (!read_at(fd, h.e_phoff, p, h.e_phnum * sizeof(*p)))
		return kernel_refuse(e, "it is cut short");
	for (i = 0; i < h.e_phnum; i++) {
		if (p[i].p_type == PT_NOTE)
			read_notes(fd, size, &p[i], out);
		if (p[i].p_type != PT_LOAD || !p[i].p_memsz)
			continue;
		if (load_segment(m, fd, size, &p[i], e) < 0)
			return -1;
		if (p[i].p_paddr + p[i].p_memsz > out->end)
			out->end = p[i].p_paddr + p[i].p_memsz;
	}
	if (check_overlap(p, h.e_phnum, e) < 0)
		return -1;
	out->entry = physical_entry(p, h.e_phnum, h.e_entry);
	if (!out->entry)
		return kernel_refuse(e, "its entry lies outside of its segments");
	if (out->pvh && (out->pvh > UINT32_MAX || !mem_at(m, out->pvh, 1)))
		return kernel_refuse(e, "its PVH entry lies outside of memory");
	return 0;
}
