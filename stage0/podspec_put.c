/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/podspec_put.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

void podspec_put(struct strbuf *b, const char *key, const char *value)
{
	sb_addf(b, "%s %zu\n", key, strlen(value));
	sb_adds(b, value);
	sb_addc(b, '\n');
}

void podspec_putf(struct strbuf *b, const char *key, const char *fmt, ...)
{
	cleanup_free char *value = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort(); /* as all small requests for memory */
	podspec_put(b, key, value);
}
