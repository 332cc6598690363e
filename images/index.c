/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "images/image_config.h"
#include "images/manifest.h"
#include "images/manifest_json.h"

#define REF_NAME "org.opencontainers.image.ref.name"

void index_free(struct index *i)
{
	unsigned n;

	for (n = 0; n < i->nr; n++) {
		free(i->v[n].os);
		free(i->v[n].arch);
		free(i->v[n].variant);
		free(i->v[n].ref_name);
	}
	free(i->v);
	*i = (struct index){ 0 };
}

/* Entries that are no images (signatures, attestations) are passed over: returns 0. */
static int parse_entry(const cJSON *j, struct index_entry *out, struct err *e)
{
	const cJSON *platform = NULL, *notes = NULL;
	const char *media, *os = "", *arch = "", *variant = "", *name = "";

	if (desc_parse(j, &out->desc, &media, e) < 0 ||
	    json_get_obj(j, "platform", &platform, e) < 0 ||
	    json_get_obj(j, "annotations", &notes, e) < 0)
		return -1;
	if (!media_is_index(media) && !media_is_manifest(media))
		return 0;
	if (json_get_str(platform, "os", &os, e) < 0 ||
	    json_get_str(platform, "architecture", &arch, e) < 0 ||
	    json_get_str(platform, "variant", &variant, e) < 0 ||
	    json_get_str(notes, REF_NAME, &name, e) < 0)
		return -1;
	out->is_index = media_is_index(media);
	out->os = xstrdup(os);
	out->arch = xstrdup(arch);
	out->variant = xstrdup(variant);
	out->ref_name = xstrdup(name);
	return 1;
}

static int parse_index(const cJSON *root, struct index *out, struct err *e)
{
	const cJSON *arr = NULL, *j;
	int r = manifest_classify(root, NULL, e);

	if (r <= 0)
		return r < 0 ? -1 : err_set(e, 0, "it is a manifest");
	r = json_get_arr(root, "manifests", &arr, e);
	if (r <= 0)
		return r < 0 ? -1 : err_set(e, 0, "manifests is missing");
	out->v = xcalloc((size_t)cJSON_GetArraySize(arr), sizeof(*out->v));
	cJSON_ArrayForEach(j, arr)
	{
		r = parse_entry(j, &out->v[out->nr], e);
		if (r < 0)
			return -1;
		out->nr += (unsigned)r;
	}
	return 0;
}

int index_parse(const char *text, size_t len, struct index *out, struct err *e)
{
	cleanup_json cJSON *root = json_parse(text, len, "image index", e);

	*out = (struct index){ 0 };
	if (!root)
		return -1;
	if (parse_index(root, out, e) < 0) {
		index_free(out);
		return err_wrap(e, "cannot use image index");
	}
	return 0;
}

static bool fits(const struct index_entry *en)
{
	return !strcmp(en->os, "linux") && !strcmp(en->arch, image_config_host_arch());
}

static bool has_platform(const struct index_entry *en)
{
	return en->os[0] || en->arch[0];
}

/* For messages; a hostile index may list thousands. */
static void list_platforms(const struct index *i, struct strbuf *b)
{
	unsigned n, shown = 0;

	for (n = 0; n < i->nr && shown < 12; n++) {
		const struct index_entry *en = &i->v[n];

		if (!has_platform(en) || !strcmp(en->os, "unknown"))
			continue;
		sb_addf(b, "%s%.20s/%.20s%s%.20s", shown++ ? ", " : "", en->os, en->arch,
			en->variant[0] ? "/" : "", en->variant);
	}
	if (n < i->nr)
		sb_adds(b, ", ...");
	if (!b->len)
		sb_adds(b, "none");
}

const struct index_entry *index_pick_platform(const struct index *i, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	unsigned n;

	for (n = 0; n < i->nr; n++) {
		if (fits(&i->v[n]))
			return &i->v[n];
	}
	if (i->nr == 1 && !has_platform(&i->v[0]))
		return &i->v[0];
	list_platforms(i, &b);
	err_setk(e, ERR_NOT_FOUND, 0, "no image for linux/%s, there is: %s",
		 image_config_host_arch(), b.buf);
	return NULL;
}

static void list_names(const struct index *i, struct strbuf *b)
{
	unsigned n, shown = 0;

	for (n = 0; n < i->nr && shown < 12; n++) {
		if (i->v[n].ref_name[0])
			sb_addf(b, "%s%.60s", shown++ ? ", " : "", i->v[n].ref_name);
	}
	if (n < i->nr)
		sb_adds(b, ", ...");
	if (!b->len)
		sb_adds(b, "none");
}

/* Of several entries that would do, the one for this platform. */
static const struct index_entry *narrow(const struct index *i, const char *name, unsigned *nr)
{
	const struct index_entry *any = NULL, *fit = NULL;
	unsigned n, nr_fit = 0;

	*nr = 0;
	for (n = 0; n < i->nr; n++) {
		if (name && strcmp(i->v[n].ref_name, name) != 0)
			continue;
		any = &i->v[n];
		++*nr;
		if (fits(any)) {
			fit = any;
			nr_fit++;
		}
	}
	if (*nr > 1 && nr_fit == 1) {
		*nr = 1;
		return fit;
	}
	return any;
}

const struct index_entry *index_pick_name(const struct index *i, const char *name, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	unsigned nr;
	const struct index_entry *en = narrow(i, name, &nr);

	if (nr == 1)
		return en;
	if (!nr && !name) {
		err_setk(e, ERR_NOT_FOUND, 0, "it holds no image");
		return NULL;
	}
	list_names(i, &b);
	if (!nr)
		err_setk(e, ERR_NOT_FOUND, 0, "no image named '%.100s', there is: %s", name, b.buf);
	else if (name)
		err_setk(e, ERR_DENIED, 0, "%u images are named '%.100s'", nr, name);
	else
		err_setk(e, ERR_USAGE, 0, "it holds %u images: %s", nr, b.buf);
	if (nr && !name)
		err_hint(e, "append ':' and one of these names");
	return NULL;
}
