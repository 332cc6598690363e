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
#include "base/json.h"

static int scan(const char *text)
{
	struct err e;

	return json_scan(text, strlen(text), "test", &e);
}

static void valid_json_is_taken(void **state)
{
	static const char *const good[] = {
		"null",
		"true",
		" [1, -2.5e+3, 0] ",
		"{\"a\":{\"a\":[]},\"b\":\"\"}",
		"\"\\ud83d\\ude00 \xf0\x9f\x98\x80 \\\"\\\\\\/\\n\"",
		"[{\"a\":1},{\"a\":1}]",
	};
	size_t i;

	(void)state;
	for (i = 0; i < nitems(good); i++) {
		if (scan(good[i]) < 0)
			fail_msg("%s was refused", good[i]);
	}
}

static void invalid_json_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"[1",
		"[1,]",
		"{\"a\":1,}",
		"{a:1}",
		"[1 2]",
		"nul",
		"01",
		"1.",
		".5",
		"+1",
		"1e",
		"NaN",
		"Infinity",
		"'a'",
		"\"a",
		"\"\t\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\u0000\"",
		"\"\\ud800\"",
		"\"\\udc00\"",
		"\"\\ud800\\u0041\"",
		"\"\xff\"",
		"\"\xc0\x80\"",
		"\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"",
		"1 // c",
		"/**/1",
		"\xef\xbb\xbf{}",
		"{} {}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < nitems(bad); i++) {
		if (!scan(bad[i]))
			fail_msg("%s was taken", bad[i]);
	}
}

static void duplicate_keys_are_refused(void **state)
{
	(void)state;
	assert_int_equal(scan("{\"a\":1,\"b\":2,\"a\":3}"), -1);
	assert_int_equal(scan("{\"a\":1,\"\\u0061\":2}"), -1);
	assert_int_equal(scan("[{\"x\":{\"a\":1,\"a\":1}}]"), -1);
}

static void depth_is_bounded(void **state)
{
	static char deep[2 * 10000 + 1];
	int n;

	(void)state;
	for (n = 30; n <= 10000; n += 9970) {
		memset(deep, '[', (size_t)n);
		memset(deep + n, ']', (size_t)n);
		deep[2 * n] = '\0';
		assert_int_equal(scan(deep), n == 30 ? 0 : -1);
	}
}

static void size_is_bounded(void **state)
{
	cleanup_free char *big = xmalloc(JSON_MAX_SIZE + 1);
	struct err e;

	(void)state;
	memset(big, ' ', JSON_MAX_SIZE + 1);
	big[0] = '1';
	assert_int_equal(json_scan(big, JSON_MAX_SIZE, "test", &e), 0);
	assert_int_equal(json_scan(big, JSON_MAX_SIZE + 1, "test", &e), -1);
}

static void getters_name_the_key_of_a_wrong_type(void **state)
{
	static const char text[] = "{\"s\":1,\"n\":\"x\",\"z\":null,\"big\":1e300}";
	struct err e = { 0 };
	cleanup_json cJSON *j = json_parse(text, strlen(text), "test", &e);
	const char *s = "same";
	uint64_t n = 7;

	(void)state;
	assert_non_null(j);
	assert_int_equal(json_get_str(j, "s", &s, &e), -1);
	assert_non_null(strstr(e.msg, "\"s\""));
	assert_int_equal(json_get_u64(j, "n", &n, &e), -1);
	assert_int_equal(json_get_u64(j, "big", &n, &e), -1);
	assert_int_equal(json_get_u64(j, "z", &n, &e), 0);
	assert_int_equal(json_get_str(j, "none", &s, &e), 0);
	assert_string_equal(s, "same");
	assert_int_equal(n, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_json_is_taken),
		cmocka_unit_test(invalid_json_is_refused),
		cmocka_unit_test(duplicate_keys_are_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(getters_name_the_key_of_a_wrong_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
