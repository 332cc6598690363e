/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of images: a tar, or a gzipped one, which is unpacked into our temporary directory. */
#ifndef VPOD_IMAGES_ARCHIVE_H
#define VPOD_IMAGES_ARCHIVE_H

#include "images/bag.h"
#include "images/ref.h"
#include "images/store.h"

int archive_bag(const struct image_ref *ref, struct store *s, struct bag *b, struct err *e);

#endif
