/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <string.h>

#include "base/cleanup.h"
#include "images/token.h"

static void challenge_is_read(void **state)
{
	struct challenge c;
	struct err e;

	(void)state;
	assert_int_equal(challenge_parse("Bearer realm=\"https://a/t\",service=\"s\", "
					 "scope=\"x:y\",error=\"e\"",
					 &c, &e),
			 0);
	assert_string_equal(c.realm, "https://a/t");
	assert_string_equal(c.service, "s");
	assert_string_equal(c.scope, "x:y");
	challenge_free(&c);
}

static void challenge_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"Bearer",
		"Bearer ",
		"Basic realm=\"x\"",
		"Bearer service=\"s\"",
		"Bearer realm=\"a\",realm=\"b\"",
		"Bearer realm=a",
		"Bearer realm=\"a",
		"Bearer realm=\"a\" service=\"b\"",
		"Digest realm=\"a\"",
		"Bearer realm=\"a\",",
	};
	size_t i;

	(void)state;
	for (i = 0; i < nitems(bad); i++) {
		struct challenge c;
		struct err e;

		if (!challenge_parse(bad[i], &c, &e))
			fail_msg("%s was taken", bad[i]);
	}
}

static void loopback_is_known_by_name_and_address(void **state)
{
	(void)state;
	assert_true(http_is_loopback("localhost:5000"));
	assert_true(http_is_loopback("127.1.2.3"));
	assert_true(http_is_loopback("[::1]:5000"));
	assert_false(http_is_loopback("localhost.example"));
	assert_false(http_is_loopback("127.0.0.1.example"));
	assert_false(http_is_loopback("10.0.0.1:5000"));
	assert_false(http_is_loopback("[::2]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(challenge_is_read),
		cmocka_unit_test(challenge_refuses),
		cmocka_unit_test(loopback_is_known_by_name_and_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
