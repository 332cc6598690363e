/* SPDX-License-Identifier: Apache-2.0 */
/* Registries: the OCI distribution specification, and docker's, of which it came. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "images/formats.h"
#include "images/http.h"
#include "images/token.h"

#define ACCEPT \
	MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST ", " MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST
#define MAX_TRIES 32	 /* of one blob, when the connection breaks off */
#define MAX_IDLE_TRIES 3 /* ... of them without a byte */

struct registry {
	struct http *http;
	char *host;	     /* with its port */
	char *base;	     /* "https://host/v2/name" */
	char *authorization; /* NULL until the registry asked for it */
	long status;	     /* of the last document, 0: there was no answer */
};

static int registry_open(struct fetch *f, struct err *e)
{
	const char *host = f->ref.host;
	bool is_loopback = http_is_loopback(host);
	struct http_rules rules = { .any_http = f->insecure.http,
				    .no_verify = f->insecure.tls,
				    .loopback = is_loopback };
	struct registry *r = xcalloc(1, sizeof(*r));

	f->source = r;
	r->http = http_new(&rules, e);
	if (!r->http)
		return -1;
	if (!strcmp(host, "docker.io"))
		host = "registry-1.docker.io";
	r->host = xstrdup(host);
	return 0;
}

static void registry_close(struct fetch *f)
{
	struct registry *r = f->source;

	if (!r)
		return;
	http_free(r->http);
	free(r->host);
	free(r->base);
	free(r->authorization);
	free(r);
	f->source = NULL;
}

static int bad_status(struct fetch *f, const struct http_reply *reply, const char *what,
		      struct err *e)
{
	if (reply->status == 404) {
		err_setk(e, ERR_NOT_FOUND, 0, "the registry has no %s", what);
		return err_hint(e, "check the name and the tag");
	}
	if (reply->status == 401 || reply->status == 403) {
		err_setk(e, ERR_DENIED, 0, "the registry answered %ld", reply->status);
		return err_hint(e, "the image does not exist, or is not public");
	}
	f->is_transient = reply->status == 429 || reply->status >= 500;
	return err_set(e, 0, "the registry answered %ld for %s", reply->status, what);
}

/* A request that gets a token, once, when the registry asks for one. */
static int get(struct fetch *f, struct http_request *rq, struct http_reply *reply, struct err *e)
{
	struct registry *r = f->source;
	bool had_token = r->authorization != NULL;
	char *token;

	rq->authorization = r->authorization;
	if (http_get(r->http, rq, reply, e) < 0)
		return -1;
	if (reply->status != 401 || had_token || !reply->challenge[0])
		return 0;
	token = token_get(r->http, reply->challenge, f->ref.repo, e);
	if (!token)
		return -1;
	r->authorization = token;
	rq->authorization = token;
	http_reply_free(reply);
	return http_get(r->http, rq, reply, e);
}

static int get_document(struct fetch *f, const char *url, struct strbuf *out, char **media,
			char **digest, struct err *e)
{
	struct http_text t = { out, MANIFEST_MAX_SIZE, "the image manifest" };
	struct http_request rq = { .url = url, .accept = ACCEPT, .body = http_collect, .ctx = &t };
	struct http_reply reply;
	int r = get(f, &rq, &reply, e);

	((struct registry *)f->source)->status = reply.status;
	if (r < 0)
		f->is_transient |= reply.is_broken_off;
	else if (reply.status != 200)
		r = bad_status(f, &reply, "such image", e);
	if (!r && media)
		*media = take_ptr(&reply.content_type);
	if (!r && digest)
		*digest = take_ptr(&reply.digest);
	http_reply_free(&reply);
	return r;
}

static int check_document(const struct strbuf *doc, const struct digest *want, const char *what,
			  struct err *e)
{
	struct digest sum;

	if (digest_bytes(doc->buf, doc->len, &sum, e) < 0)
		return -1;
	if (!digest_equal(&sum, want))
		return err_setk(
			e, ERR_DENIED, 0,
			"cannot use the image manifest: its digest is sha256:%s, %s says sha256:%s",
			sum.hex, what, want->hex);
	return 0;
}

static int get_by_digest(struct fetch *f, const struct desc *d, struct strbuf *out, struct err *e)
{
	struct registry *r = f->source;
	cleanup_free char *url = xasprintf("%s/manifests/sha256:%s", r->base, d->digest.hex);

	if (get_document(f, url, out, NULL, NULL, e) < 0)
		return -1;
	return check_document(out, &d->digest, "its index", e);
}

