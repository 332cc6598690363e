/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors without allocation: the caller owns a struct err, whoever knows the fact fills it, whoever
 * knows the context wraps it, and main() prints it once.
 *
 * Every function that takes a struct err returns 0 (or a value >= 0), or -1 with the error filled:
 * never both, never neither.  The text reads "cannot <do what> <to what>: <why>".
 */
#ifndef VPOD_BASE_ERR_H
#define VPOD_BASE_ERR_H

enum err_kind {
	ERR_ENGINE,    /* anything that is not one of the following */
	ERR_USAGE,     /* the command line or a configuration file is wrong */
	ERR_NOT_FOUND, /* the named pod, image, kernel or file does not exist */
	ERR_DENIED,    /* permission, policy or a digest that does not match */
	ERR_GUEST,     /* the guest broke, or broke the protocol */
};

struct err {
	int num; /* errno value behind the failure, 0 if none */
	enum err_kind kind;
	char msg[1024]; /* outermost context first */
	char hint[256]; /* what the user can do about it, or "" */
};

/* Fills @e; a non-zero @num appends its errno text.  Returns -1. */
int err_set(struct err *e, int num, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set(), with a kind other than ERR_ENGINE. */
int err_setk(struct err *e, enum err_kind kind, int num, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Puts "<fmt>: " before the message that is already there.  Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Sets the hint, unless a more precise one is there already.  Returns -1. */
int err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Appends @text with our commands in it, which are written "'vpod list'" or "usage: vpod list",
 * called as people call us: @prog is "rkt" behind a symbolic link of that name.
 */
struct strbuf;
void err_add_named(struct strbuf *b, const char *text, const char *prog);

/* Prints "PROG: msg" and the hint to standard error; control bytes are escaped. */
void err_print(const struct err *e, const char *prog);

/* The static analyser sees one file at a time: there it must be told what these return. */
#ifdef __clang_analyzer__
#define err_set(...) (err_set(__VA_ARGS__), -1)
#define err_setk(...) (err_setk(__VA_ARGS__), -1)
#define err_wrap(...) (err_wrap(__VA_ARGS__), -1)
#define err_hint(...) (err_hint(__VA_ARGS__), -1)
#endif

#endif
