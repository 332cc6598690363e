/* SPDX-License-Identifier: Apache-2.0 */
/* The distribution specification's token scheme, without credentials: public registries. */
#ifndef VPOD_IMAGES_TOKEN_H
#define VPOD_IMAGES_TOKEN_H

#include "base/err.h"
#include "images/http.h"

/* What "WWW-Authenticate: Bearer realm=...,service=...,scope=..." says. */
struct challenge {
	char *realm, *service, *scope;
};

void challenge_free(struct challenge *c);

/* Strict: any other scheme, or text that does not parse, is an error. */
int challenge_parse(const char *text, struct challenge *out, struct err *e);

/*
 * Asks the realm for a token for reading @repo.  Returns the value of the Authorization header;
 * caller owns.  NULL on error.
 */
char *token_get(struct http *h, const char *challenge, const char *repo, struct err *e);

#endif
