/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels and modules of a few bytes, for tests. */
#ifndef VPOD_TESTS_KERNEL_FIXTURE_H
#define VPOD_TESTS_KERNEL_FIXTURE_H

#include <elf.h>
#include <string.h>

#include "base/strbuf.h"

static inline Elf64_Ehdr fixture_header(Elf64_Half type)
{
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = type,
		.e_machine = EM_X86_64,
		.e_ehsize = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_shentsize = sizeof(Elf64_Shdr),
	};

	return h;
}

/* One segment with @payload, and @junk bytes behind it that no loader reads. */
static inline void fixture_vmlinux(struct strbuf *out, const char *payload, size_t len, size_t junk)
{
	Elf64_Ehdr h = fixture_header(ET_EXEC);
	Elf64_Phdr ph = { .p_type = PT_LOAD, .p_filesz = len, .p_memsz = len };
	size_t i;

	h.e_phoff = sizeof(h);
	h.e_phnum = 1;
	h.e_shoff = sizeof(h) + sizeof(ph) + len;
	ph.p_offset = sizeof(h) + sizeof(ph);
	sb_add(out, &h, sizeof(h));
	sb_add(out, &ph, sizeof(ph));
	sb_add(out, payload, len);
	for (i = 0; i < junk; i++)
		sb_addc(out, 'j');
}

/* @info is what .modinfo holds: strings, each with its NUL. */
static inline void fixture_module(struct strbuf *out, const char *info, size_t len)
{
	static const char names[] = "\0.modinfo\0.shstrtab";
	Elf64_Ehdr h = fixture_header(ET_REL);
	Elf64_Shdr sh[3] = {
		{ .sh_type = SHT_NULL },
		{ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_size = len },
		{ .sh_name = 10, .sh_type = SHT_STRTAB, .sh_size = sizeof(names) },
	};

	sh[1].sh_offset = sizeof(h);
	sh[2].sh_offset = sizeof(h) + len;
	h.e_shoff = sizeof(h) + len + sizeof(names);
	h.e_shnum = 3;
	h.e_shstrndx = 2;
	sb_add(out, &h, sizeof(h));
	sb_add(out, info, len);
	sb_add(out, names, sizeof(names));
	sb_add(out, sh, sizeof(sh));
}

/* A bzImage around @payload, which is compressed and ends with what it promises. */
static inline void fixture_bzimage(struct strbuf *out, const char *version, const void *payload,
				   size_t len)
{
	unsigned char head[1024] = { 0 }; /* boot sector and one setup sector */

	head[0x1f1] = 1;
	memcpy(head + 0x1fe, "\x55\xaaxxHdrS\x0f\x02", 10);
	memcpy(head + 0x20e, (unsigned char[]){ 0x00, 0x01 }, 2); /* at 0x300 */
	memcpy(head + 0x300, version, strlen(version) + 1);
	memcpy(head + 0x24c, (uint32_t[]){ (uint32_t)len }, 4);
	sb_add(out, head, sizeof(head));
	sb_add(out, payload, len);
}

#endif
