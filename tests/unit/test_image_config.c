/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "images/image_config.h"

#define D "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void config_is_read(void **state)
{
	static const char text[] =
		"{\"os\":\"linux\",\"config\":{\"Entrypoint\":[\"/e\"],\"Cmd\":[\"a\",\"b c\"],"
		"\"Env\":[\"A=1\",\"B=x=y\\nz\"],\"User\":\"1000:www\",\"WorkingDir\":\"/w\","
		"\"StopSignal\":\"SIGRTMIN+3\",\"Volumes\":{\"/v\":{}},"
		"\"ExposedPorts\":{\"80\":{},\"53/udp\":{}},\"Labels\":{\"k\":\"v\"}}}";
	cleanup_image struct image img = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(image_config_parse(text, strlen(text), &img, &e), 0);
	assert_string_equal(img.entrypoint.v[0], "/e");
	assert_int_equal(img.cmd.nr_v, 2);
	assert_string_equal(img.env.v[1], "B=x=y\nz");
	assert_string_equal(img.user, "1000:www");
	assert_string_equal(img.working_dir, "/w");
	assert_string_equal(img.stop_signal, "SIGRTMIN+3");
	assert_string_equal(img.volumes.v[0], "/v");
	assert_int_equal(img.nr_ports, 2);
	assert_string_equal(img.ports[0].name, "80-tcp");
	assert_string_equal(img.ports[1].name, "53-udp");
	assert_int_equal(img.ports[1].port, 53);
	assert_string_equal(img.labels.v[1], "v");
}

static void absent_and_null_are_empty(void **state)
{
	static const char *const texts[] = { "{}", "{\"config\":null}",
					     "{\"config\":{\"Cmd\":null,\"Env\":null,"
					     "\"ExposedPorts\":null,\"User\":null}}" };
	size_t i;

	(void)state;
	for (i = 0; i < nitems(texts); i++) {
		cleanup_image struct image img = { 0 };
		struct err e = { 0 };

		assert_int_equal(image_config_parse(texts[i], strlen(texts[i]), &img, &e), 0);
		assert_string_equal(img.user, "");
		assert_string_equal(img.stop_signal, "");
		assert_int_equal(img.nr_ports, 0);
	}
}

static void config_refuses(void **state)
{
	static const char *const bad[] = {
		"\"Entrypoint\":\"/bin/sh\"",
		"\"Cmd\":[1]",
		"\"Env\":[\"A\"]",
		"\"Env\":[\"=x\"]",
		"\"Env\":{}",
		"\"Env\":[\"A=\\u0000\"]",
		"\"User\":\"4294967296:0\"",
		"\"User\":\"4294967295\"",
		"\"User\":\"0:4294967296\"",
		"\"User\":\"-1\"",
		"\"User\":\"99999999999999999999\"",
		"\"User\":0",
		"\"WorkingDir\":\"relative\"",
		"\"WorkingDir\":\"/a/../b\"",
		"\"Volumes\":{\"v\":{}}",
		"\"Volumes\":{\"/a/..\":{}}",
		"\"Volumes\":[\"/v\"]",
		"\"ExposedPorts\":{\"0/tcp\":{}}",
		"\"ExposedPorts\":{\"65536/tcp\":{}}",
		"\"ExposedPorts\":{\"80/http\":{}}",
		"\"ExposedPorts\":{\"/tcp\":{}}",
		"\"StopSignal\":\"SIG TERM\"",
		"\"StopSignal\":\"SIGTERM;reboot\"",
		"\"Labels\":{\"a\":1}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < nitems(bad); i++) {
		cleanup_free char *text = xasprintf("{\"config\":{%s}}", bad[i]);
		cleanup_image struct image img = { 0 };
		struct err e = { 0 };

		if (!image_config_parse(text, strlen(text), &img, &e))
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(strncmp(e.msg, "cannot ", 7), 0);
	}
}

static void diff_ids_are_read(void **state)
{
	static const char text[] = "{\"rootfs\":{\"diff_ids\":[\"" D "\",\"" D "\"]}}";
	static const char *const bad[] = { "{}", "{\"rootfs\":{\"diff_ids\":[1]}}",
					   "{\"rootfs\":{\"diff_ids\":[\"sha256:../x\"]}}" };
	cleanup_free struct digest *ids = NULL;
	struct err e;
	unsigned nr;
	size_t i;

	(void)state;
	assert_int_equal(image_config_diff_ids(text, strlen(text), &ids, &nr, &e), 0);
	assert_int_equal(nr, 2);
	for (i = 0; i < nitems(bad); i++) {
		struct digest *none;

		assert_int_equal(image_config_diff_ids(bad[i], strlen(bad[i]), &none, &nr, &e), -1);
		assert_null(none);
	}
}

static void other_platforms_are_refused(void **state)
{
	static const char *const bad[] = { "{\"os\":\"windows\"}", "{\"architecture\":\"s390x\"}" };
	struct err e;
	size_t i;

	(void)state;
	assert_int_equal(image_config_check_platform("{}", 2, &e), 0);
	for (i = 0; i < nitems(bad); i++)
		assert_int_equal(image_config_check_platform(bad[i], strlen(bad[i]), &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_is_read),
		cmocka_unit_test(absent_and_null_are_empty),
		cmocka_unit_test(config_refuses),
		cmocka_unit_test(diff_ids_are_read),
		cmocka_unit_test(other_platforms_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
