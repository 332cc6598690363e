/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte string, always NUL-terminated.  Running out of memory aborts: callers bound what
 * outsiders can make them append.
 */
#ifndef VPOD_BASE_STRBUF_H
#define VPOD_BASE_STRBUF_H

#include <stddef.h>

struct strbuf {
	char *buf;  /* never NULL; points to a shared empty string while cap is 0 */
	size_t len; /* bytes, without the terminator */
	size_t cap;
};

extern char strbuf_empty[1];

#define STRBUF_INIT                 \
	{                           \
		.buf = strbuf_empty \
	}
#define cleanup_sb __attribute__((__cleanup__(sb_free)))

void sb_init(struct strbuf *b);
void sb_free(struct strbuf *b);	 /* frees and becomes STRBUF_INIT again */
void sb_reset(struct strbuf *b); /* empty, keeps the memory */
void sb_reserve(struct strbuf *b, size_t more);
void sb_add(struct strbuf *b, const void *p, size_t n);
void sb_adds(struct strbuf *b, const char *s);
void sb_addc(struct strbuf *b, char c);
void sb_addf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sb_drop_front(struct strbuf *b, size_t n); /* n <= len */

/* Appends text for a terminal: control bytes and DEL become \xNN, newline and tab too. */
void sb_add_printable(struct strbuf *b, const char *s, size_t n);

/* Appends @s as a JSON string, quotes included; invalid UTF-8 bytes become U+FFFD. */
void sb_add_json(struct strbuf *b, const char *s);

/* Appends @s quoted for a POSIX shell, if it needs it. */
void sb_add_shell(struct strbuf *b, const char *s);

/* Caller owns the result; @b becomes empty. */
char *sb_take(struct strbuf *b);

/* malloc-family wrappers that abort when a small request cannot be met. */
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A NULL-terminated vector of owned strings. */
struct strv {
	char **v; /* NULL, or nr_v strings and a NULL */
	size_t nr_v;
};

#define cleanup_strv __attribute__((__cleanup__(strv_free)))

void strv_add(struct strv *v, const char *s); /* copies */
void strv_addf(struct strv *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strv_take(struct strv *v, char *s); /* takes ownership of s */
void strv_free(struct strv *v);
void strv_copy(struct strv *dst, const struct strv *src); /* dst is replaced */

#endif
