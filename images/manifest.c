/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "images/manifest_json.h"
#include "images/store.h"

#define MAX_BLOB                                                                         \
	(1ull << 40) /* no image has a larger one; bounds what is written before a check \
		      */

void manifest_free(struct manifest *m)
{
	free(m->layers);
	*m = (struct manifest){ 0 };
}

static bool is_one_of(const char *s, const char *const *list)
{
	for (; *list; list++) {
		if (!strcmp(s, *list))
			return true;
	}
	return false;
}

bool media_is_index(const char *s)
{
	static const char *const list[] = { MEDIA_OCI_INDEX, MEDIA_DOCKER_LIST, NULL };

	return is_one_of(s, list);
}

bool media_is_manifest(const char *s)
{
	static const char *const list[] = { MEDIA_OCI_MANIFEST, MEDIA_DOCKER_MANIFEST, NULL };

	return is_one_of(s, list);
}

static bool is_config_media(const char *s)
{
	static const char *const list[] = { MEDIA_OCI_CONFIG,
					    "application/vnd.docker.container.image.v1+json",
					    NULL };

	return is_one_of(s, list);
}

/* The compression that it names is not relied on: the bytes tell. */
static bool is_layer_media(const char *s)
{
	static const char *const list[] = { MEDIA_OCI_LAYER,
					    MEDIA_OCI_LAYER "+gzip",
					    MEDIA_OCI_LAYER "+zstd",
					    "application/vnd.docker.image.rootfs.diff.tar",
					    "application/vnd.docker.image.rootfs.diff.tar.gzip",
					    "application/vnd.docker.image.rootfs.diff.tar.zstd",
					    NULL };

	return is_one_of(s, list);
}

int desc_parse(const cJSON *j, struct desc *out, const char **media, struct err *e)
{
	const char *digest = NULL;
	int has_size;

	*media = "";
	if (!cJSON_IsObject(j))
		return err_set(e, 0, "a descriptor is no object");
	if (json_get_str(j, "digest", &digest, e) < 0 || json_get_str(j, "mediaType", media, e) < 0)
		return -1;
	has_size = json_get_u64(j, "size", &out->size, e);
	if (has_size < 0)
		return -1;
	if (!digest || !has_size)
		return err_set(e, 0, "a descriptor has no digest or no size");
	if (out->size > MAX_BLOB)
		return err_set(e, 0, "a blob is larger than 1 TiB");
	return digest_parse(digest, &out->digest, e);
}

static int parse_layer(const cJSON *j, struct desc *out, struct err *e)
{
	const cJSON *urls = NULL;
	const char *media;

	if (desc_parse(j, out, &media, e) < 0 || json_get_arr(j, "urls", &urls, e) < 0)
		return -1;
	if (strstr(media, "foreign") || strstr(media, "nondistributable") ||
	    cJSON_GetArraySize(urls) > 0)
		return err_setk(e, ERR_DENIED, 0, "a layer is to be fetched from another place");
	if (!is_layer_media(media))
		return err_set(e, 0, "media type \"%.100s\" of a layer is not supported", media);
	return 0;
}

static int parse_layers(const cJSON *arr, struct manifest *out, struct err *e)
{
	int n = cJSON_GetArraySize(arr);
	const cJSON *j;

	if (n > STORE_MAX_LAYERS)
		return err_set(e, 0, "it has %d layers, at most %d are supported", n,
			       STORE_MAX_LAYERS);
	out->layers = xcalloc((size_t)n, sizeof(*out->layers));
	cJSON_ArrayForEach(j, arr)
	{
		if (parse_layer(j, &out->layers[out->nr_layers], e) < 0)
			return -1;
		out->nr_layers++;
	}
	return 0;
}

static int check_version(const cJSON *root, struct err *e)
{
	uint64_t version = 0;

	if (!cJSON_IsObject(root))
		return err_set(e, 0, "it is no object");
	if (json_get_u64(root, "schemaVersion", &version, e) < 0)
		return -1;
	if (version == 1)
		return err_set(e, 0, "docker schema 1 is not supported");
	return version == 2 ? 0 : err_set(e, 0, "schemaVersion is not 2");
}

/* As manifest_is_index(), of parsed text. */
int manifest_classify(const cJSON *root, const char *media, struct err *e)
{
	bool manifests, layers;
	const char *own = "";

	if (check_version(root, e) < 0 || json_get_str(root, "mediaType", &own, e) < 0)
		return -1;
	manifests = cJSON_GetObjectItemCaseSensitive(root, "manifests") != NULL;
	layers = cJSON_GetObjectItemCaseSensitive(root, "layers") ||
		 cJSON_GetObjectItemCaseSensitive(root, "config");
	if (manifests == layers)
		return err_setk(e, ERR_DENIED, 0,
				manifests ? "it claims to be an index and a manifest"
					  : "it is no image manifest and no index");
	if (*own && !(manifests ? media_is_index(own) : media_is_manifest(own)))
		return err_setk(e, ERR_DENIED, 0, "its media type \"%.100s\" does not fit it", own);
	if (media && (manifests ? media_is_manifest(media) : media_is_index(media)))
		return err_setk(e, ERR_DENIED, 0,
				"it was handed over as \"%.100s\", which it is not", media);
	return manifests;
}

int manifest_is_index(const char *text, size_t len, const char *media, struct err *e)
{
	cleanup_json cJSON *root = json_parse(text, len, "image manifest", e);
	int r = root ? manifest_classify(root, media, e) : -1;

	return r < 0 && root ? err_wrap(e, "cannot use image manifest") : r;
}

static int parse_config_desc(const cJSON *root, struct desc *out, struct err *e)
{
	const cJSON *j = NULL;
	const char *media;

	if (json_get_obj(root, "config", &j, e) < 0)
		return -1;
	if (!j)
		return err_set(e, 0, "config is missing");
	if (desc_parse(j, out, &media, e) < 0)
		return -1;
	if (!is_config_media(media))
		return err_set(e, 0, "it is no container image: its configuration is \"%.100s\"",
			       media);
	if (out->size > MANIFEST_MAX_SIZE)
		return err_set(e, 0, "its configuration is larger than 4 MiB");
	return 0;
}

static int parse_manifest(const cJSON *root, struct manifest *out, struct err *e)
{
	const cJSON *layers = NULL;
	int r = manifest_classify(root, NULL, e);

	if (r)
		return r < 0 ? -1 : err_set(e, 0, "it is an index");
	r = json_get_arr(root, "layers", &layers, e);
	if (r <= 0)
		return r < 0 ? -1 : err_set(e, 0, "layers is missing");
	if (parse_config_desc(root, &out->config, e) < 0)
		return -1;
	return parse_layers(layers, out, e);
}

int manifest_parse(const char *text, size_t len, struct manifest *out, struct err *e)
{
	cleanup_json cJSON *root = json_parse(text, len, "image manifest", e);

	*out = (struct manifest){ 0 };
	if (!root)
		return -1;
	if (parse_manifest(root, out, e) < 0) {
		manifest_free(out);
		return err_wrap(e, "cannot use image manifest");
	}
	return 0;
}
