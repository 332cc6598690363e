/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

/* Keys as they stand in the text: nothing is copied for a document that is read once. */
struct key {
	const char *p;
	size_t len;
};

struct key_list {
	struct key *v;
	size_t nr, cap;
};

/* One pass over the text: a strict RFC 8259 recogniser that remembers the keys of open objects. */
struct scan {
	const char *p, *end, *start;
	const char *what;
	struct err *e;
	struct key_list keys[JSON_MAX_DEPTH + 1]; /* of each open object */
};

static int scan_value(struct scan *s, unsigned depth);

static int scan_fail(struct scan *s, const char *why)
{
	return err_set(s->e, 0, "cannot parse %s: %s at byte %zu", s->what, why,
		       (size_t)(s->p - s->start));
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static int hex4(const char *p, const char *end)
{
	int v = 0, i;

	if (end - p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef", *at = NULL;

		if (p[i])
			at = strchr(digits, p[i] | 0x20);
		if (!at || (p[i] < '0'))
			return -1;
		v = v << 4 | (int)(at - digits);
	}
	return v;
}

static int scan_escape(struct scan *s)
{
	int v;

	if (s->p == s->end || !*s->p || !strchr("\"\\/bfnrtu", *s->p))
		return scan_fail(s, "unknown escape");
	if (*s->p++ != 'u')
		return 0;
	v = hex4(s->p, s->end);
	if (v <= 0)
		return scan_fail(s, v ? "bad \\u escape" : "NUL in a string");
	s->p += 4;
	if (v >= 0xdc00 && v <= 0xdfff)
		return scan_fail(s, "lone surrogate");
	if (v < 0xd800 || v > 0xdbff)
		return 0;
	if (s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u')
		return scan_fail(s, "lone surrogate");
	v = hex4(s->p + 2, s->end);
	if (v < 0xdc00 || v > 0xdfff)
		return scan_fail(s, "lone surrogate");
	s->p += 6;
	return 0;
}

static int scan_utf8(struct scan *s)
{
	const unsigned char *p = (const unsigned char *)s->p;
	size_t n = p[0] >= 0xf0 && p[0] < 0xf5	 ? 4
		   : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
		   : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
						 : 0;
	size_t i;

	if (!n || (size_t)(s->end - s->p) < n)
		return scan_fail(s, "invalid UTF-8");
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return scan_fail(s, "invalid UTF-8");
	}
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return scan_fail(s, "invalid UTF-8");
	s->p += n;
	return 0;
}

static int scan_string(struct scan *s)
{
	if (s->p == s->end || *s->p != '"')
		return scan_fail(s, "expected a string");
	s->p++;
	while (s->p < s->end && *s->p != '"') {
		unsigned char c = (unsigned char)*s->p;

		if (c < 0x20)
			return scan_fail(s, "control byte in a string");
		if (c == '\\') {
			s->p++;
			if (scan_escape(s) < 0)
				return -1;
		} else if (c < 0x80) {
			s->p++;
		} else if (scan_utf8(s) < 0) {
			return -1;
		}
	}
	if (s->p == s->end)
		return scan_fail(s, "unterminated string");
	s->p++;
	return 0;
}

static int scan_digits(struct scan *s)
{
	if (s->p == s->end || *s->p < '0' || *s->p > '9')
		return scan_fail(s, "expected a digit");
	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return 0;
}

static int scan_number(struct scan *s)
{
	if (s->p < s->end && *s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (scan_digits(s) < 0)
		return -1;
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (scan_digits(s) < 0)
			return -1;
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (scan_digits(s) < 0)
			return -1;
	}
	return 0;
}

static int scan_word(struct scan *s, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n))
		return scan_fail(s, "unexpected text");
	s->p += n;
	return 0;
}

static int cmp_key(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int r = memcmp(x->p, y->p, x->len < y->len ? x->len : y->len);

	return r ? r : (x->len > y->len) - (x->len < y->len);
}

static void add_key(struct key_list *l, const char *p, size_t len)
{
	if (l->nr == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->v = xrealloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->nr++] = (struct key){ p, len };
}

/* Keys are compared as written: an escape that spells another key the same is refused apart. */
static int check_keys(struct scan *s, struct key_list *keys)
{
	size_t i;

	if (keys->nr > 1)
		qsort(keys->v, keys->nr, sizeof(*keys->v), cmp_key);
	for (i = 1; i < keys->nr; i++) {
		if (!cmp_key(&keys->v[i - 1], &keys->v[i]))
			return err_set(s->e, 0, "cannot parse %s: key \"%.*s\" appears twice",
				       s->what, (int)keys->v[i].len, keys->v[i].p);
	}
	keys->nr = 0;
	return 0;
}

static int scan_key(struct scan *s, struct key_list *keys)
{
	const char *at = s->p;

	if (scan_string(s) < 0)
		return -1;
	if (memchr(at, '\\', (size_t)(s->p - at)))
		return scan_fail(s, "escape in a key");
	add_key(keys, at + 1, (size_t)(s->p - at) - 2);
	skip_space(s);
	if (s->p == s->end || *s->p != ':')
		return scan_fail(s, "expected ':'");
	s->p++;
	return 0;
}

