/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's description: what is accepted is in its bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_spec s;
	struct err e;
	unsigned i;

	e.msg[0] = '\0';
	if (spec_parse(&s, (const char *)data, size, &e) < 0) {
		if (!e.msg[0])
			abort();
	} else if (s.cpus < 1 || s.cpus > SPEC_MAX_CPUS || s.memory & 4095 || !s.memory) {
		abort();
	}
	for (i = 0; i < s.nr_disks; i++) {
		if (strlen(s.disks[i].serial) > 20 || s.disks[i].nr_parts > SPEC_MAX_PARTS)
			abort();
	}
	spec_free(&s);
	return 0;
}
