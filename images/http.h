/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP by libcurl, held to what a registry needs: GET, TLS verified, HTTP/1.1, no cookies, no
 * netrc, no credentials but the one header that the caller gives for one origin, redirects decided
 * here and not by curl, every length bounded.
 */
#ifndef VPOD_IMAGES_HTTP_H
#define VPOD_IMAGES_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

#define HTTP_MAX_REDIRECTS 5
#define HTTP_MAX_HEADERS 65536

struct http;

struct http_rules {
	bool any_http;	/* plain http to any host; else only to loopback */
	bool no_verify; /* TLS certificates are not checked */
	bool loopback;	/* the registry itself is on loopback: connections there are fine */
};

struct http_request {
	const char *url;
	const char *accept;	   /* or NULL */
	const char *authorization; /* value of that header for url's origin only, or NULL */
	uint64_t offset;	   /* Range: bytes=offset- when not 0 */
	/* Called with the body of a 200 or 206; -1 ends the transfer with @e set. */
	int (*body)(void *ctx, const void *p, size_t n, struct err *e);
	void *ctx;
};

struct http_reply {
	long status;
	char *content_type;   /* without parameters, lower case; "" when absent */
	char *digest;	      /* Docker-Content-Digest; "" when absent */
	char *challenge;      /* WWW-Authenticate; "" when absent */
	uint64_t range_start; /* 206: where the body begins; UINT64_MAX when it does not say */
	bool is_broken_off;   /* the failure came from the network, and might not come again */
};

struct http *http_new(const struct http_rules *rules, struct err *e);
void http_free(struct http *h);
void http_reply_free(struct http_reply *r);

/*
 * One request with its redirects.  Returns 0 for any status of the server, -1 when there is no
 * answer or a rule forbids it; @out is to be freed in both cases.
 */
int http_get(struct http *h, const struct http_request *rq, struct http_reply *out, struct err *e);

/* Whether the host of an URL or "host[:port]" is this machine by name or address. */
bool http_is_loopback(const char *host);

/* Collects a body into a strbuf of at most max bytes: for struct http_request. */
struct http_text {
	struct strbuf *out;
	size_t max;
	const char *what;
};
int http_collect(void *text, const void *p, size_t n, struct err *e);

#endif
