/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of a running machine, as JSON and as Prometheus reads them.  Loop. */
#ifndef VPOD_VMM_METRICS_H
#define VPOD_VMM_METRICS_H

#include <stdbool.h>
#include <stddef.h>

struct machine;

/* Text of bounded size: what does not fit is left out, and is_full says so. No allocation. */
struct text {
	char *buf;
	size_t len, size;
	bool is_full;
};

void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_add_json(struct text *t, const char *s); /* as a string, quoted */

/* One JSON object, without a line's end. */
void metrics_json(struct machine *m, struct text *t);

/* Prometheus' text format; ends with the line "# EOF". */
void metrics_prometheus(struct machine *m, struct text *t);

#endif
