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
#include "images/ref.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void ref_has_one_canonical_spelling(void **state)
{
	static const struct {
		const char *text, *canonical, *app;
	} good[] = {
		{ "busybox", "docker://docker.io/library/busybox:latest", "busybox" },
		{ "docker://busybox", "docker://docker.io/library/busybox:latest", "busybox" },
		{ "index.docker.io/busybox:1", "docker://docker.io/library/busybox:1", "busybox" },
		{ "grafana/grafana:9.1", "docker://docker.io/grafana/grafana:9.1", "grafana" },
		{ "127.0.0.1:5000/b:1", "docker://127.0.0.1:5000/b:1", "b" },
		{ "localhost/b", "docker://localhost/b:latest", "b" },
		{ "[::1]:5000/b", "docker://[::1]:5000/b:latest", "b" },
		{ "Host/b", "docker://Host/b:latest", "b" },
		{ "a.example/x/my_app__2:T-1.x", "docker://a.example/x/my_app__2:T-1.x",
		  "my-app-2" },
		{ "b@sha256:" HEX64, "docker://docker.io/library/b@sha256:" HEX64, "b" },
		{ "b:1@sha256:" HEX64, "docker://docker.io/library/b@sha256:" HEX64, "b" },
		{ "oci:/srv/l", "oci:/srv/l", "l" },
		{ "oci:/srv/l:one", "oci:/srv/l:one", "l" },
		{ "oci:/srv/l:h:5000/x:1", "oci:/srv/l:h:5000/x:1", "l" },
		{ "oci-archive:/a.oci.tar:b", "oci-archive:/a.oci.tar:b", "a" },
		{ "docker-archive:/My File.tar.gz", "docker-archive:/My File.tar.gz", "my-file" },
		{ "dir:/", "dir:/", "app" },
		{ "dir:/a:b", "dir:/a:b", "a-b" },
		{ "tar:/r.tar.zst", "tar:/r.tar.zst", "r" },
		{ "sha256:01234567", "sha256:01234567", "01234567" },
		{ "sha256-01234567", "sha256:01234567", "01234567" },
		{ HEX64, "sha256:" HEX64, HEX64 },
		{ "oci", "docker://docker.io/library/oci:latest", "oci" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < nitems(good); i++) {
		cleanup_free char *canonical = NULL, *app = NULL;
		cleanup_ref struct image_ref r = { 0 };
		struct err e = { 0 };

		if (ref_parse(good[i].text, &r, &e) < 0)
			fail_msg("%s: %s", good[i].text, e.msg);
		canonical = ref_canonical(&r);
		app = ref_short_name(&r);
		assert_string_equal(canonical, good[i].canonical);
		assert_int_equal(strncmp(app, good[i].app, 60), 0);
	}
}

static void ref_canonical_spelling_parses_to_itself(void **state)
{
	static const char *const texts[] = { "busybox", "h:1/a/b:t", "oci:/x:y",
					     "b@sha256:" HEX64 };
	size_t i;

	(void)state;
	for (i = 0; i < nitems(texts); i++) {
		cleanup_free char *one = NULL, *two = NULL;
		cleanup_ref struct image_ref a = { 0 }, b = { 0 };
		struct err e;

		assert_int_equal(ref_parse(texts[i], &a, &e), 0);
		one = ref_canonical(&a);
		assert_int_equal(ref_parse(one, &b, &e), 0);
		two = ref_canonical(&b);
		assert_string_equal(one, two);
	}
}

static void ref_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"docker://",
		"docker:///b",
		"Busybox",
		"a//b",
		"../b",
		"./b",
		"/b",
		"a/../b",
		"b:",
		"b:-x",
		"b:a/b",
		"b@",
		"b@sha256:short",
		"b@sha512:" HEX64,
		"b@sha256:" HEX64 "0",
		"b@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
		"h:/b",
		"h:123456/b",
		"h:8x/b",
		"[::1/b",
		"[]/b",
		"a b",
		"b\n",
		"b\x1b[2J",
		"a---b_",
		"a..b",
		"a___b",
		"http://h/b",
		"file:///b",
		"oci:",
		"oci::x",
		"oci:/d:",
		"oci:/d:a b",
		"oci:/d:a\tb",
		"dir:",
		"sha256:",
		"sha256:0123456",
		"sha256:0123456g",
		"sha256:0123456/../../x",
		"sha256:" HEX64 "0",
		"sha256:ABCDEF01",
	};
	size_t i;

	(void)state;
	for (i = 0; i < nitems(bad); i++) {
		struct image_ref r;
		struct err e = { 0 };

		if (!ref_parse(bad[i], &r, &e))
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_int_equal(strncmp(e.msg, "cannot use image reference", 26), 0);
	}
}

static void ref_refuses_overlong(void **state)
{
	char text[REF_MAX_LEN + 2];
	struct image_ref r;
	struct err e;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(ref_parse(text, &r, &e), -1);
	/* "library/" is put before it. */
	text[248] = '\0';
	assert_int_equal(ref_parse(text, &r, &e), -1);
	text[247] = '\0';
	assert_int_equal(ref_parse(text, &r, &e), 0);
	ref_free(&r);
}

static void ref_that_could_be_an_id_says_so(void **state)
{
	struct image_ref r;
	struct err e;

	(void)state;
	assert_int_equal(ref_parse("deadbeef", &r, &e), 0);
	assert_int_equal(r.kind, REF_REGISTRY);
	assert_string_equal(r.id, "deadbeef");
	ref_free(&r);
	assert_int_equal(ref_parse("deadbee", &r, &e), 0);
	assert_null(r.id);
	ref_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ref_has_one_canonical_spelling),
		cmocka_unit_test(ref_canonical_spelling_parses_to_itself),
		cmocka_unit_test(ref_refuses),
		cmocka_unit_test(ref_refuses_overlong),
		cmocka_unit_test(ref_that_could_be_an_id_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
