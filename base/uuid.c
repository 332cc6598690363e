/* SPDX-License-Identifier: Apache-2.0 */
#include "uuid.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

int uuid_new(char out[static UUID_LEN + 1], struct err *e)
{
	unsigned char b[16];
	char *p = out;
	int i;

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return err_set(e, errno, "cannot read random bytes for a UUID");
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		snprintf(p, 3, "%02x", b[i]);
		p += 2;
	}
	return 0;
}

bool uuid_is_prefix(const char *s)
{
	size_t i, n = strlen(s);

	if (!n || n > UUID_LEN)
		return false;
	for (i = 0; i < n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !strchr("0123456789abcdef", s[i]))
			return false;
	}
	return true;
}

bool uuid_is_valid(const char *s)
{
	return strlen(s) == UUID_LEN && uuid_is_prefix(s);
}
