/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/strbuf.h"

#define MAX_NAME 255 /* of a host, and of a name with what docker puts before it */
#define MAX_TAG 128

static const struct {
	const char *prefix;
	enum ref_kind kind;
	bool has_tag;
} local_kinds[] = {
	{ "oci:", REF_OCI, true },
	{ "oci-archive:", REF_OCI_ARCHIVE, true },
	{ "docker-archive:", REF_DOCKER_ARCHIVE, true },
	{ "dir:", REF_DIR, false },
	{ "tar:", REF_TAR, false },
};

void ref_free(struct image_ref *r)
{
	free(r->path);
	free(r->host);
	free(r->repo);
	free(r->tag);
	free(r->id);
	*r = (struct image_ref){ 0 };
}

static int bad(const char *text, const char *why, struct err *e)
{
	return err_setk(e, ERR_USAGE, 0, "cannot use image reference '%.300s': %s", text, why);
}

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static char *dup_n(const char *s, size_t n)
{
	return xasprintf("%.*s", (int)n, s);
}

/* alphanumerics joined by one '.', one or two '_', or any number of '-' */
static bool component_ok(const char *s, size_t n)
{
	size_t i = 0;

	for (;;) {
		size_t run = i, sep;

		while (i < n && is_lower_alnum(s[i]))
			i++;
		if (i == run)
			return false;
		if (i == n)
			return true;
		sep = i;
		while (i < n && s[i] == s[sep])
			i++;
		if (!(s[sep] == '-' || (s[sep] == '.' && i - sep == 1) ||
		      (s[sep] == '_' && i - sep <= 2)))
			return false;
	}
}

static bool repo_ok(const char *s, size_t n)
{
	size_t start = 0, i;

	for (i = 0; i <= n; i++) {
		if (i < n && s[i] != '/')
			continue;
		if (!component_ok(s + start, i - start))
			return false;
		start = i + 1;
	}
	return true;
}

/* A DNS name, an IPv4 address or a bracketed IPv6 address, with an optional port. */
static bool host_ok(const char *s, size_t n)
{
	size_t i = 0;

	if (n && s[0] == '[') {
		for (i = 1; i < n && s[i] != ']'; i++) {
			if (!is_alnum(s[i]) && s[i] != ':' && s[i] != '.')
				return false;
		}
		if (i < 3 || i++ == n)
			return false;
	} else {
		for (; i < n && s[i] != ':'; i++) {
			if (!is_alnum(s[i]) && ((s[i] != '.' && s[i] != '-') || i == 0))
				return false;
		}
	}
	if (i == 0 || (i < n && s[i] != ':'))
		return false;
	if (i == n)
		return true;
	if (n - i < 2 || n - i > 6)
		return false;
	for (i++; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
	}
	return true;
}

static bool tag_ok(const char *s, size_t n)
{
	size_t i;

	if (!n || n > MAX_TAG || s[0] == '.' || s[0] == '-')
		return false;
	for (i = 0; i < n; i++) {
		if (!is_alnum(s[i]) && s[i] != '_' && s[i] != '.' && s[i] != '-')
			return false;
	}
	return true;
}

/* Names in layouts and archives: also repository names with a host and a tag. */
static bool layout_ref_ok(const char *s)
{
	size_t n = strlen(s), i;

	for (i = 0; i < n; i++) {
		if (!is_alnum(s[i]) && !strchr("_.-/:@+", s[i]))
			return false;
	}
	return n > 0 && n <= MAX_NAME + MAX_TAG + 1;
}

static int parse_local(const char *text, const char *rest, enum ref_kind kind, bool has_tag,
		       struct image_ref *out, struct err *e)
{
	const char *colon = has_tag ? strchr(rest, ':') : NULL;
	size_t n = colon ? (size_t)(colon - rest) : strlen(rest);

	out->kind = kind;
	if (!n)
		return bad(text, "the path is missing", e);
	if (n >= PATH_MAX)
		return bad(text, "the path is too long", e);
	if (colon && !layout_ref_ok(colon + 1))
		return bad(text, "after the second ':' stands no name of an image", e);
	out->path = dup_n(rest, n);
	out->tag = colon ? xstrdup(colon + 1) : NULL;
	return 0;
}

