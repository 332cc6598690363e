/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image references as people write them, and their one canonical spelling:
 *
 *	oci:DIR[:REF]			an OCI image layout
 *	oci-archive:FILE[:REF]		a tar of one
 *	docker-archive:FILE[:REF]	what "docker save" writes
 *	dir:PATH  tar:FILE		a root file system, as one layer
 *	[docker://][HOST[:PORT]/]NAME[:TAG][@DIGEST]	a registry
 *	sha256:HEX  sha256-HEX		an image that is in the store, by a prefix of its id
 *
 * Parsing is pure: it looks at no file and at no network.
 */
#ifndef VPOD_IMAGES_REF_H
#define VPOD_IMAGES_REF_H

#include <stdbool.h>

#include "base/err.h"
#include "images/digest.h"

#define REF_MAX_LEN 8192
#define REF_MIN_ID 8 /* hex digits of an id that are enough to try it */

enum ref_kind {
	REF_REGISTRY,
	REF_OCI,
	REF_OCI_ARCHIVE,
	REF_DOCKER_ARCHIVE,
	REF_DIR,
	REF_TAR,
	REF_ID,
};

struct image_ref {
	enum ref_kind kind;
	char *path;	      /* local kinds, as written; absolute after ref_resolve() */
	char *host;	      /* registry: "docker.io", "127.0.0.1:5000" */
	char *repo;	      /* registry: "library/busybox" */
	char *tag;	      /* registry: the tag; layouts and archives: REF; or NULL */
	struct digest digest; /* registry: given by the user, else "" */
	char *id; /* REF_ID: 8 to 64 hex digits.  A registry name that could also be an id
		     ("deadbeef"): those digits; else NULL */
};

#define cleanup_ref __attribute__((__cleanup__(ref_free)))
void ref_free(struct image_ref *r);

/* Errors have kind ERR_USAGE and say what is wrong with the text. */
int ref_parse(const char *text, struct image_ref *out, struct err *e);

/* Makes the path of a local kind absolute, symlinks resolved if it exists. */
int ref_resolve(struct image_ref *r, struct err *e);

/* "docker://docker.io/library/busybox:latest", "oci:/srv/b:latest". Caller owns. */
char *ref_canonical(const struct image_ref *r);

/* A name for an app: last path component, as an AC name ("my-app"). Caller owns. */
char *ref_short_name(const struct image_ref *r);

/* Whether the image comes from files of this host. */
bool ref_is_local(const struct image_ref *r);

#endif
