/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a kernel comes from: a .deb, a bzImage, a vmlinux, a build tree, an unpacked distro tree.
 * All readers hand files with distro-like paths to source_add(), which keeps image and config in
 * memory and writes modules beneath the staging directory.
 */
#ifndef VPOD_STAGE0_KERNEL_SOURCE_H
#define VPOD_STAGE0_KERNEL_SOURCE_H

#include <sys/types.h>

#include "base/strbuf.h"
#include "stage0/blob.h"
#include "stage0/kernel_image.h"

struct kernel_source {
	int modules; /* staging directory for modules, the caller's */
	struct blob image;
	struct blob config;
	char *image_name;		      /* "boot/vmlinuz-6.1.0", for errors */
	char release[KERNEL_RELEASE_MAX + 1]; /* as paths tell it, or "" */
	uint64_t modules_size;		      /* bytes written so far */
	unsigned nr_modules;		      /* files written so far */
};

#define cleanup_source __attribute__((__cleanup__(source_free)))
void source_free(struct kernel_source *s);

/* Reads @path, whatever of the above it is. */
int source_read(struct kernel_source *s, const char *path, struct err *e);

/* For the readers. */
struct source_file {
	const char *path; /* relative: boot/vmlinuz-R, boot/config-R, lib/modules/R/... */
	ssize_t (*read)(void *ctx, void *buf, size_t n, struct err *e);
	void *ctx;
};

/* Takes the file if it is of use. */
int source_add(struct kernel_source *s, const struct source_file *f, struct err *e);
bool source_wants(const char *path);
/* @fd is at its beginning. */
int source_read_deb(struct kernel_source *s, int fd, struct err *e);
int source_read_tree(struct kernel_source *s, int dir, const char *path, struct err *e);
/* What lies around a lone image vmlinuz-R: config-R beside it, and lib/modules/R. */
int source_read_siblings(struct kernel_source *s, const char *path, struct err *e);

#endif
