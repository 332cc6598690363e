/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What "docker save" writes: manifest.json lists images, each with a configuration and layers as
 * files of the archive.  There is no manifest with digests in it: we make one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "images/archive.h"
#include "images/formats.h"

static int docker_open(struct fetch *f, struct err *e)
{
	struct bag *b = xcalloc(1, sizeof(*b));

	if (archive_bag(&f->ref, f->store, b, e) < 0) {
		free(b);
		return -1;
	}
	f->source = b;
	return 0;
}

static void docker_close(struct fetch *f)
{
	if (f->source)
		bag_close(f->source);
	free(f->source);
	f->source = NULL;
}

/* "docker.io/library/b:1", "library/b:1", "b:1" and "b" are one name; compared as registries would.
 */
static char *full_name(const char *s)
{
	cleanup_free char *text = xasprintf("docker://%s", s);
	cleanup_ref struct image_ref r = { 0 };
	struct err ignored;

	return ref_parse(text, &r, &ignored) < 0 ? xstrdup(s) : ref_canonical(&r);
}

static bool has_tag(const cJSON *image, const char *want)
{
	cleanup_strv struct strv tags = { 0 };
	struct err ignored;
	bool found = false;
	size_t i;

	if (json_get_strv(image, "RepoTags", &tags, &ignored) < 0)
		return false;
	for (i = 0; i < tags.nr_v && !found; i++) {
		cleanup_free char *tag = full_name(tags.v[i]);

		found = !strcmp(tag, want);
	}
	return found;
}

static void list_tags(const cJSON *list, struct strbuf *b)
{
	const cJSON *image;

	cJSON_ArrayForEach(image, list)
	{
		cleanup_strv struct strv tags = { 0 };
		struct err ignored;
		size_t i;

		if (json_get_strv(image, "RepoTags", &tags, &ignored) < 0)
			continue;
		for (i = 0; i < tags.nr_v && b->len < 400; i++)
			sb_addf(b, "%s%.100s", b->len ? ", " : "", tags.v[i]);
	}
	if (!b->len)
		sb_adds(b, "none");
}

static const cJSON *pick(const cJSON *list, const char *tag, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	cleanup_free char *want = tag ? full_name(tag) : NULL;
	const cJSON *image, *found = NULL;
	int n = cJSON_GetArraySize(list);

	if (!cJSON_IsArray(list) || !n) {
		err_set(e, 0, "manifest.json lists no images");
		return NULL;
	}
	if (!want && n == 1)
		return list->child;
	cJSON_ArrayForEach(image, list)
	{
		if (want && has_tag(image, want))
			found = image;
	}
	if (found)
		return found;
	list_tags(list, &b);
	if (want) {
		err_setk(e, ERR_NOT_FOUND, 0, "no image named '%.100s', there is: %s", tag, b.buf);
	} else {
		err_setk(e, ERR_USAGE, 0, "it holds %d images: %s", n, b.buf);
		err_hint(e, "append ':' and one of these names");
	}
	return NULL;
}

/* Copies a file of the archive into the store, whatever digest it turns out to have. */
static int take_file(struct fetch *f, const char *name, uint64_t max, struct desc *out,
		     struct err *e)
{
	cleanup_close int fd = -1;
	struct span at;
	struct put p;

	if (bag_find(f->source, name, &at, e) < 0)
		return -1;
	fd = at.fd;
	if (put_begin(f->store, &p, NULL, max, name, e) < 0)
		return -1;
	if (put_copy(&p, fd, at.off, at.size, e) < 0) {
		put_abort(&p);
		return -1;
	}
	return put_commit(&p, out, e);
}

static int take_layers(struct fetch *f, const struct strv *names, struct desc *out, struct err *e)
{
	size_t i;

	for (i = 0; i < names->nr_v; i++) {
		if (take_file(f, names->v[i], 1ull << 40, &out[i], e) < 0)
			return -1;
	}
	return 0;
}

static int build(struct fetch *f, const cJSON *image, struct strbuf *manifest, struct err *e)
{
	cleanup_strv struct strv names = { 0 };
	cleanup_free struct desc *layers = NULL;
	const char *config = NULL;
	struct desc c;

	if (json_get_str(image, "Config", &config, e) < 0 ||
	    json_get_strv(image, "Layers", &names, e) < 0)
		return -1;
	if (!config)
		return err_set(e, 0, "manifest.json names no configuration");
	if (names.nr_v > STORE_MAX_LAYERS)
		return err_set(e, 0, "it has %zu layers, at most %d are supported", names.nr_v,
			       STORE_MAX_LAYERS);
	layers = xcalloc(names.nr_v, sizeof(*layers));
	if (take_file(f, config, MANIFEST_MAX_SIZE, &c, e) < 0 ||
	    take_layers(f, &names, layers, e) < 0)
		return -1;
	synth_manifest(&c, layers, (unsigned)names.nr_v, manifest);
	return 0;
}

static int docker_resolve(struct fetch *f, struct strbuf *manifest, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cleanup_json cJSON *list = NULL;
	const cJSON *image;

	if (bag_read(f->source, "manifest.json", MANIFEST_MAX_SIZE, &text, e) < 0) {
		if (e->kind != ERR_NOT_FOUND)
			return -1;
		err_setk(e, ERR_NOT_FOUND, 0, "it has no manifest.json");
		return err_hint(e, "an OCI archive is named as oci-archive:FILE");
	}
	list = json_parse(text.buf, text.len, "manifest.json", e);
	image = list ? pick(list, f->ref.tag, e) : NULL;
	return image ? build(f, image, manifest, e) : -1;
}

static int docker_blob(struct fetch *f, const struct desc *d, struct put *p, struct err *e)
{
	(void)f;
	(void)p;
	return err_set(e, 0, "blob sha256:%s vanished from the store", d->digest.hex);
}

const struct image_format format_docker_archive = {
	.kind = REF_DOCKER_ARCHIVE,
	.open = docker_open,
	.resolve = docker_resolve,
	.blob = docker_blob,
	.close = docker_close,
};
