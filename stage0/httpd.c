/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/httpd.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/num.h"

/* What a client sends that waits for leave to send its body. */
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

void httpd_init(struct httpd *h,
		void (*serve)(void *ctx, const struct httpd_request *r, struct httpd_answer *a),
		void *ctx)
{
	*h = (struct httpd){ .serve = serve, .ctx = ctx };
	sb_init(&h->in);
	sb_init(&h->out);
}

void httpd_free(struct httpd *h)
{
	sb_free(&h->in);
	sb_free(&h->out);
	h->state = HTTPD_DONE;
}

static const char *reason_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} all[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 411, "Length Required" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 431, "Request Header Fields Too Large" },
		{ 501, "Not Implemented" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < nitems(all); i++) {
		if (all[i].status == status)
			return all[i].text;
	}
	return "Unknown";
}

static void answer(struct httpd *h, const struct httpd_answer *a)
{
	sb_addf(&h->out,
		"HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		"Metadata-Flavor: AppContainer\r\nConnection: close\r\n",
		a->status, reason_of(a->status), a->type ? a->type : "text/plain; charset=us-ascii",
		a->body.len);
	if (a->allow)
		sb_addf(&h->out, "Allow: %s\r\n", a->allow);
	sb_adds(&h->out, "\r\n");
	if (!h->is_bodyless)
		sb_add(&h->out, a->body.buf, a->body.len);
	sb_free(&h->in);
	h->state = HTTPD_DONE;
}

/* Returns -1, for callers that return it. */
static int refuse(struct httpd *h, unsigned status, const char *why)
{
	struct httpd_answer a = { .status = status, .body = STRBUF_INIT };

	sb_addf(&a.body, "%s\n", why);
	answer(h, &a);
	sb_free(&a.body);
	return -1;
}

static void serve(struct httpd *h)
{
	struct httpd_answer a = { .status = 200, .body = STRBUF_INIT };

	h->req.body = h->in.buf + h->head_len;
	h->req.body_len = h->body_len;
	h->serve(h->ctx, &h->req, &a);
	answer(h, &a);
	sb_free(&a.body);
}

