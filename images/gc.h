/* SPDX-License-Identifier: Apache-2.0 */
/* Removal of what no image needs. Private to images/. */
#ifndef VPOD_IMAGES_GC_H
#define VPOD_IMAGES_GC_H

#include "images/store.h"

/*
 * Removes blobs, layers and old renderings that no image needs; @bytes (may be NULL) grows by what
 * was freed.  The caller holds the store lock exclusively.
 */
int gc_sweep(struct store *s, uint64_t *bytes, struct err *e);

/* gc_sweep() if no fetch is running; else nothing. */
int gc_try_sweep(struct store *s, uint64_t *bytes, struct err *e);

#endif
