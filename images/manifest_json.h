/* SPDX-License-Identifier: Apache-2.0 */
/* What manifest.c and index.c share. Private to them. */
#ifndef VPOD_IMAGES_MANIFEST_JSON_H
#define VPOD_IMAGES_MANIFEST_JSON_H

#include "base/json.h"
#include "images/manifest.h"

bool media_is_index(const char *s);
bool media_is_manifest(const char *s);

/* @media points into @j; "" when absent. */
int desc_parse(const cJSON *j, struct desc *out, const char **media, struct err *e);

/* As manifest_is_index(), of parsed text. */
int manifest_classify(const cJSON *root, const char *media, struct err *e);

#endif