static int parse_id(const char *text, const char *hex, struct image_ref *out, struct err *e)
{
	size_t n = strlen(hex);

	out->kind = REF_ID;
	if (n < REF_MIN_ID || n > DIGEST_HEX_LEN || !digest_hex_ok(hex, n))
		return bad(text, "an id is 8 to 64 lower-case hex digits", e);
	out->id = xstrdup(hex);
	return 0;
}

/* The part before the first '/' is a host if it could not be a part of a name on docker.io. */
static size_t host_len(const char *s, size_t n)
{
	const char *slash = memchr(s, '/', n);
	size_t h = slash ? (size_t)(slash - s) : 0, i;

	if (h == 9 && !memcmp(s, "localhost", 9))
		return h;
	for (i = 0; i < h; i++) {
		if (s[i] == '.' || s[i] == ':' || s[i] == '[' || (s[i] >= 'A' && s[i] <= 'Z'))
			return h;
	}
	return 0;
}

static int set_name(const char *text, const char *s, size_t n, struct image_ref *out, struct err *e)
{
	size_t h = host_len(s, n);
	bool hub;

	if (!n)
		return bad(text, "the name is missing", e);
	if (h && !host_ok(s, h))
		return bad(text, "the part before the first '/' is no host name", e);
	out->host = h ? dup_n(s, h) : xstrdup("docker.io");
	hub = !strcmp(out->host, "docker.io") || !strcmp(out->host, "index.docker.io");
	if (h) {
		s += h + 1;
		n -= h + 1;
	}
	if (!repo_ok(s, n)) {
		bad(text, "not a valid name", e);
		return err_hint(e, "names are lower case: [HOST[:PORT]/]NAME[:TAG][@DIGEST]");
	}
	if (hub && !memchr(s, '/', n))
		out->repo = xasprintf("library/%.*s", (int)n, s);
	else
		out->repo = dup_n(s, n);
	if (hub)
		memcpy(out->host, "docker.io", sizeof("docker.io"));
	if (strlen(out->host) > MAX_NAME || strlen(out->repo) > MAX_NAME)
		return bad(text, "the name is longer than 255 bytes", e);
	return 0;
}

static int parse_registry(const char *text, const char *rest, struct image_ref *out, struct err *e)
{
	const char *at = strchr(rest, '@');
	size_t n = at ? (size_t)(at - rest) : strlen(rest), name = n;

	out->kind = REF_REGISTRY;
	if (at && digest_parse(at + 1, &out->digest, e) < 0)
		return bad(text, "after '@' stands no digest (sha256: and 64 hex digits)", e);
	while (name && rest[name - 1] != ':' && rest[name - 1] != '/')
		name--;
	if (name && rest[name - 1] == ':') {
		if (!tag_ok(rest + name, n - name))
			return bad(text, "the tag is not valid", e);
		out->tag = dup_n(rest + name, n - name);
		n = name - 1;
	}
	if (!out->tag && !at)
		out->tag = xstrdup("latest");
	return set_name(text, rest, n, out, e);
}

static bool looks_like_path(const char *s)
{
	return s[0] == '/' || !strncmp(s, "./", 2) || !strncmp(s, "../", 3) || !strcmp(s, ".") ||
	       !strcmp(s, "..");
}

static int parse_bare(const char *text, struct image_ref *out, struct err *e)
{
	size_t n = strlen(text);

	if (looks_like_path(text)) {
		bad(text, "a path needs to say what it is", e);
		return err_hint(e,
				"write dir:PATH, tar:PATH, oci:PATH[:REF], oci-archive:PATH[:REF] "
				"or docker-archive:PATH[:REF]");
	}
	if (strstr(text, "://"))
		return bad(text, "unknown transport", e);
	/* 64 digits are an id only, as for docker; fewer may be a name as well. */
	if (n == DIGEST_HEX_LEN && digest_hex_ok(text, n))
		return parse_id(text, text, out, e);
	if (parse_registry(text, text, out, e) < 0)
		return -1;
	if (n >= REF_MIN_ID && n < DIGEST_HEX_LEN && digest_hex_ok(text, n))
		out->id = xstrdup(text);
	return 0;
}

