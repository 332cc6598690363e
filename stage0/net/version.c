/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/net/version.h"

#include <assert.h>
#include <string.h>

#include "base/cleanup.h"

static const char *const texts[] = {
	[CNI_0_3_1] = "0.3.1",
	[CNI_0_4_0] = "0.4.0",
	[CNI_1_0_0] = "1.0.0",
	[CNI_1_1_0] = "1.1.0",
};
static_assert(nitems(texts) == NR_CNI_VERSIONS, "each version has its text");

const char *cni_version_text(enum cni_version v)
{
	return texts[v];
}

int cni_version_parse(const char *s, enum cni_version *out)
{
	static const char *const older[] = { "", "0.1.0", "0.2.0", "0.3.0" };
	size_t i;

	for (i = 0; i < nitems(older); i++) {
		if (!strcmp(s ? s : "", older[i])) {
			*out = CNI_0_3_1;
			return 0;
		}
	}
	for (i = 0; i < nitems(texts); i++) {
		if (!strcmp(s, texts[i])) {
			*out = (enum cni_version)i;
			return 0;
		}
	}
	return -1;
}
