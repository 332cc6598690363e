/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "num.h"

/* Edit distance (insert, delete, replace, swap of neighbours), on words of at most 31 bytes. */
static unsigned distance(const char *a, const char *b)
{
	unsigned d[32][32];
	size_t n = strlen(a), m = strlen(b), i, j;

	if (n > 31 || m > 31)
		return 32;
	for (i = 0; i <= n; i++) {
		for (j = 0; j <= m; j++) {
			unsigned best;

			if (!i || !j) {
				d[i][j] = (unsigned)(i + j);
				continue;
			}
			best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[n][m];
}

struct nearest {
	const char *word;
	const char *best;
	unsigned least;
};

static void nearest_try(struct nearest *n, const char *name)
{
	unsigned d = distance(n->word, name);

	/* A word that the name begins with is nearer than any other edit. */
	if (strlen(n->word) >= 3 && !strncmp(name, n->word, strlen(n->word)))
		d = 1;
	if (d < n->least) {
		n->least = d;
		n->best = name;
	}
}

static const char *nearest_result(const struct nearest *n)
{
	size_t len = strlen(n->word);

	return n->least <= (len < 4 ? 1 : len < 8 ? 2 : 3) ? n->best : NULL;
}

const char *nearest_word(const char *word, const char *const *names)
{
	struct nearest n = { .word = word, .least = 32 };

	for (; *names; names++)
		nearest_try(&n, *names);
	return nearest_result(&n);
}

static int store_value(const struct opt *o, void *ctx, const char *v, struct err *e)
{
	void *field = (char *)ctx + o->offset;

	switch (o->type) {
	case OPT_BOOL:
		if (v && strcmp(v, "true") && strcmp(v, "false"))
			return err_set(e, 0, "it takes true or false");
		*(bool *)field = !v || !strcmp(v, "true");
		return 0;
	case OPT_STR:
		*(const char **)field = v;
		return 0;
	case OPT_STRV:
		strv_add(field, v);
		return 0;
	case OPT_SIZE:
		return num_parse_size(v, field, e);
	case OPT_DURATION:
		return num_parse_duration(v, field, e);
	case OPT_CPUS:
		return num_parse_cpus(v, field, e);
	case OPT_U64:
		if (num_parse_u64(v, 0, UINT64_MAX, field) < 0)
			return err_set(e, 0, "not a number");
		return 0;
	case OPT_CALL:
		return o->call(ctx, v, e);
	}
	abort();
}

/* Errors name the option as it was typed: @letter is 0 for the long form. */
static int set_value(const struct opt *o, char letter, void *ctx, const char *v, struct err *e)
{
	char shown[80], value[80] = "";

	if (store_value(o, ctx, v, e) == 0)
		return 0;
	e->kind = ERR_USAGE;
	if (!strncmp(e->msg, "cannot use", 10))
		return -1;
	if (letter)
		snprintf(shown, sizeof(shown), "-%c", letter);
	else
		snprintf(shown, sizeof(shown), "--%s", o->name);
	/* "cannot read size '1x'" shows the value already. */
	if (v && strncmp(e->msg, "cannot read", 11))
		snprintf(value, sizeof(value), "%c%s", letter ? ' ' : '=', v);
	return err_wrap(e, "cannot use %s%s", shown, value);
}

static int unknown_option(const struct opt_set *sets, const char *shown, const char *name,
			  struct err *e)
{
	struct nearest n = { .word = name, .least = 32 };
	const struct opt *o;

	err_setk(e, ERR_USAGE, 0, "cannot use %s: no such option", shown);
	for (; sets->opts; sets++) {
		for (o = sets->opts; o->name; o++) {
			if (o->help)
				nearest_try(&n, o->name);
		}
	}
	if (nearest_result(&n))
		return err_hint(e, "did you mean --%s?", nearest_result(&n));
	return err_hint(e, "'--help' lists the options");
}

static const struct opt *find_long(const struct opt_set *sets, const char *name, size_t len,
				   void **ctx)
{
	const struct opt *o;

	for (; sets->opts; sets++) {
		for (o = sets->opts; o->name; o++) {
			if (strlen(o->name) == len && !strncmp(o->name, name, len)) {
				*ctx = sets->ctx;
				return o;
			}
		}
	}
	return NULL;
}

static const struct opt *find_letter(const struct opt_set *sets, char c, void **ctx)
{
	const struct opt *o;

	for (; sets->opts; sets++) {
		for (o = sets->opts; o->name; o++) {
			if (o->letter == c) {
				*ctx = sets->ctx;
				return o;
			}
		}
	}
	return NULL;
}

static int parse_long(const struct opt_set *sets, int argc, char **argv, int *i, struct err *e)
{
	const char *name = argv[*i] + 2, *eq = strchr(name, '=');
	char shown[80];
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	const struct opt *o;
	void *ctx = NULL;

	o = find_long(sets, name, len, &ctx);
	if (!o) {
		snprintf(shown, sizeof(shown), "--%.*s", (int)(len < 70 ? len : 70), name);
		return unknown_option(sets, shown, shown + 2, e);
	}
	(*i)++;
	if (eq && !o->value && o->type != OPT_BOOL)
		return err_setk(e, ERR_USAGE, 0, "cannot use --%s=...: it takes no value", o->name);
	if (eq || !o->value)
		return set_value(o, 0, ctx, eq ? eq + 1 : NULL, e);
	if (o->optional)
		return set_value(o, 0, ctx, o->optional, e);
	if (*i >= argc)
		return err_setk(e, ERR_USAGE, 0, "cannot use --%s: it needs a value (%s)", o->name,
				o->value);
	return set_value(o, 0, ctx, argv[(*i)++], e);
}

/* A cluster of letters: "-it", "-e K=V", "-eK=V". */
static int parse_short(const struct opt_set *sets, int argc, char **argv, int *i, struct err *e)
{
	const char *p = argv[*i] + 1;
	const struct opt *o;
	void *ctx = NULL;
	char shown[3] = "-";

	(*i)++;
	for (; *p; p++) {
		o = find_letter(sets, *p, &ctx);
		if (!o) {
			shown[1] = *p;
			return unknown_option(sets, shown, "", e);
		}
		if (!o->value) {
			if (set_value(o, *p, ctx, NULL, e) < 0)
				return -1;
			continue;
		}
		if (p[1])
			return set_value(o, *p, ctx, p[1] == '=' ? p + 2 : p + 1, e);
		if (*i >= argc)
			return err_setk(e, ERR_USAGE, 0, "cannot use -%c: it needs a value (%s)",
					o->letter, o->value);
		return set_value(o, *p, ctx, argv[(*i)++], e);
	}
	return 0;
}

int opts_parse(const struct opt_set *sets, int argc, char **argv, int *i, bool *ended,
	       struct err *e)
{
	*ended = false;
	while (*i < argc) {
		const char *a = argv[*i];
		int r;

		if (a[0] != '-' || !a[1] || !strcmp(a, "---"))
			return 0;
		if (!strcmp(a, "--")) {
			(*i)++;
			*ended = true;
			return 0;
		}
		r = a[1] == '-' ? parse_long(sets, argc, argv, i, e)
				: parse_short(sets, argc, argv, i, e);
		if (r < 0)
			return -1;
	}
	return 0;
}

void opts_help(struct strbuf *b, const struct opt *opts)
{
	for (; opts->name; opts++) {
		cleanup_sb struct strbuf left = STRBUF_INIT;

		if (!opts->help)
			continue;
		if (opts->letter)
			sb_addf(&left, "-%c, ", opts->letter);
		else
			sb_adds(&left, "    ");
		sb_addf(&left, "--%s", opts->name);
		if (opts->value)
			sb_addf(&left, opts->optional ? "[=%s]" : "=%s", opts->value);
		sb_addf(b,
			left.len < 30 ? "  %-30s %s\n"
				      : "  %s\n                                 %s\n",
			left.buf, opts->help);
	}
}
