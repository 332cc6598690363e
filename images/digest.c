/* SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"

#include <string.h>

#define PREFIX "sha256:"

bool digest_hex_ok(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	}
	return true;
}

int digest_parse(const char *text, struct digest *out, struct err *e)
{
	const char *hex = text + strlen(PREFIX);

	/* The hex becomes a file name: anything else in it would be a path (CVE-2024-3727). */
	if (strncmp(text, PREFIX, strlen(PREFIX)) != 0 || strlen(hex) != DIGEST_HEX_LEN ||
	    !digest_hex_ok(hex, DIGEST_HEX_LEN))
		return err_set(e, 0, "cannot use digest '%.100s': not sha256: and 64 hex digits",
			       text);
	memcpy(out->hex, hex, sizeof(out->hex));
	return 0;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return !strcmp(a->hex, b->hex);
}
