/* SPDX-License-Identifier: Apache-2.0 */
/* helper_run() runs this test's own executable's directory: scripts made there by the test. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/helper.h"
#include "base/json.h"

#define HELPER "test_helper.script"

static void install(const char *script)
{
	cleanup_free char *dir = fs_exe_dir();
	cleanup_free char *path = fs_join(dir, HELPER);
	struct err e;

	(void)unlink(path);
	assert_int_equal(fs_write_atomic(AT_FDCWD, path, script, strlen(script), 0755, &e), 0);
}

static void remove_script(void)
{
	cleanup_free char *dir = fs_exe_dir();
	cleanup_free char *path = fs_join(dir, HELPER);

	(void)unlink(path);
}

static int run(const char *script, cJSON **result, struct err *e)
{
	cleanup_strv struct strv args = { 0 };
	int r;

	strv_add(&args, "a b");
	install(script);
	r = helper_run(HELPER, &args, result, e);
	remove_script();
	return r;
}

static void helper_hands_over_result_and_arguments(void **state)
{
	cleanup_json cJSON *j = NULL;
	const char *got = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(
		run("#!/bin/sh\necho \"{\\\"result\\\":{\\\"arg\\\":\\\"$1\\\"}}\"\n", &j, &e), 0);
	assert_int_equal(json_get_str(j, "arg", &got, &e), 1);
	assert_string_equal(got, "a b");
}

static void helper_error_arrives_whole(void **state)
{
	cleanup_json cJSON *j = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(
		run("#!/bin/sh\necho '{\"error\":{\"kind\":2,\"num\":2,\"msg\":\"cannot do "
		    "it: no\",\"hint\":\"try 5%\"}}'\nexit 125\n",
		    &j, &e),
		-1);
	assert_null(j);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(e.num, 2);
	assert_string_equal(e.msg, "cannot do it: no");
	assert_string_equal(e.hint, "try 5%");
}

static void helper_killed_or_silent_is_an_error(void **state)
{
	cJSON *j = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(run("#!/bin/sh\nkill -9 $$\n", &j, &e), -1);
	assert_non_null(strstr(e.msg, "killed by signal 9"));
	assert_int_equal(run("#!/bin/sh\nexit 3\n", &j, &e), -1);
	assert_non_null(strstr(e.msg, "exit status 3 and no answer"));
	assert_int_equal(run("#!/bin/sh\necho nonsense\n", &j, &e), -1);
	assert_int_equal(run("#!/bin/sh\necho '{}'\n", &j, &e), -1);
	assert_null(j);
}

static void helper_that_is_not_there_is_named(void **state)
{
	struct strv args = { 0 };
	struct err e = { 0 };
	cJSON *j;

	(void)state;
	assert_int_equal(helper_run("vpod-nonesuch", &args, &j, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(e.msg, "vpod-nonesuch"));
}

/* What helper_report_*() write, helper_parse() reads. */
static void reports_and_parser_agree(void **state)
{
	struct err e = { .num = 28, .kind = ERR_DENIED, .msg = "cannot \"x\"\n", .hint = "h" }, got;
	cleanup_sb struct strbuf text = STRBUF_INIT;
	cJSON *j = NULL;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(helper_report_error(p[1], &e), 125);
	close(p[1]);
	assert_int_equal(fs_read_fd(p[0], "pipe", 4096, &text, &got), 0);
	close(p[0]);
	assert_int_equal(text.buf[text.len - 1], '\n');
	assert_int_equal(helper_parse("x", text.buf, text.len, &j, &got), -1);
	assert_int_equal(got.num, 28);
	assert_int_equal(got.kind, ERR_DENIED);
	assert_string_equal(got.msg, e.msg);
	assert_string_equal(got.hint, "h");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(helper_hands_over_result_and_arguments),
		cmocka_unit_test(helper_error_arrives_whole),
		cmocka_unit_test(helper_killed_or_silent_is_an_error),
		cmocka_unit_test(helper_that_is_not_there_is_named),
		cmocka_unit_test(reports_and_parser_agree),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
