/* SPDX-License-Identifier: Apache-2.0 */
/* The tar reader itself: blob in, data and index out. layer.c runs it in a jail. */
#ifndef VPOD_IMAGES_LAYER_TAR_H
#define VPOD_IMAGES_LAYER_TAR_H

#include "base/err.h"
#include "images/layer.h"

/*
 * Loads whatever the libraries load late (character sets, tables), since nothing can be opened in
 * the jail, and sets the process's locale to "C": call it in the child, before the jail.
 */
int layer_tar_prepare(struct err *e);

/* Reads the blob to its end. @out has the two fds; the rest is filled in. */
int layer_tar_read(int blob_fd, enum layer_compression compression, struct layer_out *out,
		   struct err *e);

#endif
