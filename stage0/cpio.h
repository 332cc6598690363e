/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer of "newc" cpio archives as the kernel's initramfs unpacker reads them
 * (Documentation/driver-api/early-userspace/buffer-format.rst).  The same entries give the same
 * bytes: owner 0, time 0, inode numbers in order.
 */
#ifndef VPOD_STAGE0_CPIO_H
#define VPOD_STAGE0_CPIO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct cpio {
	int fd;		  /* the caller's; written from its current position */
	const char *what; /* in errors */
	uint32_t nr_entries;
};

/* Names are relative ("modules/order"); parents must come before their children. */
int cpio_add_dir(struct cpio *c, const char *name, mode_t mode, struct err *e);
int cpio_add_char(struct cpio *c, const char *name, mode_t mode, unsigned maj, unsigned min,
		  struct err *e);
int cpio_add_file(struct cpio *c, const char *name, mode_t mode, const void *p, size_t len,
		  struct err *e);
/* The content of the regular file @fd, which must not change meanwhile. */
int cpio_add_fd(struct cpio *c, const char *name, mode_t mode, int fd, struct err *e);

/* The trailer. The archive then ends at a multiple of 4, so that another may follow. */
int cpio_end(struct cpio *c, struct err *e);

#endif
