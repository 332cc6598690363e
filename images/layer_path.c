/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_path.h"

#include <stdbool.h>
#include <string.h>

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"
#define AUFS ".wh..wh."

static bool starts(const char *s, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return len >= n && memcmp(s, prefix, n) == 0;
}

static bool is_dots(const char *s, size_t len)
{
	return (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.');
}

static int refuse(const char *name, const char *why, struct err *e)
{
	return err_set(e, 0, "cannot take entry \"%.300s\": %s", name, why);
}

/* Copies the components that count. */
static int join(const char *name, struct clean_path *out, struct err *e)
{
	const char *p = name;

	out->len = 0;
	while (*p) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return refuse(name, "its name contains \"..\"", e);
		if (n > LAYER_MAX_NAME)
			return refuse(name, "a part of its name is longer than 255 bytes", e);
		if (n && !(n == 1 && p[0] == '.')) {
			if (out->len + (out->len > 0) + n > LAYER_MAX_PATH)
				return refuse(name, "its name is longer than 4095 bytes", e);
			if (out->len)
				out->text[out->len++] = '/';
			memcpy(out->text + out->len, p, n);
			out->len += n;
		}
		p += n + (p[n] == '/');
	}
	out->text[out->len] = '\0';
	return 0;
}

/* The last component, a whiteout of some sort: the path becomes that of what it hides. */
static int take_whiteout(const char *name, struct clean_path *out, size_t base, struct err *e)
{
	size_t n = out->len - base, skip = strlen(WHITEOUT);
	char *last = out->text + base;

	if (n == strlen(OPAQUE) && memcmp(last, OPAQUE, n) == 0) {
		out->what = PATH_OPAQUE;
		out->len = base ? base - 1 : 0;
	} else if (n == skip || is_dots(last + skip, n - skip)) {
		return refuse(name, "a whiteout must name what it hides", e);
	} else {
		out->what = PATH_WHITEOUT;
		memmove(last, last + skip, n - skip);
		out->len -= skip;
	}
	out->text[out->len] = '\0';
	return 0;
}

/* Looks for the reserved prefix in every component. */
static int find_whiteout(const char *name, struct clean_path *out, struct err *e)
{
	size_t base = 0;

	while (base < out->len) {
		const char *p = out->text + base;
		size_t n = strcspn(p, "/");
		bool is_last = base + n == out->len;

		if (starts(p, n, AUFS) &&
		    !(is_last && n == strlen(OPAQUE) && memcmp(p, OPAQUE, n) == 0)) {
			out->what = PATH_IGNORED;
			return 0;
		}
		if (starts(p, n, WHITEOUT)) {
			if (!is_last)
				return refuse(name, "a whiteout has nothing beneath it", e);
			return take_whiteout(name, out, base, e);
		}
		base += n + 1;
	}
	return 0;
}

int path_clean(const char *name, struct clean_path *out, struct err *e)
{
	out->what = PATH_PLAIN;
	if (name[0] == '\0')
		return refuse(name, "it has no name", e);
	/* All slashes is the root itself, as umoci insert names it; its type is checked like any.
	 */
	if (name[0] == '/' && name[strspn(name, "/")])
		return refuse(name, "its name is absolute", e);
	if (join(name, out, e) < 0)
		return -1;
	return find_whiteout(name, out, e);
}
