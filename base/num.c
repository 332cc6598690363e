/* SPDX-License-Identifier: Apache-2.0 */
#include "num.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

int num_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)s[0]))
		return -1;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno || *end || v < min || v > max)
		return -1;
	*out = v;
	return 0;
}

/*
 * A decimal with up to nine decimals, as billionths of @unit, rounded down. Returns the rest of the
 * text, or NULL when there is no number or it does not fit.
 */
static const char *parse_decimal(const char *s, uint64_t *whole, uint64_t *billionths)
{
	char *end;
	uint64_t scale = 100000000;

	if (!isdigit((unsigned char)s[0]))
		return NULL;
	errno = 0;
	*whole = strtoull(s, &end, 10);
	*billionths = 0;
	if (errno)
		return NULL;
	if (*end != '.')
		return end;
	if (!isdigit((unsigned char)end[1]))
		return NULL;
	for (s = end + 1; isdigit((unsigned char)*s); s++) {
		*billionths += (uint64_t)(*s - '0') * scale;
		scale /= 10;
	}
	return s;
}

static int scaled(uint64_t whole, uint64_t billionths, uint64_t unit, uint64_t *out)
{
	unsigned __int128 v =
		(unsigned __int128)whole * unit + (unsigned __int128)billionths * unit / 1000000000;

	if (v > INT64_MAX)
		return -1;
	*out = (uint64_t)v;
	return 0;
}

int num_parse_size(const char *s, uint64_t *bytes, struct err *e)
{
	static const struct {
		const char *suffix;
		uint64_t unit;
	} units[] = {
		{ "", 1 },
		{ "b", 1 },
		{ "B", 1 },
		{ "k", 1ull << 10 },
		{ "m", 1ull << 20 },
		{ "g", 1ull << 30 },
		{ "t", 1ull << 40 },
		{ "K", 1000 },
		{ "M", 1000000 },
		{ "G", 1000000000 },
		{ "T", 1000000000000 },
		{ "KB", 1000 },
		{ "MB", 1000000 },
		{ "GB", 1000000000 },
		{ "TB", 1000000000000 },
		{ "Ki", 1ull << 10 },
		{ "Mi", 1ull << 20 },
		{ "Gi", 1ull << 30 },
		{ "Ti", 1ull << 40 },
		{ "KiB", 1ull << 10 },
		{ "MiB", 1ull << 20 },
		{ "GiB", 1ull << 30 },
		{ "TiB", 1ull << 40 },
	};
	uint64_t whole, frac;
	const char *rest = parse_decimal(s, &whole, &frac);
	size_t i;

	for (i = 0; rest && i < nitems(units); i++) {
		if (!strcmp(rest, units[i].suffix) && !scaled(whole, frac, units[i].unit, bytes))
			return 0;
	}
	err_setk(e, ERR_USAGE, 0, "cannot read size '%s': not a number with a unit", s);
	return err_hint(e, "write for example 512M, 512Mi or 2G");
}

int num_parse_duration(const char *s, uint64_t *ns, struct err *e)
{
	static const struct {
		const char *suffix;
		uint64_t unit;
	} units[] = {
		{ "ns", 1 },
		{ "us", 1000 },
		{ "ms", 1000000 },
		{ "s", 1000000000 },
		{ "m", 60000000000 },
		{ "h", 3600000000000 },
		{ "d", 86400000000000 },
	};
	uint64_t whole, frac, part, sum = 0;
	const char *p = s;
	size_t i, len;

	if (!num_parse_u64(s, 0, INT64_MAX / 1000000000, &whole)) {
		*ns = whole * 1000000000;
		return 0;
	}
	do {
		p = parse_decimal(p, &whole, &frac);
		if (!p)
			break;
		len = strspn(p, "abcdefghijklmnopqrstuvwxyz");
		for (i = 0; i < nitems(units); i++) {
			if (strlen(units[i].suffix) == len && !strncmp(p, units[i].suffix, len))
				break;
		}
		if (i == nitems(units) || scaled(whole, frac, units[i].unit, &part) ||
		    __builtin_add_overflow(sum, part, &sum) || sum > INT64_MAX)
			break;
		p += len;
		if (!*p) {
			*ns = sum;
			return 0;
		}
	} while (1);
	err_setk(e, ERR_USAGE, 0, "cannot read duration '%s': not numbers with units", s);
	return err_hint(e, "write for example 90, 2s, 500ms or 1h30m");
}

int num_parse_cpus(const char *s, uint64_t *milli, struct err *e)
{
	uint64_t whole, frac;
	const char *rest = parse_decimal(s, &whole, &frac);

	if (rest && !strcmp(rest, "m") && !frac && whole && whole <= 1024000) {
		*milli = whole;
		return 0;
	}
	if (rest && !*rest && whole <= 1024 && (whole || frac >= 1000000)) {
		*milli = whole * 1000 + frac / 1000000;
		return 0;
	}
	err_setk(e, ERR_USAGE, 0, "cannot read CPU count '%s': not a number of CPUs", s);
	return err_hint(e, "write for example 2, 0.5 or 500m");
}

char *num_format_duration(uint64_t ns, char buf[static 32])
{
	static const struct {
		const char *name;
		uint64_t unit;
	} units[] = { { "s", 1000000000 }, { "ms", 1000000 }, { "us", 1000 }, { "ns", 1 } };
	size_t i = 0;

	while (i + 1 < nitems(units) && ns < units[i].unit)
		i++;
	snprintf(buf, 32, "%.15g %s", (double)ns / (double)units[i].unit, units[i].name);
	return buf;
}

char *num_format_size(uint64_t bytes, char buf[static 32])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	size_t i = 0;

	while (v >= 1024 && i + 1 < nitems(units)) {
		v /= 1024;
		i++;
	}
	snprintf(buf, 32, i ? "%.1f %s" : "%.0f %s", v, units[i]);
	return buf;
}
