/* SPDX-License-Identifier: Apache-2.0 */
/* An image by its id: rendered again from what the store has. */
#include <string.h>

#include "images/formats.h"

static int stored_open(struct fetch *f, struct err *e)
{
	struct digest d;
	char text[DIGEST_HEX_LEN + 8] = "sha256:";

	strncat(text, f->ref.id, DIGEST_HEX_LEN);
	return digest_parse(text, &d, e);
}

static int stored_resolve(struct fetch *f, struct strbuf *manifest, struct err *e)
{
	struct digest d, sum;

	memcpy(d.hex, f->ref.id, sizeof(d.hex));
	if (store_read_blob(f->store, &d, MANIFEST_MAX_SIZE, manifest, e) < 0 ||
	    digest_bytes(manifest->buf, manifest->len, &sum, e) < 0)
		return -1;
	if (!digest_equal(&d, &sum))
		return err_setk(e, ERR_DENIED, 0, "cannot use the image manifest: it was changed");
	return 0;
}

static int stored_blob(struct fetch *f, const struct desc *d, struct put *p, struct err *e)
{
	(void)f;
	(void)p;
	err_setk(e, ERR_NOT_FOUND, 0, "blob sha256:%s is missing in the store", d->digest.hex);
	return err_hint(e, "fetch the image again by its name");
}

static void stored_close(struct fetch *f)
{
	(void)f;
}

const struct image_format format_stored = {
	.kind = REF_ID,
	.open = stored_open,
	.resolve = stored_resolve,
	.blob = stored_blob,
	.close = stored_close,
};
