/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The metadata service of a pod (appc spec, "App Container Metadata Service")
 *
 * There is no daemon: each pod's supervisor answers for its pod, to the pod's apps and nobody else,
 * over the guest channel (guest-init/metadata.h).  AC_METADATA_URL is the same in every pod,
 * METADATA_URL, since each guest has a loopback interface of its own.
 *
 *	GET  /acMetadata/v1/pod/annotations		JSON, name and value pairs
 *	GET  /acMetadata/v1/pod/annotations/NAME	its value
 *	GET  /acMetadata/v1/pod/manifest		the PodManifest, JSON
 *	GET  /acMetadata/v1/pod/uuid
 *	GET  /acMetadata/v1/apps/APP/annotations	and .../NAME, as above
 *	GET  /acMetadata/v1/apps/APP/image/manifest	an ImageManifest, JSON
 *	GET  /acMetadata/v1/apps/APP/image/id		as in the pod's manifest
 *	POST /acMetadata/v1/pod/hmac/sign		content=...: the signature
 *	POST /acMetadata/v1/pod/hmac/verify		content=...&uuid=...&signature=...: 200 or
 *403
 *
 * A request without "Metadata-Flavor: AppContainer" gets 403, so that an app which can be made to
 * fetch a URL does not tell its secrets.  A signature is the HMAC-SHA512 of the pod's UUID and the
 * content, with a key of this host: pods of one data directory verify one another's.
 *
 * Images are not ACIs, so their manifest is made from what the pod runs of them.
 */
#ifndef VPOD_STAGE0_METADATA_H
#define VPOD_STAGE0_METADATA_H

#include <stdint.h>

#include "base/err.h"
#include "stage0/httpd.h"

#define METADATA_PORT 18112 /* rkt's */
#define METADATA_URL "http://127.0.0.1:18112"
#define METADATA_KEY_LEN 64

struct metadata;

/*
 * @manifest: the pod's, as manifest_write() makes it.  Caller owns the result; NULL when the text
 * is no JSON.
 */
struct metadata *metadata_new(const char *uuid, const char *manifest, size_t len,
			      const uint8_t key[static METADATA_KEY_LEN], struct err *e);
void metadata_free(struct metadata *m);

/* Of struct httpd; @ctx is a struct metadata. */
void metadata_serve(void *ctx, const struct httpd_request *r, struct httpd_answer *a);

/* The host's key, <dir>/hmac.key, made when it is not there. */
int metadata_key(const char *dir, uint8_t key[static METADATA_KEY_LEN], struct err *e);

#endif
