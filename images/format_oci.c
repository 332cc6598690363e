/* SPDX-License-Identifier: Apache-2.0 */
/* OCI image layouts (image-spec image-layout.md): as a directory, or as a tar of one. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "images/archive.h"
#include "images/bag.h"
#include "images/formats.h"

static int check_layout(const struct bag *b, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cleanup_json cJSON *j = NULL;
	const char *version = "";

	if (bag_read(b, "oci-layout", 4096, &text, e) < 0) {
		if (e->kind != ERR_NOT_FOUND)
			return -1;
		return err_setk(e, ERR_NOT_FOUND, 0, "%s is no OCI image layout", b->path);
	}
	j = json_parse(text.buf, text.len, "oci-layout", e);
	if (!j || json_get_str(j, "imageLayoutVersion", &version, e) < 0)
		return -1;
	if (strcmp(version, "1.0.0") != 0)
		return err_set(e, 0, "cannot use %s: layout version '%.40s' is not 1.0.0", b->path,
			       version);
	return 0;
}

static int open_with(struct fetch *f,
		     int (*open_bag)(const struct image_ref *, struct store *, struct bag *,
				     struct err *),
		     struct err *e)
{
	struct bag *b = xcalloc(1, sizeof(*b));

	if (open_bag(&f->ref, f->store, b, e) < 0) {
		free(b);
		return -1;
	}
	f->source = b;
	return check_layout(b, e);
}

static int open_dir(const struct image_ref *ref, struct store *s, struct bag *b, struct err *e)
{
	(void)s;
	return bag_open_dir(ref->path, b, e);
}

static int oci_open(struct fetch *f, struct err *e)
{
	return open_with(f, open_dir, e);
}

static int archive_open(struct fetch *f, struct err *e)
{
	return open_with(f, archive_bag, e);
}

static void bag_source_close(struct fetch *f)
{
	if (f->source)
		bag_close(f->source);
	free(f->source);
	f->source = NULL;
}

static void blob_name(const struct desc *d, char buf[static STORE_NAME_MAX])
{
	store_blob_name(&d->digest, buf);
}

/* A manifest or index named by a descriptor; its bytes must be what the descriptor says. */
static int read_document(struct fetch *f, const struct desc *d, struct strbuf *out, struct err *e)
{
	char name[STORE_NAME_MAX];
	struct digest sum;

	blob_name(d, name);
	if (bag_read(f->source, name, MANIFEST_MAX_SIZE, out, e) < 0 ||
	    digest_bytes(out->buf, out->len, &sum, e) < 0)
		return -1;
	if (out->len != d->size || !digest_equal(&sum, &d->digest))
		return err_setk(e, ERR_DENIED, 0, "cannot use %s: its content does not match",
				name);
	return 0;
}

static int oci_resolve(struct fetch *f, struct strbuf *manifest, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cleanup_index struct index idx = { 0 };
	const struct index_entry *en;

	if (bag_read(f->source, "index.json", MANIFEST_MAX_SIZE, &text, e) < 0 ||
	    index_parse(text.buf, text.len, &idx, e) < 0)
		return -1;
	en = index_pick_name(&idx, f->ref.tag, e);
	if (!en || read_document(f, &en->desc, manifest, e) < 0)
		return -1;
	return resolve_platform(f, manifest, NULL, read_document, e);
}

static int oci_blob(struct fetch *f, const struct desc *d, struct put *p, struct err *e)
{
	cleanup_close int fd = -1;
	char name[STORE_NAME_MAX];
	struct span at;

	blob_name(d, name);
	if (bag_find(f->source, name, &at, e) < 0)
		return -1;
	fd = at.fd;
	return put_copy(p, fd, at.off, at.size, e);
}

const struct image_format format_oci = {
	.kind = REF_OCI,
	.open = oci_open,
	.resolve = oci_resolve,
	.blob = oci_blob,
	.close = bag_source_close,
};

const struct image_format format_oci_archive = {
	.kind = REF_OCI_ARCHIVE,
	.open = archive_open,
	.resolve = oci_resolve,
	.blob = oci_blob,
	.close = bag_source_close,
};
