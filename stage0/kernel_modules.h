/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: Which modules a pod loads
 *
 * The drivers of virtio and the file systems, whatever of them is not built in, and what they
 * depend on.  Dependencies are read from each module's own .modinfo ("depends="), which modpost
 * wrote; modules.dep says nothing else, and packages do not ship it.  "softdep=pre:" is followed
 * where a module provides what it asks for: by name, or, for algorithms ("crc32c"), by an alias of
 * a module of that name's family in a crypto directory.
 */
#ifndef VPOD_STAGE0_KERNEL_MODULES_H
#define VPOD_STAGE0_KERNEL_MODULES_H

#include "base/strbuf.h"
#include "stage0/blob.h"

struct module {
	char *name; /* as lsmod names it: '-' is '_' */
	char *path; /* beneath modules/, maybe compressed */
	bool is_visited;
	struct blob content; /* unpacked, while in the closure */
};

struct module_set {
	struct module *all; /* sorted by name */
	size_t nr_all;
	struct strv builtin;	 /* names */
	struct module **closure; /* in load order; at most nr_all */
	size_t nr_closure;
};

#define cleanup_modules __attribute__((__cleanup__(modules_free)))
void modules_free(struct module_set *m);

/* Finds the modules beneath the directory @fd and computes the closure. */
int modules_find(int fd, struct module_set *m, struct err *e);

/* Writes /modules/order and the closure as a cpio archive to @fd. */
int modules_write_cpio(const struct module_set *m, int fd, struct err *e);

/* "virtio-rng.ko.xz" to "virtio_rng". Caller owns; NULL when it is no module's file name. */
char *module_name(const char *path);

#endif
