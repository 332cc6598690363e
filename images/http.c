/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"

#define CONNECT_TIMEOUT_S 20L
/* A server that gives less than this for that long is taken for dead. */
#define LOW_SPEED_BYTES 64L
#define LOW_SPEED_S 60L

struct http {
	CURL *curl;
	struct http_rules rules;
	char why[CURL_ERROR_SIZE];
	/* of the request under way */
	const struct http_request *rq;
	struct http_reply *reply;
	char *location;
	size_t header_bytes;
	bool is_stopped; /* by us: err is set */
	struct err *e;
};

/* One hop's address, taken apart. */
struct origin {
	char *scheme, *host, *port;
};

#define cleanup_origin __attribute__((__cleanup__(origin_free)))
static void origin_free(struct origin *o)
{
	curl_free(o->scheme);
	curl_free(o->host);
	curl_free(o->port);
}

void http_reply_free(struct http_reply *r)
{
	free(r->content_type);
	free(r->digest);
	free(r->challenge);
	*r = (struct http_reply){ 0 };
}

static bool is_loopback_addr(const struct sockaddr *sa)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;

	if (sa->sa_family == AF_INET)
		return (ntohl(v4->sin_addr.s_addr) >> 24) == 127 || !v4->sin_addr.s_addr;
	if (sa->sa_family != AF_INET6)
		return true; /* nothing else is asked for */
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return v6->sin6_addr.s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) || IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

/* 169.254.0.0/16 and fe80::/10: metadata services of clouds, never a registry. */
static bool is_link_local(const struct sockaddr *sa)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;

	if (sa->sa_family == AF_INET)
		return (ntohl(v4->sin_addr.s_addr) >> 16) == 0xa9fe;
	return sa->sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
}

bool http_is_loopback(const char *host)
{
	size_t n = host[0] == '[' ? strcspn(host + 1, "]") : strcspn(host, ":");
	cleanup_free char *name = xasprintf("%.*s", (int)n, host + (host[0] == '['));
	struct in_addr v4;
	struct in6_addr v6;

	if (!strcasecmp(name, "localhost"))
		return true;
	if (inet_pton(AF_INET, name, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, name, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/*
 * A public name may resolve to this machine or to a metadata service, by DNS rebinding or by a
 * redirect.  Only a registry that is on loopback itself may lead there.
 */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http *h = ctx;

	(void)purpose;
	if ((is_loopback_addr(&a->addr) && !h->rules.loopback) || is_link_local(&a->addr)) {
		h->is_stopped = true;
		err_setk(h->e, ERR_DENIED, 0, "cannot connect for %s: it leads to this host",
			 h->rq->url);
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* The value of header @name in @line, or NULL; *n is its length without white space. */
static const char *header_value(const char *line, size_t len, const char *name, size_t *n)
{
	size_t k = strlen(name);

	if (len <= k || strncasecmp(line, name, k) != 0 || line[k] != ':')
		return NULL;
	line += k + 1;
	len -= k + 1;
	while (len && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len && strchr("\r\n \t", line[len - 1]))
		len--;
	*n = len;
	return line;
}

static void keep(char **field, const char *value, size_t n)
{
	free(*field);
	*field = xasprintf("%.*s", (int)n, value);
}

static void take_header(struct http *h, const char *line, size_t len)
{
	struct http_reply *r = h->reply;
	const char *v;
	size_t n;

	if ((v = header_value(line, len, "location", &n))) {
		keep(&h->location, v, n);
	} else if ((v = header_value(line, len, "content-type", &n))) {
		char *p;

		keep(&r->content_type, v, n);
		r->content_type[strcspn(r->content_type, "; ")] = '\0';
		for (p = r->content_type; *p; p++)
			*p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
	} else if ((v = header_value(line, len, "docker-content-digest", &n))) {
		keep(&r->digest, v, n);
	} else if ((v = header_value(line, len, "www-authenticate", &n))) {
		keep(&r->challenge, v, n);
	} else if ((v = header_value(line, len, "content-range", &n))) {
		if (n > 6 && !strncasecmp(v, "bytes ", 6))
			r->range_start = strtoull(v + 6, NULL, 10);
	}
}

static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
	struct http *h = ctx;

	h->header_bytes += size * n;
	if (h->header_bytes > HTTP_MAX_HEADERS) {
		h->is_stopped = true;
		err_setk(h->e, ERR_DENIED, 0, "cannot read %s: over 64 KiB of headers", h->rq->url);
		return 0;
	}
	take_header(h, line, size * n);
	return size * n;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct http *h = ctx;
	long status = 0;

	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	h->reply->status = status;
	if (status != 200 && status != 206)
		return size * n; /* an error page: nobody reads it */
	if (h->rq->body(h->rq->ctx, p, size * n, h->e) < 0) {
		h->is_stopped = true;
		return 0;
	}
	return size * n;
}

static void set_limits(CURL *c)
{
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_UNRESTRICTED_AUTH, 0L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_BYTES);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, LOW_SPEED_S);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 262144L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "vpod/" VPOD_VERSION);
}

