/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bzImage, entered at its 64-bit entry (Documentation/arch/x86/boot.rst, protocol 2.12): its
 * protected-mode part goes to its preferred address and unpacks itself.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/boot.h"

#define HEADER_AT 0x1f1u
#define MAGIC_BZIMAGE 0x53726448u
#define PROTOCOL_64BIT 0x20cu

int kernel_refuse(struct err *e, const char *why)
{
	return err_setk(e, ERR_USAGE, 0, "cannot boot the kernel: %s", why);
}

int kernel_load_bzimage(const struct guest_mem *m, int fd, uint64_t size, struct boot_kernel *out,
			struct err *e)
{
	struct setup_header h;
	uint64_t setup, load;

	_Static_assert(sizeof(h) <= sizeof(out->header), "the header fits");
	if (size < HEADER_AT + sizeof(h) || pread(fd, &h, sizeof(h), HEADER_AT) != sizeof(h))
		return kernel_refuse(e, "it is cut short");
	if (h.header != MAGIC_BZIMAGE)
		return kernel_refuse(e, "it is neither an ELF vmlinux nor a bzImage");
	if (h.version < PROTOCOL_64BIT || !(h.xloadflags & XLF_KERNEL_64))
		return kernel_refuse(e, "it has no 64-bit entry");
	setup = ((uint64_t)(h.setup_sects ? h.setup_sects : 4) + 1) * 512;
	if (setup + 0x200 >= size)
		return kernel_refuse(e, "its setup part is longer than the file");
	load = h.pref_address;
	/* init_size: what it needs, from its load address on, to unpack itself */
	if (load < BOOT_HIGH || load & 4095 || h.init_size < size - setup ||
	    !mem_at(m, load, h.init_size))
		return kernel_refuse(e, "it does not fit into the guest's memory");
	if (boot_read(m, fd, setup, load, size - setup, "kernel", e) < 0)
		return -1;
	memcpy(out->header, &h, sizeof(h));
	out->entry = load + 0x200;
	out->end = load + h.init_size;
	return 0;
}

int kernel_load(const struct guest_mem *m, int fd, struct boot_kernel *out, struct err *e)
{
	uint8_t magic[4];
	struct stat st;

	*out = (struct boot_kernel){ 0 };
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot stat the kernel");
	if (!S_ISREG(st.st_mode))
		return kernel_refuse(e, "it is not a regular file");
	if (pread(fd, magic, sizeof(magic), 0) != sizeof(magic))
		return kernel_refuse(e, "it is cut short");
	if (!memcmp(magic, "\177ELF", 4))
		return kernel_load_elf(m, fd, (uint64_t)st.st_size, out, e);
	return kernel_load_bzimage(m, fd, (uint64_t)st.st_size, out, e);
}
