/* SPDX-License-Identifier: Apache-2.0 */
#include "images/fetch.h"

int resolve_platform(struct fetch *f, struct strbuf *doc, const char *media,
		     int (*get)(struct fetch *f, const struct desc *d, struct strbuf *out,
				struct err *e),
		     struct err *e)
{
	unsigned depth;

	for (depth = 0; depth <= MANIFEST_MAX_NESTING; depth++) {
		cleanup_index struct index idx = { 0 };
		const struct index_entry *en;
		int r = manifest_is_index(doc->buf, doc->len, media, e);

		if (r <= 0)
			return r;
		if (index_parse(doc->buf, doc->len, &idx, e) < 0)
			return -1;
		en = index_pick_platform(&idx, e);
		if (!en)
			return -1;
		sb_reset(doc);
		if (get(f, &en->desc, doc, e) < 0)
			return -1;
		media = NULL;
	}
	return err_setk(e, ERR_DENIED, 0, "cannot use image index: nested deeper than %d levels",
			MANIFEST_MAX_NESTING);
}