static int get_with(struct fetch *f, const char *scheme, struct strbuf *out, char **media,
		    char **digest, struct err *e)
{
	struct registry *r = f->source;
	bool by_digest = f->ref.digest.hex[0];
	cleanup_free char *url = NULL;

	free(r->base);
	r->base = xasprintf("%s://%s/v2/%s", scheme, r->host, f->ref.repo);
	url = xasprintf("%s/manifests/%s%s", r->base, by_digest ? "sha256:" : "",
			by_digest ? f->ref.digest.hex : f->ref.tag);
	return get_document(f, url, out, media, digest, e);
}

/*
 * Registries on loopback speak plain http as a rule, others only when the user says so.  The second
 * scheme is tried when the first got no answer, or the 400 of a TLS server that is asked in plain;
 * never after a certificate that does not hold, which is ERR_DENIED.
 */
static int get_first(struct fetch *f, struct strbuf *out, char **media, char **digest,
		     struct err *e)
{
	struct registry *r = f->source;
	bool is_loopback = http_is_loopback(r->host);
	struct err second;

	if (!get_with(f, is_loopback ? "http" : "https", out, media, digest, e))
		return 0;
	if ((!is_loopback && !f->insecure.http) || e->kind == ERR_DENIED ||
	    (r->status && r->status != 400))
		return -1;
	sb_reset(out);
	if (!get_with(f, is_loopback ? "https" : "http", out, media, digest, &second)) {
		f->is_transient = false;
		return 0;
	}
	/* Of two servers that do not answer the first error is as good; else the second says more.
	 */
	if (second.kind == ERR_DENIED || r->status)
		*e = second;
	return -1;
}

static int registry_resolve(struct fetch *f, struct strbuf *manifest, struct err *e)
{
	cleanup_free char *media = NULL, *digest = NULL;
	struct digest said;

	if (get_first(f, manifest, &media, &digest, e) < 0)
		return -1;
	if (f->ref.digest.hex[0] &&
	    check_document(manifest, &f->ref.digest, "the reference", e) < 0)
		return -1;
	if (*digest && !digest_parse(digest, &said, e) &&
	    check_document(manifest, &said, "the registry", e) < 0)
		return -1;
	return resolve_platform(f, manifest, media, get_by_digest, e);
}

struct blob_body {
	struct put *put;
	struct http_reply *reply;
	bool has_begun;
};

/* A server may answer a Range with all of the content; with another range it may not. */
static int begin_body(struct blob_body *b, struct err *e)
{
	b->has_begun = true;
	if (b->reply->status == 200)
		return b->put->size ? put_restart(b->put, e) : 0;
	if (b->reply->range_start == b->put->size)
		return 0;
	return err_setk(e, ERR_DENIED, 0,
			"cannot read %s: the registry sent another part than asked for",
			b->put->what);
}

static int on_body(void *ctx, const void *p, size_t n, struct err *e)
{
	struct blob_body *b = ctx;

	if (!b->has_begun && begin_body(b, e) < 0)
		return -1;
	return put_write(b->put, p, n, e);
}

/* Returns 1 when it broke off and may be tried again. */
static int try_blob(struct fetch *f, const char *url, struct put *p, struct err *e)
{
	struct http_reply reply;
	struct blob_body body = { p, &reply, false };
	struct http_request rq = { .url = url, .offset = p->size, .body = on_body, .ctx = &body };
	int r = get(f, &rq, &reply, e);

	f->is_transient = reply.is_broken_off;
	if (r < 0)
		r = reply.is_broken_off ? 1 : -1;
	else if (reply.status != 200 && reply.status != 206)
		r = bad_status(f, &reply, p->what, e);
	http_reply_free(&reply);
	return r;
}

static int registry_blob(struct fetch *f, const struct desc *d, struct put *p, struct err *e)
{
	struct registry *r = f->source;
	cleanup_free char *url = xasprintf("%s/blobs/sha256:%s", r->base, d->digest.hex);
	unsigned tries, idle = 0;
	int status = 1;

	for (tries = 0; status > 0 && tries < MAX_TRIES && idle < MAX_IDLE_TRIES; tries++) {
		uint64_t before = p->size;

		if (idle)
			sleep(idle);
		status = try_blob(f, url, p, e);
		idle = p->size > before ? 0 : idle + 1;
		if (status > 0)
			log_info("images: %s; %llu bytes are here", e->msg,
				 (unsigned long long)p->size);
	}
	return status ? -1 : 0;
}

const struct image_format format_registry = {
	.kind = REF_REGISTRY,
	.open = registry_open,
	.resolve = registry_resolve,
	.blob = registry_blob,
	.close = registry_close,
};
