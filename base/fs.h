/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files: whole-file reads with a bound, atomic and durable writes, trees made and removed beneath a
 * directory fd.  Nothing here follows a symlink in the last component unless it says so.
 */
#ifndef VPOD_BASE_FS_H
#define VPOD_BASE_FS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "strbuf.h"

/* Reads all of @path (relative to @dirfd) into @out, at most @max bytes; ENOENT is in e->num. */
int fs_read(int dirfd, const char *path, size_t max, struct strbuf *out, struct err *e);

/* As fs_read(), from an open fd, from its current position. @what names it in errors. */
int fs_read_fd(int fd, const char *what, size_t max, struct strbuf *out, struct err *e);

/* Writes all bytes or fails; restarts after signals. Returns 0, or -1 with errno set. */
int fs_write_all(int fd, const void *p, size_t n);
int fs_pwrite_all(int fd, const void *p, size_t n, off_t off);

/*
 * Replaces @path durably: temporary name beside it, fsync, rename, fsync of the directory.  A
 * reader sees the old content or the new one.
 */
int fs_write_atomic(int dirfd, const char *path, const void *p, size_t n, mode_t mode,
		    struct err *e);

/* Creates @path and its missing parents with @mode (and the umask). An existing one is fine. */
int fs_mkdir_p(const char *path, mode_t mode, struct err *e);

/* Opens a directory O_PATH-less and CLOEXEC. Caller owns the fd. */
int fs_opendir(int dirfd, const char *path, struct err *e);

/* Removes @name beneath @dirfd, whatever it is, without following links. A missing one is fine. */
int fs_remove_tree(int dirfd, const char *name, struct err *e);

/* fsync of a directory by fd. */
int fs_sync_dir(int dirfd, const char *what, struct err *e);

/* Copies @size bytes from the start of @from to the end position of @to, in the kernel if it can.
 */
int fs_copy(int from, int to, uint64_t size, struct err *e);

/* The directory of the running executable; caller owns the string. NULL when /proc is missing. */
char *fs_exe_dir(void);

/* "a" + "/" + "b"; caller owns. */
char *fs_join(const char *a, const char *b);

#endif
