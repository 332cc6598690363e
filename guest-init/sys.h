/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers on files and directories, without heap. */
#ifndef VPOD_GUEST_SYS_H
#define VPOD_GUEST_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Reads a small file into @buf as a string, less one LF at its end. Returns its length or -1. */
ssize_t sys_read(const char *path, char *buf, size_t size);

/* Writes a small file that exists, such as of /proc or a cgroup. 0, or -1 with errno. */
int sys_write(const char *path, const char *text);

/* The number behind @key in a file of "key number" lines, 0 if it is not there. */
unsigned long sys_counter(const char *path, const char *key);

/* A directory, which may be there. 0, or -1 with errno. */
int sys_mkdir(const char *path, mode_t mode);

/* A directory and those above it that are missing. @path must be absolute. */
int sys_mkdir_p(const char *path, mode_t mode, struct err *e);

/*
 * Calls @try until it returns non-zero or the deadline for devices has passed; returns what it
 * returned last.  Devices appear while we run: no event tells of all of them.
 */
int sys_wait_for(int (*try)(void *ctx), void *ctx);

#endif
