/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel store: $dir/kernels/<name>/ holds what one import left:
 *
 *	vmlinux		uncompressed ELF, booted directly; only what is loaded of it
 *	config		the kernel's .config, when known
 *	modules.cpio	newc archive: /modules/<file>.ko (uncompressed) and /modules/order,
 *			the closure that a pod needs; absent when all is built in
 *	modules/	all modules of the package, as they came (for later use)
 *	info.json	what kernel_store.h lists
 *
 * An entry gets its name last, by rename.  $dir/kernels/default is a symlink to a name.
 */
#ifndef VPOD_STAGE0_KERNEL_H
#define VPOD_STAGE0_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

struct config;

struct kernel {
	char *name;
	char *release;	       /* as uname -r says */
	char *dir;	       /* absolute */
	char *vmlinux;	       /* absolute path */
	char *modules_cpio;    /* absolute path, NULL: none needed */
	bool has_cmdline_mmio; /* CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y: works without ACPI */
	bool is_tuned;	       /* ours, from kernel-config/ */
};

#define cleanup_kernel __attribute__((__cleanup__(kernel_free)))
void kernel_free(struct kernel *k);

/*
 * Finds the kernel @name; NULL: the default (the one set, else the tuned one, else the newest
 * imported).  ERR_NOT_FOUND with a hint when there is none.
 */
int kernel_find(const struct config *cfg, const char *name, struct kernel *out, struct err *e);

/*
 * Compares the kernel's configuration with what a pod needs and fails naming every symbol that is
 * missing, and why a pod needs it.  A kernel without a known configuration passes with a warning.
 */
int kernel_check(const struct kernel *k, struct err *e);

/*
 * The same as lists: what a pod cannot do without, and what it would be better off with.  Returns
 * 1, or 0 when the configuration is not known.
 */
int kernel_missing(const struct kernel *k, struct strv *missing, struct strv *wanted,
		   struct err *e);

#endif
