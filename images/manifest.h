/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image manifests and indexes, OCI and docker schema 2, as strangers wrote them.  Strict: a
 * document that two readers could take for different things is refused (CVE-2021-41190), so are
 * layers that are to be fetched from elsewhere, and whatever is not an image.
 */
#ifndef VPOD_IMAGES_MANIFEST_H
#define VPOD_IMAGES_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "images/digest.h"

#define MANIFEST_MAX_SIZE (4u << 20)
#define MANIFEST_MAX_NESTING 4 /* of indexes */

/* For the Accept header; all that manifest_parse() and index_parse() take. */
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"

struct desc {
	struct digest digest;
	uint64_t size;
};

struct manifest {
	struct desc config;
	struct desc *layers; /* bottom first */
	unsigned nr_layers;
};

struct index_entry {
	struct desc desc;
	bool is_index;
	char *os, *arch, *variant; /* "" when absent */
	char *ref_name;		   /* annotation, "" when absent */
};

struct index {
	struct index_entry *v;
	unsigned nr;
};

#define cleanup_manifest __attribute__((__cleanup__(manifest_free)))
#define cleanup_index __attribute__((__cleanup__(index_free)))
void manifest_free(struct manifest *m);
void index_free(struct index *i);

/*
 * 1 for an index, 0 for a manifest, -1 for anything else.  @media: what the one who handed it over
 * says it is, or NULL; it must agree with what the document says.
 */
int manifest_is_index(const char *text, size_t len, const char *media, struct err *e);

int manifest_parse(const char *text, size_t len, struct manifest *out, struct err *e);
int index_parse(const char *text, size_t len, struct index *out, struct err *e);

/* The entry for this host's platform, or NULL: the error lists the platforms that there are. */
const struct index_entry *index_pick_platform(const struct index *i, struct err *e);

/*
 * The entry called @name in an image layout; without a name the only one there is.  NULL: the error
 * lists the names.
 */
const struct index_entry *index_pick_name(const struct index *i, const char *name, struct err *e);

#endif
