/* SPDX-License-Identifier: Apache-2.0 */
/* The J cases of the threat catalogue: manifests and indexes that lie. */
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
#include "base/strbuf.h"
#include "images/image_config.h"
#include "images/manifest.h"

#define D "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONFIG "{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"" D "\",\"size\":2}"
#define LAYER "{\"mediaType\":\"" MEDIA_OCI_LAYER "+gzip\",\"digest\":\"" D "\",\"size\":7}"
#define MANIFEST(extra) \
	"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER "]" extra "}"

static int parse(const char *text, struct manifest *m, struct err *e)
{
	return manifest_parse(text, strlen(text), m, e);
}

static void manifest_is_read(void **state)
{
	cleanup_manifest struct manifest m = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(parse(MANIFEST(",\"annotations\":{\"a\":\"b\"}"), &m, &e), 0);
	assert_int_equal(m.nr_layers, 1);
	assert_int_equal(m.layers[0].size, 7);
	assert_string_equal(m.config.digest.hex, D + 7);
}

static void manifest_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"null",
		"{}",
		MANIFEST("") "x",
		"\xef\xbb\xbf" MANIFEST(""),
		/* an index and a manifest at once; a media type that does not fit */
		MANIFEST(",\"manifests\":[]"),
		MANIFEST(",\"mediaType\":\"" MEDIA_OCI_INDEX "\""),
		MANIFEST(",\"mediaType\":\"text/plain\""),
		MANIFEST(",\"mediaType\":1"),
		/* twice the same key: which one counts? */
		MANIFEST(",\"layers\":[]"),
		MANIFEST(",\"l\\u0061yers\":[]"),
		/* schemaVersion */
		"{\"schemaVersion\":1,\"config\":" CONFIG ",\"layers\":[]}",
		"{\"schemaVersion\":\"2\",\"config\":" CONFIG ",\"layers\":[]}",
		"{\"schemaVersion\":-2,\"config\":" CONFIG ",\"layers\":[]}",
		"{\"config\":" CONFIG ",\"layers\":[]}",
		/* layers */
		"{\"schemaVersion\":2,\"config\":" CONFIG "}",
		"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":null}",
		"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":{}}",
		"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[null]}",
		"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[{}]}",
		/* configuration */
		"{\"schemaVersion\":2,\"layers\":[]}",
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x/y\",\"digest\":\"" D
		"\",\"size\":2},\"layers\":[]}",
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG
		"\",\"digest\":\"" D "\",\"size\":4194305},\"layers\":[]}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < nitems(bad); i++) {
		struct manifest m;
		struct err e = { 0 };

		if (!parse(bad[i], &m, &e))
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(strncmp(e.msg, "cannot ", 7), 0);
	}
}

static void layer_descriptors_are_checked(void **state)
{
	static const char *const bad[] = {
		"\"digest\":\"" D "\",\"size\":1e999",
		"\"digest\":\"" D "\",\"size\":-1",
		"\"digest\":\"" D "\",\"size\":9007199254740994",
		"\"digest\":\"" D "\",\"size\":1.5",
		"\"digest\":\"" D "\"",
		"\"size\":1",
		"\"digest\":\"sha256:../../../../etc/passwd\",\"size\":1",
		"\"digest\":\"sha256:0\",\"size\":1",
		"\"digest\":\"" D "\\n\",\"size\":1",
		"\"digest\":\"sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
		"\"size\":1",
		"\"digest\":\"" D "\",\"size\":1,\"urls\":[\"http://169.254.169.254/\"]",
		"\"digest\":\"" D "\",\"size\":2000000000000",
	};
	size_t i;

	(void)state;
	for (i = 0; i < nitems(bad); i++) {
		cleanup_free char *text = xasprintf("{\"schemaVersion\":2,\"config\":" CONFIG
						    ",\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER
						    "\",%s}]}",
						    bad[i]);
		struct manifest m;
		struct err e;

		if (!parse(text, &m, &e))
			fail_msg("%s was taken", bad[i]);
	}
}

