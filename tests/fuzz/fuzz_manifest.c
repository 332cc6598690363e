/* SPDX-License-Identifier: Apache-2.0 */
/* Image manifests and indexes: no document is both, and what is taken is bounded. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "images/manifest.h"
#include "images/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cleanup_manifest struct manifest m = { 0 };
	cleanup_index struct index i = { 0 };
	const char *text = (const char *)p;
	struct err e;
	int is_manifest = !manifest_parse(text, n, &m, &e);
	int is_index = !index_parse(text, n, &i, &e);

	if (is_manifest && is_index)
		abort();
	if (m.nr_layers > STORE_MAX_LAYERS)
		abort();
	if (is_index) {
		(void)index_pick_platform(&i, &e);
		(void)index_pick_name(&i, NULL, &e);
		(void)index_pick_name(&i, "latest", &e);
	}
	return 0;
}
