/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/net/jtext.h"

#include <string.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct jtext *it)
{
	while (it->p < it->end && is_space(*it->p))
		it->p++;
}

/* To behind the closing quote. */
static void skip_string(struct jtext *it)
{
	it->p++;
	while (it->p < it->end && *it->p != '"')
		it->p += *it->p == '\\' && it->end - it->p > 1 ? 2 : 1;
	if (it->p < it->end)
		it->p++;
}

/* To the comma or bracket behind a value: those within it are at a depth, or in a string. */
static void skip_value(struct jtext *it)
{
	unsigned depth = 0;

	while (it->p < it->end) {
		char c = *it->p;

		if (c == '"') {
			skip_string(it);
			continue;
		}
		if (!depth && (c == ',' || c == '}' || c == ']'))
			return;
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		it->p++;
	}
}

int jtext_open(struct jtext *it, struct jslice v)
{
	*it = (struct jtext){ .p = v.p, .end = v.p + v.len };
	skip_space(it);
	if (it->p == it->end || (*it->p != '{' && *it->p != '['))
		return -1;
	it->is_object = *it->p++ == '{';
	return 0;
}

bool jtext_next(struct jtext *it, struct jslice *key, struct jslice *value)
{
	const char *at;

	*key = (struct jslice){ "", 0 };
	skip_space(it);
	if (it->p < it->end && *it->p == ',') {
		it->p++;
		skip_space(it);
	}
	if (it->p == it->end || *it->p == '}' || *it->p == ']')
		return false;
	if (it->is_object) {
		at = it->p + 1;
		skip_string(it);
		*key = (struct jslice){ at, (size_t)(it->p - at) - 1 };
		skip_space(it);
		if (it->p < it->end)
			it->p++; /* the colon */
		skip_space(it);
	}
	at = it->p;
	skip_value(it);
	*value = (struct jslice){ at, (size_t)(it->p - at) };
	while (value->len && is_space(value->p[value->len - 1]))
		value->len--;
	return true;
}

bool jslice_is(struct jslice s, const char *text)
{
	return s.len == strlen(text) && !memcmp(s.p, text, s.len);
}

bool jslice_starts(struct jslice s, const char *text)
{
	size_t n = strlen(text);

	return s.len >= n && !memcmp(s.p, text, n);
}

bool jtext_find(struct jslice obj, const char *key, struct jslice *value)
{
	struct jslice k, v;
	struct jtext it;

	if (jtext_open(&it, obj) < 0 || !it.is_object)
		return false;
	while (jtext_next(&it, &k, &v)) {
		if (jslice_is(k, key)) {
			*value = v;
			return true;
		}
	}
	return false;
}
