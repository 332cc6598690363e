/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bag of named files, looked at by name in any order: a directory, or a tar (image layouts and
 * "docker save" archives come as either).  Names are never resolved by the host: in a directory no
 * symlink and no ".." is followed, a tar is an array of (name, offset, size).
 *
 * The tar reader here takes what such archives are made of: ustar and its GNU and pax extensions
 * for long names and sizes.  It unpacks nothing.  Layers are read by images/layer.h, in a jail.
 */
#ifndef VPOD_IMAGES_BAG_H
#define VPOD_IMAGES_BAG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

struct bag_file {
	char *name;
	char *link; /* tar: the target of a link, else NULL */
	uint64_t off, size;
};

struct bag {
	char *path; /* for messages */
	int fd;	    /* of the directory or the tar */
	bool is_tar;
	struct bag_file *files; /* of a tar, sorted by name */
	unsigned nr_files;
};

/* A range of an open file. */
struct span {
	int fd; /* owned by the one who has the span */
	uint64_t off, size;
};

#define BAG_MAX_FILES 100000

int bag_open_dir(const char *path, struct bag *b, struct err *e);

/* Takes an fd of a plain tar. */
int bag_open_tar(int fd, const char *path, struct bag *b, struct err *e);
void bag_close(struct bag *b);

/* Finds a regular file. ERR_NOT_FOUND when there is none. */
int bag_find(const struct bag *b, const char *name, struct span *out, struct err *e);

/* All of a file of at most @max bytes. */
int bag_read(const struct bag *b, const char *name, uint64_t max, struct strbuf *out,
	     struct err *e);

/* Reads the headers of the tar @fd into @b->files; for bag_open_tar() and its fuzzer. */
int tar_index(int fd, uint64_t size, struct bag *b, struct err *e);

#endif
