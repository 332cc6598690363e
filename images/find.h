/* SPDX-License-Identifier: Apache-2.0 */
/* From what the user wrote to an image of the store. Private to images/. */
#ifndef VPOD_IMAGES_FIND_H
#define VPOD_IMAGES_FIND_H

#include "images/ref.h"
#include "images/store.h"

struct found {
	struct image_ref ref;
	char *name;	     /* canonical spelling of what was asked for */
	struct store_ref in; /* the name in the store; in.name is NULL when found by id alone */
	struct digest id;
	bool by_id;
};

#define cleanup_found __attribute__((__cleanup__(found_free)))
void found_free(struct found *f);

/* Fills ref and name only. */
int find_parse(const char *text, struct found *out, struct err *e);

/* Returns 1, 0 when the store does not have it (ref and name are set), -1 on error. */
int find_image(const struct store *s, const char *text, struct found *out, struct err *e);

/* ERR_NOT_FOUND in the house form. Returns -1. */
int find_none(const char *text, struct err *e);

/* Calls @each for every image that has a rootfs directory; a non-zero result ends the walk. */
int find_each_rootfs(const struct store *s,
		     int (*each)(void *ctx, const char *name, const struct digest *id,
				 struct err *e),
		     void *ctx, struct err *e);

#endif
