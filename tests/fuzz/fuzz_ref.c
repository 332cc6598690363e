/* SPDX-License-Identifier: Apache-2.0 */
/* Image references: what parses has a canonical spelling, and that spelling means the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "images/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cleanup_free char *text = xmalloc(n + 1), *one = NULL, *two = NULL, *app = NULL;
	cleanup_ref struct image_ref a = { 0 }, b = { 0 };
	struct err e;

	memcpy(text, p, n);
	text[n] = '\0';
	if (ref_parse(text, &a, &e) < 0)
		return 0;
	one = ref_canonical(&a);
	app = ref_short_name(&a);
	if (!*app || strspn(app, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(app))
		abort();
	if (ref_parse(one, &b, &e) < 0)
		abort();
	two = ref_canonical(&b);
	if (strcmp(one, two) != 0)
		abort();
	return 0;
}
