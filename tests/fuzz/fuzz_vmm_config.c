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

/* Behind "line N, WORD: ", where the value that is quoted cannot be. */
static bool is_about_words(const char *msg)
{
	static const char *const whys[] = { "unknown key", "no such word", "bad % escape",
					    "given twice" };
	const char *why = strstr(msg, ": line ");
	size_t i;

	why = why ? strstr(why + 2, ": ") : NULL;
	for (i = 0; why && i < sizeof(whys) / sizeof(whys[0]); i++) {
		if (!strncmp(why + 2, whys[i], strlen(whys[i])))
			return true;
	}
	return false;
}

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
	if (spec_parse(&s, out.buf, out.len, &e) < 0 && is_about_words(e.msg))
		abort();
	spec_free(&s);
	return 0;
}
