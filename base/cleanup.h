/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope-bound ownership: an owned local is declared with cleanup_*, initialised where it is
 * declared, and handed over with take_fd() or take_ptr().
 */
#ifndef VPOD_BASE_CLEANUP_H
#define VPOD_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup_with(fn) __attribute__((__cleanup__(fn)))
#define cleanup_close cleanup_with(close_p)
#define cleanup_free cleanup_with(free_p)
#define cleanup_fclose cleanup_with(fclose_p)
#define cleanup_closedir cleanup_with(closedir_p)

/* All keep errno: they run between the failure and the return that reports it. */
static inline void close_p(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

static inline void free_p(void *pp)
{
	int saved = errno;

	free(*(void **)pp);
	errno = saved;
}

static inline void fclose_p(FILE **f)
{
	int saved = errno;

	if (*f)
		fclose(*f);
	errno = saved;
}

static inline void closedir_p(DIR **d)
{
	int saved = errno;

	if (*d)
		closedir(*d);
	errno = saved;
}

static inline int take_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

#define take_ptr(pp)                              \
	({                                        \
		__typeof__(*(pp)) taken_ = *(pp); \
		*(pp) = NULL;                     \
		taken_;                           \
	})

/* The struct of type @type whose @member is at @ptr. */
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - __builtin_offsetof(type, member)))

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

#endif