/* Behind a proxy we connect to the proxy only, which may well be on this host. */
static bool has_proxy(void)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY",
					     "all_proxy", "ALL_PROXY" };
	size_t i;

	for (i = 0; i < nitems(names); i++) {
		if (getenv(names[i]))
			return true;
	}
	return false;
}

struct http *http_new(const struct http_rules *rules, struct err *e)
{
	struct http *h = xcalloc(1, sizeof(*h));
	CURL *c;

	h->rules = *rules;
	c = curl_global_init(CURL_GLOBAL_DEFAULT) ? NULL : curl_easy_init();
	if (!c) {
		free(h);
		err_set(e, 0, "cannot set up libcurl");
		return NULL;
	}
	h->curl = c;
	set_limits(c);
	if (rules->loopback)
		curl_easy_setopt(c, CURLOPT_PROXY, "");
	else
		h->rules.loopback = has_proxy();
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, rules->no_verify ? 0L : 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, rules->no_verify ? 0L : 2L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->why);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, h);
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	free(h->location);
	free(h);
}

static int origin_parse(const char *url, struct origin *o, struct err *e)
{
	CURLU *u = curl_url();
	bool ok = u && !curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) &&
		  !curl_url_get(u, CURLUPART_SCHEME, &o->scheme, 0) &&
		  !curl_url_get(u, CURLUPART_HOST, &o->host, 0) &&
		  !curl_url_get(u, CURLUPART_PORT, &o->port, CURLU_DEFAULT_PORT);

	curl_url_cleanup(u);
	return ok ? 0
		  : err_setk(e, ERR_DENIED, 0, "cannot use address %.200s: not a plain URL", url);
}

/* Refuses schemes other than https, and http where it is not allowed. */
static int check_origin(struct http *h, const char *url, struct origin *o, struct err *e)
{
	if (origin_parse(url, o, e) < 0)
		return -1;
	if (!strcmp(o->scheme, "https"))
		return 0;
	if (strcmp(o->scheme, "http") != 0)
		return err_setk(e, ERR_DENIED, 0, "cannot use address %.200s: not https", url);
	if (h->rules.any_http || http_is_loopback(o->host))
		return 0;
	err_setk(e, ERR_DENIED, 0, "cannot use address %.200s: not https", url);
	return err_hint(e, "--insecure-options=http allows plain http");
}

static bool same_origin(const struct origin *a, const struct origin *b)
{
	return !strcmp(a->scheme, b->scheme) && !strcasecmp(a->host, b->host) &&
	       !strcmp(a->port, b->port);
}

static struct curl_slist *make_headers(const struct http_request *rq, bool with_auth)
{
	cleanup_free char *accept = rq->accept ? xasprintf("Accept: %s", rq->accept) : NULL;
	cleanup_free char *auth = NULL, *range = NULL;
	struct curl_slist *l = NULL;

	if (accept)
		l = curl_slist_append(l, accept);
	if (with_auth && rq->authorization) {
		auth = xasprintf("Authorization: %s", rq->authorization);
		l = curl_slist_append(l, auth);
	}
	if (rq->offset) {
		range = xasprintf("Range: bytes=%" PRIu64 "-", rq->offset);
		l = curl_slist_append(l, range);
	}
	return l;
}

static void reset_reply(struct http *h)
{
	http_reply_free(h->reply);
	*h->reply = (struct http_reply){ .content_type = xstrdup(""),
					 .digest = xstrdup(""),
					 .challenge = xstrdup(""),
					 .range_start = UINT64_MAX };
	free(take_ptr(&h->location));
	h->header_bytes = 0;
	h->is_stopped = false;
	h->why[0] = '\0';
}

