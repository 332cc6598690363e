/* SPDX-License-Identifier: Apache-2.0 */
/* ELF as far as kernels and modules need it. Every offset comes from outside and is bounded. */
#ifndef VPOD_STAGE0_KERNEL_ELF_H
#define VPOD_STAGE0_KERNEL_ELF_H

#include "stage0/blob.h"

/*
 * Checks that @elf is an x86-64 executable that can be loaded as it stands.  *@loaded is the length
 * of the part that loading needs: headers and segments, without sections of debuggers.
 */
int elf_check_kernel(struct bytes elf, const char *what, size_t *loaded, struct err *e);

/* Finds a section's content by name.  Returns whether there is a sound one. */
bool elf_section(struct bytes elf, const char *name, struct bytes *out);

/*
 * Steps through the "key=value" strings of a .modinfo section: the next value of @key, or NULL.
 * *@pos starts at 0.
 */
const char *modinfo_next(struct bytes info, const char *key, size_t *pos);

#endif
