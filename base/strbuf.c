/* SPDX-License-Identifier: Apache-2.0 */
#include "strbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char strbuf_empty[1];

static void *or_abort(void *p)
{
	if (!p) {
		static const char msg[] = "out of memory\n";

		fputs(msg, stderr);
		abort();
	}
	return p;
}

void *xmalloc(size_t n)
{
	return or_abort(malloc(n ? n : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return or_abort(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t n)
{
	return or_abort(realloc(p, n ? n : 1));
}

char *xstrdup(const char *s)
{
	return or_abort(strdup(s));
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return or_abort(s);
}

void sb_init(struct strbuf *b)
{
	*b = (struct strbuf)STRBUF_INIT;
}

void sb_free(struct strbuf *b)
{
	if (b->cap)
		free(b->buf);
	sb_init(b);
}

void sb_reset(struct strbuf *b)
{
	b->len = 0;
	if (b->cap)
		b->buf[0] = '\0';
}

void sb_reserve(struct strbuf *b, size_t more)
{
	size_t need, cap;

	if (__builtin_add_overflow(b->len, more, &need) || __builtin_add_overflow(need, 1, &need))
		or_abort(NULL);
	if (need <= b->cap)
		return;
	cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap += cap / 2 + 64;
	b->buf = xrealloc(b->cap ? b->buf : NULL, cap);
	b->cap = cap;
	b->buf[b->len] = '\0';
}

void sb_add(struct strbuf *b, const void *p, size_t n)
{
	if (!n)
		return;
	sb_reserve(b, n);
	memcpy(b->buf + b->len, p, n);
	b->len += n;
	b->buf[b->len] = '\0';
}

void sb_adds(struct strbuf *b, const char *s)
{
	sb_add(b, s, strlen(s));
}

void sb_addc(struct strbuf *b, char c)
{
	sb_add(b, &c, 1);
}

void sb_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n <= 0)
		return;
	sb_reserve(b, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(b->buf + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void sb_drop_front(struct strbuf *b, size_t n)
{
	if (!n)
		return;
	memmove(b->buf, b->buf + n, b->len - n);
	b->len -= n;
	b->buf[b->len] = '\0';
}

/* Length of the valid UTF-8 sequence at @s, or 0. */
static size_t utf8_len(const unsigned char *s, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t cp;
	size_t len, i;

	if (s[0] < 0x80)
		return 1;
	len = s[0] >= 0xf0 && s[0] < 0xf5   ? 4
	      : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
	      : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
					    : 0;
	if (!len || len > n)
		return 0;
	cp = s[0] & (0xffu >> (len + 1));
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (s[i] & 0x3f);
	}
	if (cp < least[len] || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return 0;
	return len;
}

/* C1 controls (U+0080..U+009F) drive terminals just as escape sequences do. */
static int is_control(const unsigned char *s, size_t len)
{
	return len == 1 ? s[0] < 0x20 || s[0] == 0x7f : len == 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

void sb_add_printable(struct strbuf *b, const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t i = 0, j;

	while (i < n) {
		size_t len = utf8_len(s + i, n - i);

		if (len && !is_control(s + i, len)) {
			sb_add(b, s + i, len);
		} else {
			len = len ? len : 1;
			for (j = 0; j < len; j++)
				sb_addf(b, "\\x%02x", s[i + j]);
		}
		i += len;
	}
}

void sb_add_json(struct strbuf *b, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = strlen(text), i = 0;

	sb_addc(b, '"');
	while (i < n) {
		size_t len = utf8_len(s + i, n - i);

		if (!len) {
			sb_adds(b, "\xef\xbf\xbd");
			len = 1;
		} else if (s[i] == '"' || s[i] == '\\') {
			sb_addf(b, "\\%c", s[i]);
		} else if (s[i] == '\n') {
			sb_adds(b, "\\n");
		} else if (s[i] < 0x20 || s[i] == 0x7f) {
			sb_addf(b, "\\u%04x", s[i]);
		} else {
			sb_add(b, s + i, len);
		}
		i += len;
	}
	sb_addc(b, '"');
}

void sb_add_shell(struct strbuf *b, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-./,:=+@%";

	if (*s && strspn(s, plain) == strlen(s)) {
		sb_adds(b, s);
		return;
	}
	sb_addc(b, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			sb_adds(b, "'\\''");
		else
			sb_addc(b, *s);
	}
	sb_addc(b, '\'');
}

char *sb_take(struct strbuf *b)
{
	char *s = b->cap ? b->buf : xstrdup("");

	sb_init(b);
	return s;
}

void strv_take(struct strv *v, char *s)
{
	v->v = xrealloc(v->v, (v->nr_v + 2) * sizeof(*v->v));
	v->v[v->nr_v++] = s;
	v->v[v->nr_v] = NULL;
}

void strv_add(struct strv *v, const char *s)
{
	strv_take(v, xstrdup(s));
}

void strv_addf(struct strv *v, const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	strv_take(v, or_abort(s));
}

void strv_free(struct strv *v)
{
	size_t i;

	for (i = 0; i < v->nr_v; i++)
		free(v->v[i]);
	free(v->v);
	*v = (struct strv){ 0 };
}

void strv_copy(struct strv *dst, const struct strv *src)
{
	size_t i;

	strv_free(dst);
	for (i = 0; i < src->nr_v; i++)
		strv_add(dst, src->v[i]);
}
