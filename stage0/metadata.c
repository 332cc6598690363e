/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/metadata.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/sha512.h"
#include "base/uuid.h"
#include "stage0/metadata_form.h"

#define PREFIX "/acMetadata/v1/"
#define JSON "application/json"

struct metadata {
	char uuid[UUID_LEN + 1];
	cJSON *pod;
	char *text; /* the same, as it is given out */
	uint8_t key[METADATA_KEY_LEN];
};

struct metadata *metadata_new(const char *uuid, const char *manifest, size_t len,
			      const uint8_t key[static METADATA_KEY_LEN], struct err *e)
{
	struct metadata *m;
	cJSON *pod = json_parse(manifest, len, "pod manifest", e);

	if (!pod)
		return NULL;
	m = xcalloc(1, sizeof(*m));
	memccpy(m->uuid, uuid, '\0', UUID_LEN);
	m->pod = pod;
	m->text = xstrdup(manifest);
	memcpy(m->key, key, sizeof(m->key));
	return m;
}

void metadata_free(struct metadata *m)
{
	if (!m)
		return;
	cJSON_Delete(m->pod);
	free(m->text);
	explicit_bzero(m->key, sizeof(m->key));
	free(m);
}

static void fail(struct httpd_answer *a, unsigned status, const char *why)
{
	a->status = status;
	sb_addf(&a->body, "%s\n", why);
}

static void give_text(struct httpd_answer *a, const char *text)
{
	a->type = "text/plain; charset=utf-8";
	sb_adds(&a->body, text);
}

static void give_json(struct httpd_answer *a, const cJSON *j)
{
	a->type = JSON;
	json_print(&a->body, j, false);
	sb_addc(&a->body, '\n');
}

static const char *text_of(const cJSON *o, const char *key)
{
	const cJSON *s = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsString(s) ? s->valuestring : NULL;
}

/* The one of @list whose "name" is @name. */
static const cJSON *named(const cJSON *list, const char *name)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
	{
		const char *s = text_of(item, "name");

		if (s && !strcmp(s, name))
			return item;
	}
	return NULL;
}

/* @rest: what follows "annotations": nothing, or the name of one. */
static void give_annotations(const cJSON *owner, const char *rest, struct httpd_answer *a)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(owner, "annotations");
	cleanup_free char *name = NULL;
	const char *value;

	if (!rest[0]) {
		cleanup_json cJSON *none = list ? NULL : cJSON_CreateArray();

		give_json(a, list ? list : none);
		return;
	}
	name = metadata_decode(rest, strlen(rest), false);
	value = name ? text_of(named(list, name), "value") : NULL;
	if (value)
		give_text(a, value);
	else
		fail(a, 404, "there is no such annotation");
}

static void add_label(cJSON *list, const char *name, const char *value)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "name", name);
	cJSON_AddStringToObject(o, "value", value);
	cJSON_AddItemToArray(list, o);
}

static void give_image_manifest(const cJSON *app, struct httpd_answer *a)
{
	const cJSON *image = cJSON_GetObjectItemCaseSensitive(app, "image");
	const cJSON *run = cJSON_GetObjectItemCaseSensitive(app, "app");
	const char *name = text_of(image, "name");
	cleanup_json cJSON *o = cJSON_CreateObject();
	cJSON *labels;

	cJSON_AddStringToObject(o, "acKind", "ImageManifest");
	cJSON_AddStringToObject(o, "acVersion", "0.8.11");
	cJSON_AddStringToObject(o, "name", name ? name : "");
	labels = cJSON_AddArrayToObject(o, "labels");
	add_label(labels, "os", "linux");
	add_label(labels, "arch", "amd64");
	if (run)
		cJSON_AddItemToObject(o, "app", cJSON_Duplicate(run, true));
	give_json(a, o);
}

/* "WORD" or "WORD/REST" at @p: returns REST, "" without one; NULL if it is another word. */
static const char *after(const char *p, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(p, word, n) || (p[n] && p[n] != '/'))
		return NULL;
	return p[n] ? p + n + 1 : p + n;
}

/* As after(), where nothing may follow but a slash. */
static bool is_word(const char *p, const char *word)
{
	const char *rest = after(p, word);

	return rest && !rest[0];
}

