/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process at a time per digest: locks/<kind>-<hex>.  The second waits, and then finds what the
 * first one made; if the first one dies the kernel frees its lock.  Order: image before blob.
 */
#ifndef VPOD_IMAGES_KEY_LOCK_H
#define VPOD_IMAGES_KEY_LOCK_H

#include "images/store.h"

struct key_lock {
	struct store *s;
	int fd;
	char name[STORE_NAME_MAX];
};

int key_lock(struct store *s, const struct digest *d, const char *kind, struct key_lock *out,
	     struct err *e);
void key_unlock(struct key_lock *l);

#endif
