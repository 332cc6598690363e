/* SPDX-License-Identifier: Apache-2.0 */
/* Image configurations. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/image_config.h"
#include "images/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cleanup_image struct image img = { 0 };
	const char *text = (const char *)p;
	struct digest *ids = NULL;
	struct err e;
	unsigned nr;
	size_t i;

	if (!image_config_parse(text, n, &img, &e)) {
		for (i = 0; i < img.env.nr_v; i++) {
			if (!strchr(img.env.v[i], '='))
				abort();
		}
		for (i = 0; i < img.volumes.nr_v; i++) {
			if (img.volumes.v[i][0] != '/')
				abort();
		}
	}
	if (!image_config_diff_ids(text, n, &ids, &nr, &e) && nr > STORE_MAX_LAYERS)
		abort();
	free(ids);
	(void)image_config_check_platform(text, n, &e);
	return 0;
}
