/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people write them. All parsers refuse trailing text, signs and overflow. */
#ifndef VPOD_BASE_NUM_H
#define VPOD_BASE_NUM_H

#include <stdint.h>

#include "err.h"

/* Decimal in [min, max]. */
int num_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/*
 * Bytes: a decimal with an optional K M G T (powers of 1000), Ki Mi Gi Ti (1024), or docker's b k m
 * g t (1024); an optional trailing B is fine after K..Ti.
 */
int num_parse_size(const char *s, uint64_t *bytes, struct err *e);

/* Nanoseconds: a plain number of seconds, or numbers with ns us ms s m h d, added ("1h30m",
 * "1.5s"). */
int num_parse_duration(const char *s, uint64_t *ns, struct err *e);

/* CPUs in thousandths: "2", "1.5", "500m". */
int num_parse_cpus(const char *s, uint64_t *milli, struct err *e);

/* "100 ms", "1.5 s", "60 s" into @buf. Returns buf. */
char *num_format_duration(uint64_t ns, char buf[static 32]);

/* "12.3 MiB" into @buf. Returns buf. */
char *num_format_size(uint64_t bytes, char buf[static 32]);

#endif