static int transfer_failed(struct http *h, const char *url, CURLcode code, struct err *e)
{
	if (h->is_stopped)
		return -1;
	h->reply->is_broken_off = code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR ||
				  code == CURLE_GOT_NOTHING || code == CURLE_OPERATION_TIMEDOUT ||
				  code == CURLE_COULDNT_CONNECT || code == CURLE_SEND_ERROR ||
				  code == CURLE_COULDNT_RESOLVE_HOST;
	err_set(e, 0, "cannot read %.300s: %s", url, h->why[0] ? h->why : curl_easy_strerror(code));
	if (code == CURLE_PEER_FAILED_VERIFICATION) {
		e->kind = ERR_DENIED;
		return err_hint(e, "add the registry's certificate to the host's store, or give "
				   "--insecure-options=tls");
	}
	return -1;
}

/* One hop. */
static int perform(struct http *h, const char *url, bool with_auth, struct err *e)
{
	struct curl_slist *headers = make_headers(h->rq, with_auth);
	CURLcode code;

	reset_reply(h);
	log_debug("images: GET %s", url);
	curl_easy_setopt(h->curl, CURLOPT_URL, url);
	curl_easy_setopt(h->curl, CURLOPT_PROTOCOLS_STR,
			 "http,https"); /* check_origin() did more */
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	code = curl_easy_perform(h->curl);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (code)
		return transfer_failed(h, url, code, e);
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &h->reply->status);
	return 0;
}

static bool is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The address that a Location header means; NULL on nonsense. Caller owns. */
static char *resolve_location(const char *base, const char *location)
{
	CURLU *u = curl_url();
	char *text = NULL, *copy;

	if (!u || curl_url_set(u, CURLUPART_URL, base, 0) ||
	    curl_url_set(u, CURLUPART_URL, location, 0) || curl_url_get(u, CURLUPART_URL, &text, 0))
		text = NULL;
	curl_url_cleanup(u);
	copy = text ? xstrdup(text) : NULL;
	curl_free(text);
	return copy;
}

/* Where to go next, with the rules that a redirect must obey. */
static char *next_hop(struct http *h, const char *url, const struct origin *from, struct err *e)
{
	cleanup_free char *next = h->location ? resolve_location(url, h->location) : NULL;
	cleanup_origin struct origin to = { 0 };

	if (!next) {
		err_setk(e, ERR_DENIED, 0, "cannot follow the redirect of %.200s: no address in it",
			 url);
		return NULL;
	}
	if (check_origin(h, next, &to, e) < 0)
		return NULL;
	if (!strcmp(from->scheme, "https") && strcmp(to.scheme, "https") != 0) {
		err_setk(e, ERR_DENIED, 0,
			 "cannot follow the redirect of %.200s: from https to http", url);
		return NULL;
	}
	return take_ptr(&next);
}

int http_get(struct http *h, const struct http_request *rq, struct http_reply *out, struct err *e)
{
	cleanup_free char *url = xstrdup(rq->url);
	cleanup_origin struct origin first = { 0 };
	unsigned hops;

	*out = (struct http_reply){ 0 };
	h->rq = rq;
	h->reply = out;
	h->e = e;
	if (check_origin(h, url, &first, e) < 0)
		return -1;
	for (hops = 0; hops <= HTTP_MAX_REDIRECTS; hops++) {
		cleanup_origin struct origin at = { 0 };
		char *next;

		if (origin_parse(url, &at, e) < 0)
			return -1;
		/* Credentials are for the origin that they were given for (CVE-2018-1000007). */
		if (perform(h, url, same_origin(&first, &at), e) < 0)
			return -1;
		if (!is_redirect(out->status))
			return 0;
		next = next_hop(h, url, &at, e);
		if (!next)
			return -1;
		free(url);
		url = next;
	}
	return err_setk(e, ERR_DENIED, 0, "cannot read %.200s: more than %d redirects", rq->url,
			HTTP_MAX_REDIRECTS);
}

int http_collect(void *text, const void *p, size_t n, struct err *e)
{
	struct http_text *t = text;

	if (n > t->max - t->out->len)
		return err_setk(e, ERR_DENIED, EFBIG, "cannot read %s: more than %zu bytes",
				t->what, t->max);
	sb_add(t->out, p, n);
	return 0;
}
