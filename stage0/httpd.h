/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: A bounded HTTP server, of one request
 *
 * Bytes in, bytes out: nothing here reads or writes a descriptor.  A connection carries one request
 * and its answer, which says "Connection: close"; what follows the request is thrown away, so there
 * is no second one to smuggle.
 *
 *	HEAD		until the empty line, HTTPD_HEAD_MAX bytes at most
 *	BODY		the Content-Length bytes behind it, HTTPD_BODY_MAX at most
 *	DONE		out has the whole answer, or nothing if the peer went without a request
 *
 * Strict where leniency means that two readers see two requests: lines end with CR LF, no folding,
 * no space before a colon, none of the headers that we heed may come twice, no transfer codings.
 */
#ifndef VPOD_STAGE0_HTTPD_H
#define VPOD_STAGE0_HTTPD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

#define HTTPD_HEAD_MAX 8192u
#define HTTPD_BODY_MAX (64u * 1024u)

struct httpd_request {
	const char *method;
	const char *path;	  /* begins with '/', not decoded, without query */
	const char *host;	  /* NULL where absent, also below */
	const char *flavor;	  /* Metadata-Flavor */
	const char *content_type; /* with its parameters */
	const char *body;
	size_t body_len;
};

struct httpd_answer {
	unsigned status;
	const char *type;  /* NULL: text/plain */
	const char *allow; /* of status 405 */
	struct strbuf body;
};

enum httpd_state { HTTPD_HEAD, HTTPD_BODY, HTTPD_DONE };

struct httpd {
	enum httpd_state state;
	struct strbuf in;
	struct strbuf out; /* grows; whoever sends it drops what was sent */
	size_t head_len;
	size_t body_len;
	bool is_bodyless; /* HEAD */
	struct httpd_request req;
	/* Fills @a, whose status is 200 and whose body is empty. */
	void (*serve)(void *ctx, const struct httpd_request *r, struct httpd_answer *a);
	void *ctx;
};

void httpd_init(struct httpd *h,
		void (*serve)(void *ctx, const struct httpd_request *r, struct httpd_answer *a),
		void *ctx);
void httpd_free(struct httpd *h);

void httpd_feed(struct httpd *h, const void *p, size_t n);

/* The peer will send no more. */
void httpd_eof(struct httpd *h);

#endif
