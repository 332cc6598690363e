/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formats without an OCI manifest get one.  It depends on nothing but the content (no time, no
 * path), so that the same content has the same id.
 */
#include <inttypes.h>
#include <string.h>

#include "images/image_config.h"
#include "images/fetch.h"

static void add_desc(struct strbuf *b, const char *media, const struct desc *d)
{
	sb_addf(b, "{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%" PRIu64 "}", media,
		d->digest.hex, d->size);
}

void synth_manifest(const struct desc *config, const struct desc *layers, unsigned nr_layers,
		    struct strbuf *out)
{
	unsigned i;

	sb_addf(out, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":", MEDIA_OCI_MANIFEST);
	add_desc(out, MEDIA_OCI_CONFIG, config);
	sb_adds(out, ",\"layers\":[");
	for (i = 0; i < nr_layers; i++) {
		sb_adds(out, i ? "," : "");
		add_desc(out, MEDIA_OCI_LAYER, &layers[i]);
	}
	sb_adds(out, "]}");
}

int synth_image(struct store *s, const struct desc *layer, const struct digest *diff_id,
		struct strbuf *manifest, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	struct desc config;

	sb_addf(&text,
		"{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":"
		"\"layers\",\"diff_ids\":[\"sha256:%s\"]}}",
		image_config_host_arch(), diff_id->hex);
	if (put_bytes(s, text.buf, text.len, "the image configuration", &config, e) < 0)
		return -1;
	synth_manifest(&config, layer, 1, manifest);
	return 0;
}
