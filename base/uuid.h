/* SPDX-License-Identifier: Apache-2.0 */
/* Random (version 4) UUIDs in their text form, RFC 9562. */
#ifndef VPOD_BASE_UUID_H
#define VPOD_BASE_UUID_H

#include <stdbool.h>

#include "err.h"

#define UUID_LEN 36

int uuid_new(char out[static UUID_LEN + 1], struct err *e);
bool uuid_is_valid(const char *s);  /* lower case, 36 characters */
bool uuid_is_prefix(const char *s); /* could begin a valid one; not empty */

#endif
