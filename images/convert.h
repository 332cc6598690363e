/* SPDX-License-Identifier: Apache-2.0 */
/* One layer's way from its blob to layers/ in the store. Private to vpod-image. */
#ifndef VPOD_IMAGES_CONVERT_H
#define VPOD_IMAGES_CONVERT_H

#include "images/layer.h"
#include "images/store.h"

/* Its files are in our temporary directory as <tmp>/{data,index,json}. */
struct convert {
	struct layer_job *running; /* NULL: none */
	struct digest blob;
	char tmp[32];
	int blob_fd, data_fd, index_fd;
};

/* Starts converting the blob; @diff_id NULL: not known. @what names it in errors. */
int convert_start(struct store *s, struct convert *c, const struct digest *blob,
		  const struct digest *diff_id, const char *what, struct err *e);

/* Waits for it and puts it into the store. */
int convert_finish(struct store *s, struct convert *c, struct layer_out *out, struct err *e);

/* Gives it up; fine if it was never started. */
void convert_cancel(struct convert *c);

/* A new file in a directory of our temporary directory; caller owns the fd. */
int convert_create(struct store *s, const char *dir, const char *name, struct err *e);

#endif
