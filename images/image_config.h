/* SPDX-License-Identifier: Apache-2.0 */
/* The image configuration (OCI image-spec config.md; docker's is the same), strictly parsed. */
#ifndef VPOD_IMAGES_IMAGE_CONFIG_H
#define VPOD_IMAGES_IMAGE_CONFIG_H

#include <stddef.h>

#include "base/err.h"
#include "images/digest.h"
#include "images/image.h"

/* Fills the fields of @out that come from the configuration; the others stay as they are. */
int image_config_parse(const char *text, size_t len, struct image *out, struct err *e);

/* The digests of the uncompressed layers, bottom first. Caller owns the array. */
int image_config_diff_ids(const char *text, size_t len, struct digest **out, unsigned *nr,
			  struct err *e);

/* Refuses a configuration for another operating system or processor. */
int image_config_check_platform(const char *text, size_t len, struct err *e);

/* "amd64", "arm64": this host, in the words of images. */
const char *image_config_host_arch(void);

#endif
