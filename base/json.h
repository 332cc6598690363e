/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON from outside, parsed by cJSON behind a scan of our own that bounds size and depth and
 * refuses duplicate keys, NUL, invalid UTF-8 and trailing text (cJSON alone takes all of these).
 * Typed getters: absent and null are the same; a wrong type is an error that names the key.
 */
#ifndef VPOD_BASE_JSON_H
#define VPOD_BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "strbuf.h"

#define JSON_MAX_DEPTH 32
#define JSON_MAX_SIZE (4u << 20)

#define cleanup_json __attribute__((__cleanup__(json_free_p)))
static inline void json_free_p(cJSON **j)
{
	cJSON_Delete(*j);
}

/* Caller owns the result. @what names the document in errors. */
cJSON *json_parse(const char *text, size_t len, const char *what, struct err *e);

/* Checks only; used by json_parse(). Returns 0, or -1 with the reason and the byte offset. */
int json_scan(const char *text, size_t len, const char *what, struct err *e);

/* Each returns 1 when the key is there, 0 when absent or null, -1 on a wrong type. */
int json_get_str(const cJSON *o, const char *key, const char **out, struct err *e);
int json_get_u64(const cJSON *o, const char *key, uint64_t *out, struct err *e);
int json_get_bool(const cJSON *o, const char *key, bool *out, struct err *e);
int json_get_obj(const cJSON *o, const char *key, const cJSON **out, struct err *e);
int json_get_arr(const cJSON *o, const char *key, const cJSON **out, struct err *e);
int json_get_strv(const cJSON *o, const char *key, struct strv *out, struct err *e);

/* Text of @j without (or with) line breaks, appended to @b. */
void json_print(struct strbuf *b, const cJSON *j, bool pretty);

#endif