static int scan_members(struct scan *s, unsigned depth, char close)
{
	struct key_list *keys = &s->keys[depth];

	s->p++;
	skip_space(s);
	if (s->p < s->end && *s->p == close) {
		s->p++;
		return 0;
	}
	for (;;) {
		skip_space(s);
		if (close == '}' && scan_key(s, keys) < 0)
			return -1;
		if (scan_value(s, depth + 1) < 0)
			return -1;
		skip_space(s);
		if (s->p < s->end && *s->p == ',') {
			s->p++;
			continue;
		}
		if (s->p == s->end || *s->p != close)
			return scan_fail(s, "expected ',' or the end of the list");
		s->p++;
		return check_keys(s, keys);
	}
}

static int scan_value(struct scan *s, unsigned depth)
{
	skip_space(s);
	if (depth > JSON_MAX_DEPTH)
		return scan_fail(s, "nested deeper than 32 levels");
	if (s->p == s->end)
		return scan_fail(s, "unexpected end");
	switch (*s->p) {
	case '{':
		return scan_members(s, depth, '}');
	case '[':
		return scan_members(s, depth, ']');
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		return scan_number(s);
	}
}

int json_scan(const char *text, size_t len, const char *what, struct err *e)
{
	struct scan s = { .p = text, .end = text + len, .start = text, .what = what, .e = e };
	size_t i;
	int r;

	if (len > JSON_MAX_SIZE)
		return err_set(e, 0, "cannot parse %s: larger than 4 MiB", what);
	r = scan_value(&s, 0);
	skip_space(&s);
	if (!r && s.p != s.end)
		r = scan_fail(&s, "text after the document");
	for (i = 0; i < nitems(s.keys); i++)
		free(s.keys[i].v);
	return r;
}

cJSON *json_parse(const char *text, size_t len, const char *what, struct err *e)
{
	cJSON *j;

	if (json_scan(text, len, what, e) < 0)
		return NULL;
	j = cJSON_ParseWithLength(text, len);
	if (!j)
		err_set(e, 0, "cannot parse %s: not valid JSON", what);
	return j;
}

static const cJSON *member(const cJSON *o, const char *key)
{
	const cJSON *j = cJSON_GetObjectItemCaseSensitive(o, key);

	return j && !cJSON_IsNull(j) ? j : NULL;
}

static int wrong_type(const char *key, const char *want, struct err *e)
{
	return err_set(e, 0, "key \"%s\" is not %s", key, want);
}

int json_get_str(const cJSON *o, const char *key, const char **out, struct err *e)
{
	const cJSON *j = member(o, key);

	if (!j)
		return 0;
	if (!cJSON_IsString(j))
		return wrong_type(key, "a string", e);
	*out = j->valuestring;
	return 1;
}

int json_get_u64(const cJSON *o, const char *key, uint64_t *out, struct err *e)
{
	const cJSON *j = member(o, key);

	if (!j)
		return 0;
	/* 2^53: the largest range in which a JSON number is exact. */
	if (!cJSON_IsNumber(j) || j->valuedouble < 0 || j->valuedouble > 9007199254740992.0 ||
	    floor(j->valuedouble) != j->valuedouble)
		return wrong_type(key, "a whole number from 0 to 2^53", e);
	*out = (uint64_t)j->valuedouble;
	return 1;
}

int json_get_bool(const cJSON *o, const char *key, bool *out, struct err *e)
{
	const cJSON *j = member(o, key);

	if (!j)
		return 0;
	if (!cJSON_IsBool(j))
		return wrong_type(key, "true or false", e);
	*out = cJSON_IsTrue(j);
	return 1;
}

int json_get_obj(const cJSON *o, const char *key, const cJSON **out, struct err *e)
{
	const cJSON *j = member(o, key);

	if (!j)
		return 0;
	if (!cJSON_IsObject(j))
		return wrong_type(key, "an object", e);
	*out = j;
	return 1;
}

int json_get_arr(const cJSON *o, const char *key, const cJSON **out, struct err *e)
{
	const cJSON *j = member(o, key);

	if (!j)
		return 0;
	if (!cJSON_IsArray(j))
		return wrong_type(key, "an array", e);
	*out = j;
	return 1;
}

int json_get_strv(const cJSON *o, const char *key, struct strv *out, struct err *e)
{
	const cJSON *arr = NULL, *j;
	int r = json_get_arr(o, key, &arr, e);

	if (r <= 0)
		return r;
	cJSON_ArrayForEach(j, arr)
	{
		if (!cJSON_IsString(j))
			return wrong_type(key, "an array of strings", e);
		strv_add(out, j->valuestring);
	}
	return 1;
}

void json_print(struct strbuf *b, const cJSON *j, bool pretty)
{
	char *s = pretty ? cJSON_Print(j) : cJSON_PrintUnformatted(j);

	if (!s)
		abort(); /* only out of memory */
	sb_adds(b, s);
	cJSON_free(s);
}
