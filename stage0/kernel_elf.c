/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/kernel_elf.h"

#include <elf.h>
#include <string.h>

#define MAX_SEGMENTS 64

/* Copies, since nothing in a file needs to be aligned. */
static bool elf_header(struct bytes elf, Elf64_Ehdr *h)
{
	if (elf.len < sizeof(*h))
		return false;
	memcpy(h, elf.p, sizeof(*h));
	return !memcmp(h->e_ident, ELFMAG, SELFMAG) && h->e_ident[EI_CLASS] == ELFCLASS64 &&
	       h->e_ident[EI_DATA] == ELFDATA2LSB && h->e_machine == EM_X86_64;
}

static bool segment_ok(struct bytes elf, const Elf64_Phdr *ph, size_t *loaded)
{
	struct bytes content;

	if (!bytes_slice(elf, ph->p_offset, ph->p_filesz, &content))
		return false;
	if (ph->p_type == PT_LOAD && ph->p_filesz > ph->p_memsz)
		return false;
	if (ph->p_offset + ph->p_filesz > *loaded)
		*loaded = (size_t)(ph->p_offset + ph->p_filesz);
	return true;
}

int elf_check_kernel(struct bytes elf, const char *what, size_t *loaded, struct err *e)
{
	struct bytes table;
	unsigned i, nr_load = 0;
	Elf64_Phdr ph;
	Elf64_Ehdr h;

	if (!elf_header(elf, &h))
		return err_set(e, 0, "cannot use %s: not an x86-64 ELF file", what);
	if (h.e_type != ET_EXEC && h.e_type != ET_DYN)
		return err_set(e, 0, "cannot use %s: not an executable ELF file (type %u)", what,
			       h.e_type);
	if (h.e_phentsize != sizeof(ph) || !h.e_phnum || h.e_phnum > MAX_SEGMENTS ||
	    !bytes_slice(elf, h.e_phoff, (uint64_t)h.e_phnum * sizeof(ph), &table))
		return err_set(e, 0, "cannot use %s: its program headers are not sound", what);
	*loaded = (size_t)(table.p - elf.p) + table.len;
	for (i = 0; i < h.e_phnum; i++) {
		memcpy(&ph, table.p + i * sizeof(ph), sizeof(ph));
		if (!segment_ok(elf, &ph, loaded))
			return err_set(e, 0, "cannot use %s: segment %u is not in the file", what,
				       i);
		nr_load += ph.p_type == PT_LOAD;
	}
	if (!nr_load)
		return err_set(e, 0, "cannot use %s: it has no segment to load", what);
	return 0;
}

static bool section_at(struct bytes table, unsigned i, Elf64_Shdr *sh)
{
	struct bytes one;

	if (!bytes_slice(table, (uint64_t)i * sizeof(*sh), sizeof(*sh), &one))
		return false;
	memcpy(sh, one.p, sizeof(*sh));
	return true;
}

/* The NUL-terminated string at @off of a string table equals @name. */
static bool name_is(struct bytes strings, uint64_t off, const char *name)
{
	struct bytes s;

	return bytes_slice(strings, off, strlen(name) + 1, &s) && !memcmp(s.p, name, s.len);
}

bool elf_section(struct bytes elf, const char *name, struct bytes *out)
{
	struct bytes table, strings;
	Elf64_Shdr sh;
	Elf64_Ehdr h;
	unsigned i;

	if (!elf_header(elf, &h) || h.e_shentsize != sizeof(sh) ||
	    !bytes_slice(elf, h.e_shoff, (uint64_t)h.e_shnum * sizeof(sh), &table) ||
	    !section_at(table, h.e_shstrndx, &sh) ||
	    !bytes_slice(elf, sh.sh_offset, sh.sh_size, &strings))
		return false;
	for (i = 0; section_at(table, i, &sh); i++) {
		if (name_is(strings, sh.sh_name, name))
			return sh.sh_type != SHT_NOBITS &&
			       bytes_slice(elf, sh.sh_offset, sh.sh_size, out);
	}
	return false;
}

const char *modinfo_next(struct bytes info, const char *key, size_t *pos)
{
	size_t key_len = strlen(key);

	while (*pos < info.len) {
		const char *s = (const char *)info.p + *pos;
		const char *end = memchr(s, '\0', info.len - *pos);

		if (!end)
			break; /* not terminated: nothing that may be handed out as a string */
		*pos += (size_t)(end - s) + 1;
		if ((size_t)(end - s) > key_len && !memcmp(s, key, key_len) && s[key_len] == '=')
			return s + key_len + 1;
	}
	*pos = info.len;
	return NULL;
}
