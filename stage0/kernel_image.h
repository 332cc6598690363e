/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel images: bzImage to vmlinux, and what a vmlinux tells of itself. */
#ifndef VPOD_STAGE0_KERNEL_IMAGE_H
#define VPOD_STAGE0_KERNEL_IMAGE_H

#include "stage0/blob.h"
#include "stage0/kernel_config.h"

#define KERNEL_RELEASE_MAX 64		/* __NEW_UTS_LEN, what uname(2) can say */
#define KERNEL_IMAGE_MAX (1024u << 20)	/* a vmlinux with debug information */
#define KERNEL_VMLINUX_MAX (512u << 20) /* unpacked from a bzImage */

bool image_is_bzimage(struct bytes in);
bool image_is_elf(struct bytes in);

/* Caller frees @vmlinux.  @what names the image in errors. */
int bzimage_unpack(struct bytes in, const char *what, struct blob *vmlinux, struct err *e);

/*
 * uname -r of an image, from the bzImage's header or vmlinux' banner; "" when it does not say.
 */
void bzimage_release(struct bytes in, char out[static KERNEL_RELEASE_MAX + 1]);
void vmlinux_release(struct bytes in, char out[static KERNEL_RELEASE_MAX + 1]);

/* The configuration that CONFIG_IKCONFIG put into @in.  Returns 1, or 0 without one. */
int vmlinux_ikconfig(struct bytes in, const char *what, struct blob *config, struct err *e);

/* Takes a leading release out of @s of at most @n bytes; "" when there is none. */
void release_parse(const char *s, size_t n, char out[static KERNEL_RELEASE_MAX + 1]);

#endif
