/* SPDX-License-Identifier: Apache-2.0 */
/* Forms, URLs and base64, as the metadata service needs them; and its key. */
#ifndef VPOD_STAGE0_METADATA_FORM_H
#define VPOD_STAGE0_METADATA_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sha512.h"

/* A body of type application/x-www-form-urlencoded; NULL: absent. */
struct metadata_form {
	char *content; /* any bytes */
	size_t content_len;
	char *uuid, *signature;
};

/* Returns -1 when it is malformed, or says something twice. What @f has must be freed either way.
 */
int metadata_form_parse(struct metadata_form *f, const char *body, size_t len);
void metadata_form_free(struct metadata_form *f);

/*
 * Undoes %XX and, with @plus_is_space, '+'.  Caller owns the string; NULL when it is malformed, or
 * has a NUL.
 */
char *metadata_decode(const char *s, size_t n, bool plus_is_space);

/* The text of a signature, and its NUL. */
#define METADATA_BASE64_LEN ((SHA512_LEN + 2) / 3 * 4 + 1)
void metadata_base64(const uint8_t in[static SHA512_LEN], char out[static METADATA_BASE64_LEN]);

#endif