static int parse_any(const char *text, struct image_ref *out, struct err *e)
{
	size_t i;

	for (i = 0; i < nitems(local_kinds); i++) {
		size_t n = strlen(local_kinds[i].prefix);

		if (!strncmp(text, local_kinds[i].prefix, n))
			return parse_local(text, text + n, local_kinds[i].kind,
					   local_kinds[i].has_tag, out, e);
	}
	if (!strncmp(text, "docker://", 9))
		return parse_registry(text, text + 9, out, e);
	if (!strncmp(text, "sha256:", 7) || !strncmp(text, "sha256-", 7))
		return parse_id(text, text + 7, out, e);
	return parse_bare(text, out, e);
}

int ref_parse(const char *text, struct image_ref *out, struct err *e)
{
	const char *p;
	int r;

	*out = (struct image_ref){ 0 };
	if (!*text)
		return bad(text, "it is empty", e);
	if (strlen(text) > REF_MAX_LEN)
		return bad(text, "it is too long", e);
	for (p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return bad(text, "it contains a control byte", e);
	}
	r = parse_any(text, out, e);
	if (r < 0)
		ref_free(out);
	return r;
}

bool ref_is_local(const struct image_ref *r)
{
	return r->kind != REF_REGISTRY && r->kind != REF_ID;
}

int ref_resolve(struct image_ref *r, struct err *e)
{
	char buf[PATH_MAX], *abs;

	if (!r->path)
		return 0;
	abs = realpath(r->path, NULL);
	if (!abs && r->path[0] == '/')
		return 0;
	if (!abs) {
		if (!getcwd(buf, sizeof(buf)))
			return err_set(e, errno, "cannot resolve path %s", r->path);
		abs = fs_join(buf, r->path);
	}
	free(r->path);
	r->path = abs;
	return 0;
}

char *ref_canonical(const struct image_ref *r)
{
	size_t i;

	if (r->kind == REF_ID)
		return xasprintf("sha256:%s", r->id);
	if (r->kind == REF_REGISTRY && r->digest.hex[0])
		return xasprintf("docker://%s/%s@sha256:%s", r->host, r->repo, r->digest.hex);
	if (r->kind == REF_REGISTRY)
		return xasprintf("docker://%s/%s:%s", r->host, r->repo, r->tag);
	for (i = 0; local_kinds[i].kind != r->kind; i++)
		;
	return xasprintf("%s%s%s%s", local_kinds[i].prefix, r->path, r->tag ? ":" : "",
			 r->tag ? r->tag : "");
}

/* Removes what "root.tar.gz" has behind the name. */
static size_t without_suffix(const char *s, size_t n)
{
	static const char *const suffixes[] = { ".gz", ".tgz", ".zst", ".tar", ".oci" };
	size_t i;

	for (i = 0; i < nitems(suffixes); i++) {
		size_t k = strlen(suffixes[i]);

		if (n > k && !memcmp(s + n - k, suffixes[i], k))
			n -= k;
	}
	return n;
}

char *ref_short_name(const struct image_ref *r)
{
	const char *from = r->kind == REF_REGISTRY ? r->repo : r->kind == REF_ID ? r->id : r->path;
	size_t n = strlen(from), start, i;
	struct strbuf b = STRBUF_INIT;

	while (n && from[n - 1] == '/')
		n--;
	for (start = n; start && from[start - 1] != '/'; start--)
		;
	if (r->kind != REF_REGISTRY && r->kind != REF_ID)
		n = start + without_suffix(from + start, n - start);
	for (i = start; i < n && b.len < 60; i++) {
		char c = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] | 0x20) : from[i];

		if (is_lower_alnum(c))
			sb_addc(&b, c);
		else if (b.len && b.buf[b.len - 1] != '-')
			sb_addc(&b, '-');
	}
	while (b.len && b.buf[b.len - 1] == '-')
		b.buf[--b.len] = '\0';
	if (!b.len)
		sb_adds(&b, "app");
	return sb_take(&b);
}
