/* SPDX-License-Identifier: Apache-2.0 */
/* Names of tar entries: raw bytes in, clean paths beneath the root out. Private to the reader. */
#ifndef VPOD_IMAGES_LAYER_PATH_H
#define VPOD_IMAGES_LAYER_PATH_H

#include <stddef.h>

#include "base/err.h"
#include "images/layer_index.h"

enum path_what {
	PATH_PLAIN,
	PATH_WHITEOUT, /* the path is now that of what is hidden */
	PATH_OPAQUE,   /* the path is now that of the directory */
	PATH_IGNORED,  /* aufs keeps its books in .wh..wh.* */
};

struct clean_path {
	char text[LAYER_MAX_PATH + 1];
	size_t len; /* 0: the root */
	enum path_what what;
};

/*
 * Refuses absolute names, ".." anywhere, names too long for Linux, and whiteouts of nothing; takes
 * away "./", doubled and trailing "/".
 */
int path_clean(const char *name, struct clean_path *out, struct err *e);

#endif
