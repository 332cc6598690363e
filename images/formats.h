/* SPDX-License-Identifier: Apache-2.0 */
/* One line per image format; the table is in formats.c. */
#ifndef VPOD_IMAGES_FORMATS_H
#define VPOD_IMAGES_FORMATS_H

#include "images/fetch.h"

extern const struct image_format format_registry;
extern const struct image_format format_oci;
extern const struct image_format format_oci_archive;
extern const struct image_format format_docker_archive;
extern const struct image_format format_dir;
extern const struct image_format format_tar;
extern const struct image_format format_stored;

#endif
