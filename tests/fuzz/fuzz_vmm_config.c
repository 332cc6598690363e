/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine's configuration in JSON: what is accepted becomes a description that vpod-vmm parses,
 * or refuses for a value of its own; never one with words that the configuration did not have.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stage0/vmm_config.h"
#include "vmm/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_sb struct strbuf out = STRBUF_INIT;
	struct vmm_spec s;
	struct err e;

	e.msg[0] = '\0';
	if (vmm_config_convert((const char *)data, size, &out, &e) < 0) {
		if (!e.msg[0] || e.kind != ERR_USAGE)
			abort();
		return 0;
	}
	if (spec_parse(&s, out.buf, out.len, &e) < 0 &&
	    (strstr(e.msg, "unknown key") || strstr(e.msg, "no such word") ||
	     strstr(e.msg, "bad % escape") || strstr(e.msg, "given twice")))
		abort();
	spec_free(&s);
	return 0;
}
