/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table per command drives parsing, --help and the synopsis of its manual page.
 *
 * GNU long options (--name=value, --name value), short options (-e value, -evalue, -it), "--" ends
 * them.  A boolean takes =true or =false.  An unknown option is an error that names the nearest
 * one.
 */
#ifndef VPOD_BASE_OPTIONS_H
#define VPOD_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "strbuf.h"

enum opt_type {
	OPT_BOOL,     /* bool */
	OPT_STR,      /* const char *, points into argv */
	OPT_STRV,     /* struct strv, may be given many times */
	OPT_SIZE,     /* uint64_t bytes */
	OPT_DURATION, /* uint64_t nanoseconds */
	OPT_CPUS,     /* uint64_t thousandths */
	OPT_U64,      /* uint64_t */
	OPT_CALL,     /* call(ctx, value, e); value is NULL for one that takes none */
};

struct opt {
	const char *name; /* without dashes */
	char letter;	  /* or 0 */
	enum opt_type type;
	size_t offset;	   /* of the field in the struct given to opts_parse() */
	const char *value; /* what --help calls the value; NULL: takes none (OPT_BOOL, OPT_CALL) */
	const char *optional; /* OPT_STR, OPT_CALL: value when only --name is written, else NULL */
	const char *help;     /* NULL: hidden */
	int (*call)(void *ctx, const char *value, struct err *e);
};

#define OPT_END              \
	{                    \
		.name = NULL \
	}

/* Tables in the order they are searched; NULL-terminated list. */
struct opt_set {
	const struct opt *opts;
	void *ctx;
};

/*
 * Parses options from argv[*i] on, until the first operand or after "--" (then *ended is set and *i
 * is behind it).  *i ends at the first operand.
 */
int opts_parse(const struct opt_set *sets, int argc, char **argv, int *i, bool *ended,
	       struct err *e);

/* Appends the "Options" section of --help. */
void opts_help(struct strbuf *b, const struct opt *opts);

/* The entry of @names nearest to @word, or NULL when none is near. NULL-terminated. */
const char *nearest_word(const char *word, const char *const *names);

#endif
