/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"

#define MAX_CHALLENGE 4096
#define MAX_TOKEN (1u << 20)

void challenge_free(struct challenge *c)
{
	free(c->realm);
	free(c->service);
	free(c->scope);
	*c = (struct challenge){ 0 };
}

/* key="value" at *p, which moves behind it. Returns the value (caller owns) or NULL. */
static char *parse_param(const char **p, const char **key, size_t *key_len)
{
	struct strbuf b = STRBUF_INIT;
	const char *s = *p;

	*key = s;
	*key_len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-");
	s += *key_len;
	if (!*key_len || s[0] != '=' || s[1] != '"')
		return NULL;
	for (s += 2; *s && *s != '"'; s++) {
		if (*s == '\\' && s[1])
			s++;
		sb_addc(&b, *s);
	}
	if (*s != '"') {
		sb_free(&b);
		return NULL;
	}
	*p = s + 1;
	return sb_take(&b);
}

static char **field_of(struct challenge *c, const char *key, size_t n)
{
	if (n == 5 && !strncasecmp(key, "realm", n))
		return &c->realm;
	if (n == 7 && !strncasecmp(key, "service", n))
		return &c->service;
	if (n == 5 && !strncasecmp(key, "scope", n))
		return &c->scope;
	return NULL;
}

static int parse_params(const char *p, struct challenge *out)
{
	for (;;) {
		const char *key;
		size_t n;
		char *value, **field;

		p += strspn(p, " \t");
		value = parse_param(&p, &key, &n);
		if (!value)
			return -1;
		field = field_of(out, key, n);
		if (field && *field) {
			free(value);
			return -1;
		}
		if (field)
			*field = value;
		else
			free(value);
		p += strspn(p, " \t");
		if (!*p)
			return out->realm ? 0 : -1;
		if (*p++ != ',')
			return -1;
	}
}

int challenge_parse(const char *text, struct challenge *out, struct err *e)
{
	*out = (struct challenge){ 0 };
	if (!strncasecmp(text, "Basic", 5)) {
		err_setk(e, ERR_DENIED, 0, "the registry wants a user name and a password");
		return err_hint(e, "private registries are not supported yet: copy the image with "
				   "'skopeo copy docker://... oci:DIR:NAME' and use oci:DIR:NAME");
	}
	if (strlen(text) > MAX_CHALLENGE || strncasecmp(text, "Bearer ", 7) != 0 ||
	    parse_params(text + 7, out) < 0) {
		challenge_free(out);
		return err_setk(e, ERR_DENIED, 0,
				"the registry asks for an unknown kind of authorization");
	}
	return 0;
}

static char *token_url(const struct challenge *c, const char *repo)
{
	cleanup_free char *wanted = xasprintf("repository:%s:pull", repo);
	char *scope = curl_easy_escape(NULL, wanted, 0);
	char *service = curl_easy_escape(NULL, c->service ? c->service : "", 0);
	/* Our own scope, whatever the challenge asks for: reading this repository is all we do. */
	char *url = xasprintf("%s%cscope=%s%s%s", c->realm, strchr(c->realm, '?') ? '&' : '?',
			      scope, c->service ? "&service=" : "", c->service ? service : "");

	curl_free(scope);
	curl_free(service);
	return url;
}

/* A token goes into a header: only characters that RFC 6750 gives it. */
static bool is_token(const char *s)
{
	return *s && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			       "-._~+/=") == strlen(s);
}

static char *parse_token(const struct strbuf *text, struct err *e)
{
	cleanup_json cJSON *j = json_parse(text->buf, text->len, "the token server's answer", e);
	const char *token = NULL;

	if (!j)
		return NULL;
	if (json_get_str(j, "token", &token, e) < 0 ||
	    (!token && json_get_str(j, "access_token", &token, e) < 0))
		return NULL;
	if (!token || !is_token(token)) {
		err_set(e, 0, "cannot get a token: there is none in the answer");
		return NULL;
	}
	return xasprintf("Bearer %s", token);
}

static char *ask(struct http *h, const char *url, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	struct http_text t = { &text, MAX_TOKEN, "the token server's answer" };
	struct http_request rq = { .url = url, .body = http_collect, .ctx = &t };
	struct http_reply reply;
	char *token = NULL;

	if (!http_get(h, &rq, &reply, e)) {
		if (reply.status == 200)
			token = parse_token(&text, e);
		else
			err_setk(e, ERR_DENIED, 0, "the token server answered %ld", reply.status);
	}
	http_reply_free(&reply);
	return token;
}

char *token_get(struct http *h, const char *text, const char *repo, struct err *e)
{
	cleanup_free char *url = NULL;
	struct challenge c;

	if (challenge_parse(text, &c, e) < 0)
		return NULL;
	url = token_url(&c, repo);
	challenge_free(&c);
	return ask(h, url, e);
}
