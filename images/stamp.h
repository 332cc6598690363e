/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the local files that an image was made from are still the same, without reading them:
 * inode, size and times of index.json (layouts) or of the file (archives); for a directory those
 * of everything in it, which costs about a microsecond per file and no read.
 */
#ifndef VPOD_IMAGES_STAMP_H
#define VPOD_IMAGES_STAMP_H

#include "base/err.h"
#include "images/ref.h"

/*
 * Caller owns *@out.  It is "" for images that are not local, and for files that changed within
 * the last moment: their times could not tell another change from this one.
 */
int stamp_make(const struct image_ref *r, char **out, struct err *e);

#endif
