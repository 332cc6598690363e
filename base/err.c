/* SPDX-License-Identifier: Apache-2.0 */
#include "err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "strbuf.h"

static void err_fill(struct err *e, enum err_kind kind, int num, const char *fmt, va_list ap)
{
	int n;

	e->num = num;
	e->kind = kind;
	e->hint[0] = '\0';
	n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	if (num && n >= 0 && (size_t)n < sizeof(e->msg))
		snprintf(e->msg + n, sizeof(e->msg) - (size_t)n, ": %s", strerror(num));
}

int(err_set)(struct err *e, int num, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_fill(e, ERR_ENGINE, num, fmt, ap);
	va_end(ap);
	return -1;
}

int(err_setk)(struct err *e, enum err_kind kind, int num, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_fill(e, kind, num, fmt, ap);
	va_end(ap);
	return -1;
}

int(err_wrap)(struct err *e, const char *fmt, ...)
{
	char inner[sizeof(e->msg)];
	va_list ap;
	int n;

	memcpy(inner, e->msg, sizeof(inner));
	va_start(ap, fmt);
	n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->msg))
		snprintf(e->msg + n, sizeof(e->msg) - (size_t)n, ": %s", inner);
	return -1;
}

int(err_hint)(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (e->hint[0])
		return -1;
	va_start(ap, fmt);
	vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
	return -1;
}

void err_add_named(struct strbuf *b, const char *text, const char *prog)
{
	const char *p = text, *at;

	while ((at = strstr(p, "vpod "))) {
		bool is_command = at > text && (at[-1] == '\'' ||
						(at - text > 1 && at[-1] == ' ' && at[-2] == ':'));

		sb_add(b, p, (size_t)(at - p));
		sb_adds(b, is_command ? prog : "vpod");
		p = at + strlen("vpod");
	}
	sb_adds(b, p);
}

static void add_line(struct strbuf *b, const char *text, const char *prog)
{
	struct strbuf named = STRBUF_INIT;

	err_add_named(&named, text, prog);
	sb_add_printable(b, named.buf, named.len);
	sb_addc(b, '\n');
	sb_free(&named);
}

void err_print(const struct err *e, const char *prog)
{
	struct strbuf b = STRBUF_INIT;

	sb_addf(&b, "%s: ", prog);
	add_line(&b, e->msg, prog);
	if (e->hint[0]) {
		sb_adds(&b, "hint: ");
		add_line(&b, e->hint, prog);
	}
	fputs(b.buf, stderr);
	sb_free(&b);
}
