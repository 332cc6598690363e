/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/table.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

void table_add(struct table *t, const char *cell)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	sb_add_printable(&b, cell, strlen(cell));
	strv_take(&t->cells, sb_take(&b));
}

/* Characters, not bytes: UTF-8 continuation bytes have no width. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

void table_print(struct table *t)
{
	size_t widest[TABLE_MAX_COLUMNS] = { 0 }, i, w;
	cleanup_sb struct strbuf b = STRBUF_INIT;

	for (i = 0; i < t->cells.nr_v; i++) {
		w = width(t->cells.v[i]);
		if (w > widest[i % t->nr_columns])
			widest[i % t->nr_columns] = w;
	}
	for (i = 0; i < t->cells.nr_v; i++) {
		sb_adds(&b, t->cells.v[i]);
		if (i % t->nr_columns + 1 == t->nr_columns) {
			while (b.len && b.buf[b.len - 1] == ' ')
				b.buf[--b.len] = '\0';
			sb_addc(&b, '\n');
		} else {
			sb_addf(&b, "%*s",
				(int)(widest[i % t->nr_columns] - width(t->cells.v[i]) + 2), "");
		}
	}
	fputs(b.buf, stdout);
}

void table_free(struct table *t)
{
	strv_free(&t->cells);
}
