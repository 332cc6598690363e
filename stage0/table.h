/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for people: columns as wide as their widest cell, two spaces apart, nothing cut. */
#ifndef VPOD_STAGE0_TABLE_H
#define VPOD_STAGE0_TABLE_H

#include "base/strbuf.h"

#define TABLE_MAX_COLUMNS 12

struct table {
	unsigned nr_columns;
	struct strv cells; /* row by row, each row nr_columns long */
};

/* Cells are escaped for terminals. The first row added is the heading. */
void table_add(struct table *t, const char *cell);
void table_print(struct table *t);
void table_free(struct table *t);

#endif
