/* SPDX-License-Identifier: Apache-2.0 */
/* The pod spec as stage0 writes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "stage0/podspec_put.h"

static void records_tell_their_length(void **state)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	char text[4097];

	(void)state;
	podspec_put(&b, "hosts", "127.0.0.1 localhost\n::1 localhost\n");
	podspec_putf(&b, "nic", "%s %s %u", "eth0", "02:00:00:00:00:01", 1500u);
	assert_string_equal(b.buf, "hosts 34\n127.0.0.1 localhost\n::1 localhost\n\n"
				   "nic 27\neth0 02:00:00:00:00:01 1500\n");
	sb_reset(&b);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	podspec_putf(&b, "env", "A=%s", text);
	assert_memory_equal(b.buf, "env 4098\nA=xx", 13);
	assert_int_equal(b.len, 9 + 4098 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_tell_their_length),
	};

	return cmocka_run_group_tests_name("podspec_put", tests, NULL, NULL);
}