static void get_app(const struct metadata *m, const char *p, struct httpd_answer *a)
{
	size_t n = strcspn(p, "/");
	cleanup_free char *name = metadata_decode(p, n, false);
	const cJSON *apps = cJSON_GetObjectItemCaseSensitive(m->pod, "apps");
	const cJSON *app = name ? named(apps, name) : NULL;
	const char *rest, *id;

	if (!app) {
		fail(a, 404, "there is no such app");
		return;
	}
	p += n + (p[n] == '/');
	rest = after(p, "annotations");
	id = text_of(cJSON_GetObjectItemCaseSensitive(app, "image"), "id");
	if (rest)
		give_annotations(app, rest, a);
	else if (is_word(p, "image/manifest"))
		give_image_manifest(app, a);
	else if (is_word(p, "image/id") && id)
		give_text(a, id);
	else
		fail(a, 404, "there is nothing of this name");
}

static void get(const struct metadata *m, const char *p, struct httpd_answer *a)
{
	const char *rest;

	if ((rest = after(p, "apps")) && rest[0]) {
		get_app(m, rest, a);
	} else if ((rest = after(p, "pod/annotations"))) {
		give_annotations(m->pod, rest, a);
	} else if (is_word(p, "pod/manifest")) {
		a->type = JSON;
		sb_adds(&a->body, m->text);
	} else if (is_word(p, "pod/uuid")) {
		give_text(a, m->uuid);
	} else {
		fail(a, 404, "there is nothing of this name");
	}
}

static void sign(const struct metadata *m, const char *uuid, const char *content, size_t len,
		 char out[static METADATA_BASE64_LEN])
{
	uint8_t mac[SHA512_LEN];
	struct hmac512 h;

	hmac512_begin(&h, m->key, sizeof(m->key));
	hmac512_add(&h, uuid, UUID_LEN); /* always as long: no content can pass for a part of it */
	hmac512_add(&h, content, len);
	hmac512_end(&h, mac);
	metadata_base64(mac, out);
}

static void post_sign(const struct metadata *m, const struct metadata_form *f,
		      struct httpd_answer *a)
{
	char text[METADATA_BASE64_LEN];

	if (!f->content) {
		fail(a, 400, "there is no content to sign");
		return;
	}
	sign(m, m->uuid, f->content, f->content_len, text);
	give_text(a, text);
}

/* In a time that does not tell how much of it is right. */
static bool is_equal(const char *a, const char *b, size_t n)
{
	unsigned char differs = 0;

	for (size_t i = 0; i < n; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	return !differs;
}

static void post_verify(const struct metadata *m, const struct metadata_form *f,
			struct httpd_answer *a)
{
	char text[METADATA_BASE64_LEN];

	if (!f->content || !f->uuid || !f->signature) {
		fail(a, 400, "content, uuid and signature are needed");
		return;
	}
	if (!uuid_is_valid(f->uuid)) {
		fail(a, 400, "the uuid is none");
		return;
	}
	sign(m, f->uuid, f->content, f->content_len, text);
	if (strlen(f->signature) != strlen(text) || !is_equal(f->signature, text, strlen(text)))
		fail(a, 403, "the signature is not of this content and pod");
}

static void post(const struct metadata *m, const char *p, const struct httpd_request *r,
		 struct httpd_answer *a)
{
	static const char type[] = "application/x-www-form-urlencoded";
	struct metadata_form f = { 0 };
	bool is_verify = is_word(p, "pod/hmac/verify");

	if (r->content_type && strncasecmp(r->content_type, type, sizeof(type) - 1)) {
		fail(a, 415, "the body must be of type application/x-www-form-urlencoded");
		return;
	}
	if (metadata_form_parse(&f, r->body, r->body_len) < 0)
		fail(a, 400, "the body is no form");
	else if (is_verify)
		post_verify(m, &f, a);
	else
		post_sign(m, &f, a);
	metadata_form_free(&f);
}

void metadata_serve(void *ctx, const struct httpd_request *r, struct httpd_answer *a)
{
	const struct metadata *m = ctx;
	bool is_get = !strcmp(r->method, "GET") || !strcmp(r->method, "HEAD"), is_hmac;
	const char *p;

	if (!r->flavor || strcasecmp(r->flavor, "AppContainer")) {
		fail(a, 403, "the header 'Metadata-Flavor: AppContainer' is needed");
		return;
	}
	if (strncmp(r->path, PREFIX, strlen(PREFIX))) {
		fail(a, 404, "paths begin with " PREFIX);
		return;
	}
	p = r->path + strlen(PREFIX);
	is_hmac = is_word(p, "pod/hmac/sign") || is_word(p, "pod/hmac/verify");
	if (is_hmac ? strcmp(r->method, "POST") != 0 : !is_get) {
		a->allow = is_hmac ? "POST" : "GET, HEAD";
		fail(a, 405, "this is another method's");
		return;
	}
	if (is_hmac)
		post(m, p, r, a);
	else
		get(m, p, a);
}
