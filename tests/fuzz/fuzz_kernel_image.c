/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that reads bytes of a kernel image or a module: bzImage, ELF, .modinfo, IKCONFIG. */
#include <stddef.h>
#include <stdint.h>

#include "stage0/kernel_elf.h"
#include "stage0/kernel_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void fuzz_vmlinux(struct bytes in)
{
	char release[KERNEL_RELEASE_MAX + 1];
	struct blob config;
	struct err e;
	size_t loaded;

	if (!elf_check_kernel(in, "fuzz", &loaded, &e) && loaded > in.len)
		__builtin_trap();
	vmlinux_release(in, release);
	if (vmlinux_ikconfig(in, "fuzz", &config, &e) > 0)
		blob_free(&config);
}

static void fuzz_module(struct bytes in)
{
	const char *value;
	struct bytes info;
	size_t pos = 0, total = 0;

	if (!elf_section(in, ".modinfo", &info))
		return;
	while ((value = modinfo_next(info, "depends", &pos))) {
		while (*value++)
			total++;
	}
	if (total > in.len)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = { p, n };
	char release[KERNEL_RELEASE_MAX + 1];
	struct blob vmlinux = { 0 };
	struct err e;

	bzimage_release(in, release);
	if (image_is_bzimage(in) && !bzimage_unpack(in, "fuzz", &vmlinux, &e)) {
		fuzz_vmlinux(blob_bytes(&vmlinux));
		blob_free(&vmlinux);
	}
	fuzz_vmlinux(in);
	fuzz_module(in);
	return 0;
}
