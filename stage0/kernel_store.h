/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory behind kernel.h.  Readers take no lock: an entry appears and goes by one rename.
 * Writers hold the flock on $dir/kernels/.lock; whatever is called .tmp-* while one holds it was
 * left by a killed one, and kernel_store_lock() removes it.
 */
#ifndef VPOD_STAGE0_KERNEL_STORE_H
#define VPOD_STAGE0_KERNEL_STORE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

#define KERNEL_NAME_MAX 64
#define KERNEL_TMP_PREFIX ".tmp-"

/* What info.json says. Strings are never NULL. */
struct kernel_info {
	char *name;
	char *release;
	char *source;	/* the file or directory it was imported from, as then named */
	char *digest;	/* sha256:... over vmlinux, config and modules.cpio */
	char *imported; /* RFC 3339, UTC, nanoseconds: compares as a string */
	uint64_t size;	/* bytes of all files */
	bool is_tuned;
	bool has_config;
	bool has_cmdline_mmio;
	struct strv modules; /* of modules.cpio in load order, as lsmod names them */
};

struct kernel_list {
	struct kernel_info *v; /* sorted by name */
	size_t nr_v;
};

#define cleanup_kernel_info __attribute__((__cleanup__(kernel_info_free)))
#define cleanup_kernel_list __attribute__((__cleanup__(kernel_list_free)))
void kernel_info_free(struct kernel_info *k);
void kernel_list_free(struct kernel_list *l);

/* Letters, digits, "._+-"; no leading dot or dash, not "default", at most KERNEL_NAME_MAX. */
bool kernel_name_is_valid(const char *name);
int kernel_name_check(const char *name, struct err *e);

/* "$dir/kernels"; caller owns. */
char *kernel_store_path(const char *dir);

/* Opens the store of the data directory @dir, making it if @create. ERR_NOT_FOUND if it is not. */
int kernel_store_open(const char *dir, bool create, struct err *e);

/* Returns the lock's fd: closing it unlocks.  Removes what killed writers left. */
int kernel_store_lock(int store, struct err *e);

int kernel_info_read(int store, const char *name, struct kernel_info *out, struct err *e);
cJSON *kernel_info_json(const struct kernel_info *k);
int kernel_store_list(int store, struct kernel_list *out, struct err *e);

/* The name that the default symlink has; NULL: none set. Caller owns. */
char *kernel_default_get(int store);

/* With the lock. */
int kernel_default_set(int store, const char *name, struct err *e);
int kernel_store_remove(int store, const char *name, struct err *e);

/* Which one kernel_find() takes for no name: index into @l, or -1 when it is empty. */
int kernel_store_choose(const struct kernel_list *l, const char *default_name);

#endif
