/* SPDX-License-Identifier: Apache-2.0 */
/* A content digest, OCI image-spec "descriptor": sha256 only for now, as text without the prefix.
 */
#ifndef VPOD_IMAGES_DIGEST_H
#define VPOD_IMAGES_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define DIGEST_HEX_LEN 64

struct digest {
	char hex[DIGEST_HEX_LEN + 1]; /* lower case; "" means none */
};

/* Parses "sha256:<64 lower-case hex>" and nothing else. */
int digest_parse(const char *text, struct digest *out, struct err *e);
/* Whether the @n bytes at @s are all lower-case hex digits. */
bool digest_hex_ok(const char *s, size_t n);
bool digest_equal(const struct digest *a, const struct digest *b);

#endif