static void foreign_layers_are_refused(void **state)
{
	static const char text[] =
		"{\"schemaVersion\":2,\"config\":" CONFIG
		",\"layers\":[{\"mediaType\":\"application/vnd.docker.image.rootfs.foreign.diff.tar"
		".gzip\",\"digest\":\"" D "\",\"size\":1}]}";
	struct manifest m;
	struct err e;

	(void)state;
	assert_int_equal(parse(text, &m, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_non_null(strstr(e.msg, "another place"));
}

static void too_many_layers_are_refused(void **state)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	struct manifest m;
	struct err e;
	int i;

	(void)state;
	sb_adds(&b, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[");
	for (i = 0; i < 10000; i++)
		sb_adds(&b, i ? "," LAYER : LAYER);
	sb_adds(&b, "]}");
	assert_int_equal(parse(b.buf, &m, &e), -1);
	assert_non_null(strstr(e.msg, "10000 layers"));
}

static void what_was_handed_over_must_fit(void **state)
{
	struct err e = { 0 };
	const char *m = MANIFEST("");

	(void)state;
	assert_int_equal(manifest_is_index(m, strlen(m), NULL, &e), 0);
	assert_int_equal(manifest_is_index(m, strlen(m), MEDIA_OCI_MANIFEST, &e), 0);
	assert_int_equal(manifest_is_index(m, strlen(m), "application/json", &e), 0);
	assert_int_equal(manifest_is_index(m, strlen(m), MEDIA_OCI_INDEX, &e), -1);
}

#define ENTRY(arch, name)                                                            \
	"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" D "\",\"size\":7," \
	"\"platform\":{\"os\":\"linux\",\"architecture\":\"" arch "\"},"             \
	"\"annotations\":{\"org.opencontainers.image.ref.name\":\"" name "\"}}"
#define INDEX(entries) "{\"schemaVersion\":2,\"manifests\":[" entries "]}"

static void index_entry_is_picked_by_platform(void **state)
{
	const char *text = INDEX(ENTRY("s390x", "") "," ENTRY("amd64", "") "," ENTRY("arm64", ""));
	cleanup_index struct index i = { 0 };
	const struct index_entry *en;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(index_parse(text, strlen(text), &i, &e), 0);
	en = index_pick_platform(&i, &e);
	assert_non_null(en);
	assert_string_equal(en->arch, image_config_host_arch());
}

static void missing_platform_lists_what_there_is(void **state)
{
	const char *text = INDEX(ENTRY("s390x", "") "," ENTRY("riscv64", ""));
	cleanup_index struct index i = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(index_parse(text, strlen(text), &i, &e), 0);
	assert_null(index_pick_platform(&i, &e));
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(e.msg, "linux/s390x, linux/riscv64"));
}

static void index_entry_is_picked_by_name(void **state)
{
	const char *text = INDEX(ENTRY("amd64", "one") "," ENTRY("amd64", "two"));
	cleanup_index struct index i = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(index_parse(text, strlen(text), &i, &e), 0);
	assert_ptr_equal(index_pick_name(&i, "two", &e), &i.v[1]);
	assert_null(index_pick_name(&i, "three", &e));
	assert_non_null(strstr(e.msg, "one, two"));
	assert_null(index_pick_name(&i, NULL, &e));
	assert_non_null(strstr(e.msg, "one, two"));
	assert_true(e.hint[0]);
}

static void attestations_are_passed_over(void **state)
{
	const char *text = INDEX(ENTRY("amd64", "one") ",{\"mediaType\":\"application/x.sig\","
						       "\"digest\":\"" D "\",\"size\":1}");
	cleanup_index struct index i = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(index_parse(text, strlen(text), &i, &e), 0);
	assert_int_equal(i.nr, 1);
	assert_ptr_equal(index_pick_name(&i, NULL, &e), &i.v[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manifest_is_read),
		cmocka_unit_test(manifest_refuses),
		cmocka_unit_test(layer_descriptors_are_checked),
		cmocka_unit_test(foreign_layers_are_refused),
		cmocka_unit_test(too_many_layers_are_refused),
		cmocka_unit_test(what_was_handed_over_must_fit),
		cmocka_unit_test(index_entry_is_picked_by_platform),
		cmocka_unit_test(missing_platform_lists_what_there_is),
		cmocka_unit_test(index_entry_is_picked_by_name),
		cmocka_unit_test(attestations_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