static bool is_token(const char *s)
{
	size_t n = strlen(s);

	return n && strspn(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == n;
}

/* Printable ASCII without space. */
static bool is_target(const char *s)
{
	if (*s != '/')
		return false;
	for (; *s; s++) {
		if (*s <= ' ' || *s > '~')
			return false;
	}
	return true;
}

static int parse_request_line(struct httpd *h, char *line)
{
	char *target = strchr(line, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;

	if (!version)
		return refuse(h, 400, "the request line is none");
	*target++ = '\0';
	*version++ = '\0';
	if (strncmp(version, "HTTP/", 5))
		return refuse(h, 400, "the request line is none");
	if (strcmp(version, "HTTP/1.1") && strcmp(version, "HTTP/1.0"))
		return refuse(h, 505, "this is HTTP/1.1");
	if (!is_token(line) || !is_target(target))
		return refuse(h, 400, "the request line has no method and path");
	target[strcspn(target, "?")] = '\0';
	h->req.method = line;
	h->req.path = target;
	h->is_bodyless = !strcmp(line, "HEAD");
	return 0;
}

static int set_once(struct httpd *h, const char **field, const char *value)
{
	if (*field)
		return refuse(h, 400, "a header came twice");
	*field = value;
	return 0;
}

static int set_length(struct httpd *h, const char **length, const char *value)
{
	uint64_t n;

	if (set_once(h, length, value) < 0)
		return -1;
	if (num_parse_u64(value, 0, UINT64_MAX, &n) < 0)
		return refuse(h, 400, "the Content-Length is no number");
	if (n > HTTPD_BODY_MAX)
		return refuse(h, 413, "the body may have 65536 bytes");
	h->body_len = (size_t)n;
	return 0;
}

struct heeded {
	const char *length, *expect;
};

static int parse_header(struct httpd *h, struct heeded *hd, char *line)
{
	char *value = strchr(line, ':'), *end;

	if (!value)
		return refuse(h, 400, "a header has no colon");
	*value++ = '\0';
	value += strspn(value, " \t");
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	if (!is_token(line))
		return refuse(h, 400, "a header has no name");
	for (char *p = value; *p; p++) {
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return refuse(h, 400, "a header has a control character");
	}
	if (!strcasecmp(line, "Transfer-Encoding"))
		return refuse(h, 501, "no transfer coding is known here");
	if (!strcasecmp(line, "Content-Length"))
		return set_length(h, &hd->length, value);
	if (!strcasecmp(line, "Host"))
		return set_once(h, &h->req.host, value);
	if (!strcasecmp(line, "Metadata-Flavor"))
		return set_once(h, &h->req.flavor, value);
	if (!strcasecmp(line, "Content-Type"))
		return set_once(h, &h->req.content_type, value);
	return strcasecmp(line, "Expect") ? 0 : set_once(h, &hd->expect, value);
}

/* What is between the lines of a head: CR LF, or the head's end. NULL when it is malformed. */
static char *cut_line(char *line, char *end)
{
	char *cr = memchr(line, '\r', (size_t)(end - line));

	if (!cr || cr[1] != '\n' || memchr(line, '\n', (size_t)(cr - line)) ||
	    memchr(line, '\0', (size_t)(cr - line)))
		return NULL;
	*cr = '\0';
	return cr + 2;
}

/* The head is whole: h->head_len bytes with its empty line. */
static int parse_head(struct httpd *h)
{
	char *line = h->in.buf, *end = line + h->head_len - 2, *next;
	struct heeded hd = { 0 };
	bool is_11;

	next = cut_line(line, end);
	if (!next)
		return refuse(h, 400, "a line does not end with CR LF");
	is_11 = next - line >= 10 && !memcmp(next - 10, "HTTP/1.1", 8);
	if (parse_request_line(h, line) < 0)
		return -1;
	for (line = next; line < end; line = next) {
		next = cut_line(line, end);
		if (!next)
			return refuse(h, 400, "a line does not end with CR LF");
		if (parse_header(h, &hd, line) < 0)
			return -1;
	}
	if (is_11 && !h->req.host)
		return refuse(h, 400, "there is no Host header");
	if (!hd.length && !strcmp(h->req.method, "POST"))
		return refuse(h, 411, "there is no Content-Length");
	if (hd.expect && strcasecmp(hd.expect, "100-continue"))
		return refuse(h, 417, "nothing but 100-continue can be expected");
	if (hd.expect && is_11 && h->in.len < h->head_len + h->body_len)
		sb_adds(&h->out, CONTINUE);
	return 0;
}

/* Looks for the end of the head, from where it has not been looked for. */
static void find_head(struct httpd *h, size_t from)
{
	char *at;

	from = from < 3 ? 0 : from - 3;
	at = memmem(h->in.buf + from, h->in.len - from, "\r\n\r\n", 4);
	if ((at ? (size_t)(at - h->in.buf) + 4 : h->in.len) > HTTPD_HEAD_MAX) {
		refuse(h, 431, "the head may have 8192 bytes");
		return;
	}
	if (!at)
		return;
	h->head_len = (size_t)(at - h->in.buf) + 4;
	/* strings of the request point into it: from here on it must not move */
	sb_reserve(&h->in, HTTPD_HEAD_MAX + HTTPD_BODY_MAX - h->in.len);
	if (parse_head(h) == 0)
		h->state = HTTPD_BODY;
}

void httpd_feed(struct httpd *h, const void *p, size_t n)
{
	size_t had = h->in.len, most = HTTPD_HEAD_MAX + HTTPD_BODY_MAX;

	if (h->state == HTTPD_DONE)
		return;
	if (n > most - had)
		n = most - had; /* a whole request fits: what is behind it counts for nothing */
	sb_add(&h->in, p, n);
	if (h->state == HTTPD_HEAD)
		find_head(h, had);
	if (h->state == HTTPD_BODY && h->in.len >= h->head_len + h->body_len)
		serve(h);
}

void httpd_eof(struct httpd *h)
{
	if (h->state == HTTPD_DONE)
		return;
	if (h->in.len)
		refuse(h, 400, "the request has no end");
	h->state = HTTPD_DONE;
}
