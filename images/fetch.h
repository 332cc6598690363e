/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The pipeline
 *
 *	resolve		reference → manifest of this platform, its digest is the image's id
 *	lock		one fetch per id at a time; the second finds what the first made
 *	configuration	by its digest; its diff_ids must match the manifest's layers
 *	layers		each: blob by its digest, then its conversion in a jail, two at a time
 *	merge		the layers' indexes → the EROFS metadata of the image
 *	name		last
 *
 * A format knows how to come by a manifest and by blobs, and nothing of what follows.  Private to
 * vpod-image.
 */
#ifndef VPOD_IMAGES_FETCH_H
#define VPOD_IMAGES_FETCH_H

#include "images/image.h"
#include "images/manifest.h"
#include "images/put.h"
#include "images/ref.h"
#include "images/store.h"

struct fetch;

struct image_format {
	enum ref_kind kind;
	/* Prepares f->source. */
	int (*open)(struct fetch *f, struct err *e);
	/* The bytes of the image manifest for this platform. */
	int (*resolve)(struct fetch *f, struct strbuf *manifest, struct err *e);
	/* Writes the bytes of a blob of that manifest; the caller checks them. */
	int (*blob)(struct fetch *f, const struct desc *d, struct put *p, struct err *e);
	void (*close)(struct fetch *f); /* also after a failed open */
};

struct fetch {
	struct store *store;
	struct image_ref ref;
	char *name; /* canonical */
	struct image_insecure insecure;
	const struct image_format *format;
	void *source;	   /* the format's own */
	bool is_transient; /* the failure was the network's: what is here already is kept */
};

extern const struct image_format *const image_formats[]; /* NULL-terminated */

/* One fetch from reference to name; prints nothing. @store is open, with its directories. */
int fetch_image(struct store *s, const char *text, const struct image_insecure *insecure,
		struct digest *id, char **name, struct err *e);

/* Makes sure that a rendering of the image with this manifest is in the store. */
int render_image(struct fetch *f, const struct strbuf *manifest, const struct digest *id,
		 struct err *e);

/* One layer of which only the file is known: converts it and learns its diff_id. */
int render_lone_layer(struct fetch *f, const struct digest *blob, struct digest *diff_id,
		      struct err *e);

/* A manifest around layers that came without; and with a configuration, which is stored. */
void synth_manifest(const struct desc *config, const struct desc *layers, unsigned nr_layers,
		    struct strbuf *out);
int synth_image(struct store *s, const struct desc *layer, const struct digest *diff_id,
		struct strbuf *manifest, struct err *e);

/* Walks down indexes to the manifest of this platform; get() reads one document by its digest. */
int resolve_platform(struct fetch *f, struct strbuf *doc, const char *media,
		     int (*get)(struct fetch *f, const struct desc *d, struct strbuf *out,
				struct err *e),
		     struct err *e);

/* Writes the tree at @path as a pax tar; the same tree gives the same bytes. */
int tree_to_tar(const char *path, struct put *p, struct err *e);

/* A line for who watches: on a terminal, or with --log=info. */
void progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
