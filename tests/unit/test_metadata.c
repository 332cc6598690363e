/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata service of a pod. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "stage0/metadata.h"
#include "stage0/metadata_form.h"

#define UUID "0b4f1f2e-3c5d-4e6f-8a9b-0c1d2e3f4a5b"
#define OTHER "1b4f1f2e-3c5d-4e6f-8a9b-0c1d2e3f4a5b"

static const char manifest[] =
	"{\"acKind\":\"PodManifest\",\"apps\":[{\"name\":\"web\",\"image\":{\"name\":\"x/y\","
	"\"id\":\"sha256:00\"},\"app\":{\"exec\":[\"z\"]},\"annotations\":[{\"name\":\"a/b\","
	"\"value\":\"1 2\"}]},{\"name\":\"bare\"}],\"annotations\":[{\"name\":\"p\",\"value\":\"v\"}]}";

static const uint8_t key[METADATA_KEY_LEN] = { 1, 2, 3 };
static struct metadata *m;
static struct httpd_answer a = { .body = STRBUF_INIT };

static void ask(const char *method, const char *path, const char *type, const char *body)
{
	struct httpd_request r = { .method = method,
				   .path = path,
				   .flavor = "AppContainer",
				   .content_type = type,
				   .body = body,
				   .body_len = strlen(body) };

	sb_free(&a.body);
	a = (struct httpd_answer){ .status = 200, .body = STRBUF_INIT };
	metadata_serve(m, &r, &a);
}

static void gives(const char *path, const char *body)
{
	ask("GET", path, NULL, "");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body.buf, body);
}

static void refuses(const char *method, const char *path, const char *body, unsigned status)
{
	ask(method, path, NULL, body);
	if (a.status != status)
		fail_msg("%s %s '%s' is answered %u", method, path, body, a.status);
	assert_true(a.body.len > 0);
}

#define V1 "/acMetadata/v1/"

static void metadata_tells_of_pod_and_apps(void **state)
{
	(void)state;
	gives(V1 "pod/uuid", UUID);
	gives(V1 "pod/uuid/", UUID);
	gives(V1 "pod/manifest", manifest);
	assert_string_equal(a.type, "application/json");
	gives(V1 "pod/annotations", "[{\"name\":\"p\",\"value\":\"v\"}]\n");
	gives(V1 "pod/annotations/", "[{\"name\":\"p\",\"value\":\"v\"}]\n");
	gives(V1 "pod/annotations/p", "v");
	gives(V1 "apps/web/annotations", "[{\"name\":\"a/b\",\"value\":\"1 2\"}]\n");
	gives(V1 "apps/web/annotations/a/b", "1 2");
	gives(V1 "apps/w%65b/annotations/a%2fb", "1 2");
	gives(V1 "apps/bare/annotations", "[]\n");
	gives(V1 "apps/web/image/id", "sha256:00");
	gives(V1 "apps/web/image/manifest",
	      "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"x/y\",\"labels\":["
	      "{\"name\":\"os\",\"value\":\"linux\"},{\"name\":\"arch\",\"value\":\"amd64\"}],"
	      "\"app\":{\"exec\":[\"z\"]}}\n");
	ask("HEAD", V1 "pod/uuid", NULL, "");
	assert_int_equal(a.status, 200);
}

static void metadata_knows_nothing_else(void **state)
{
	static const char *const paths[] = {
		"/",
		"/acMetadata/v1",
		V1,
		V1 "pod",
		V1 "pod/uuids",
		V1 "pod/uuid/x",
		V1 "pod/annotations/q",
		V1 "pod/annotations/p%00",
		V1 "pod/annotations/%zz",
		V1 "apps",
		V1 "apps/",
		V1 "apps/web",
		V1 "apps/none/annotations",
		V1 "apps/web/image",
		V1 "apps/bare/image/id",
		V1 "apps/web/image/id/x",
		V1 "apps/%/annotations",
		"/acMetadata/v2/pod/uuid",
	};

	(void)state;
	for (size_t i = 0; i < nitems(paths); i++)
		refuses("GET", paths[i], "", 404);
	refuses("DELETE", V1 "pod/uuid", "", 405);
	assert_string_equal(a.allow, "GET, HEAD");
	refuses("GET", V1 "pod/hmac/sign", "", 405);
	assert_string_equal(a.allow, "POST");
}

static void metadata_wants_its_header(void **state)
{
	struct httpd_request r = { .method = "GET", .path = V1 "pod/uuid", .body = "" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		sb_free(&a.body);
		a = (struct httpd_answer){ .status = 200, .body = STRBUF_INIT };
		metadata_serve(m, &r, &a);
		assert_int_equal(a.status, 403);
		r.flavor = "Google";
	}
}

static void signatures_are_of_pod_and_content(void **state)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	char sig[METADATA_BASE64_LEN], form[400];

	(void)state;
	ask("POST", V1 "pod/hmac/sign", "application/x-www-form-urlencoded; charset=utf-8",
	    "content=a%00b+c&x=y");
	assert_int_equal(a.status, 200);
	/* python3: base64.b64encode(hmac.new(key, UUID + b"a\0b c", "sha512").digest()) */
	assert_string_equal(a.body.buf, "NXSWQYQi8s5PMi6erW8+fPsRQz6VgakjloUtirc9dRaF"
					"n97qzoQ8G8RBYPQxDM6UjrQyNcD8uLjSqiL5r3iNLg==");
	snprintf(sig, sizeof(sig), "%s", a.body.buf);
	for (const char *p = sig; *p; p++)
		sb_addf(&b, "%%%02x", *p);
	snprintf(form, sizeof(form), "signature=%s&uuid=" UUID "&content=a%%00b%%20c", b.buf);
	ask("POST", V1 "pod/hmac/verify", NULL, form);
	assert_int_equal(a.status, 200);
	snprintf(form, sizeof(form), "signature=%s&uuid=" UUID "&content=a%%00b%%20d", b.buf);
	refuses("POST", V1 "pod/hmac/verify", form, 403);
	snprintf(form, sizeof(form), "signature=%s&uuid=" OTHER "&content=a%%00b%%20c", b.buf);
	refuses("POST", V1 "pod/hmac/verify", form, 403);
	snprintf(form, sizeof(form), "signature=%sA&uuid=" UUID "&content=a%%00b%%20c", b.buf);
	refuses("POST", V1 "pod/hmac/verify", form, 403);
	refuses("POST", V1 "pod/hmac/verify", "signature=&uuid=" UUID "&content=", 403);
}

static void forms_are_strict(void **state)
{
	(void)state;
	refuses("POST", V1 "pod/hmac/sign", "", 400);
	refuses("POST", V1 "pod/hmac/sign", "contents=a", 400);
	refuses("POST", V1 "pod/hmac/sign", "content=a&content=a", 400);
	refuses("POST", V1 "pod/hmac/sign", "content=%", 400);
	refuses("POST", V1 "pod/hmac/sign", "content=%1", 400);
	refuses("POST", V1 "pod/hmac/sign", "content=%1g", 400);
	refuses("POST", V1 "pod/hmac/verify", "content=a&uuid=" UUID, 400);
	refuses("POST", V1 "pod/hmac/verify", "content=a&uuid=x&signature=y", 400);
	refuses("POST", V1 "pod/hmac/verify", "content=a&uuid=%00&signature=y", 400);
	ask("POST", V1 "pod/hmac/sign", "text/plain", "content=a");
	assert_int_equal(a.status, 415);
	ask("POST", V1 "pod/hmac/sign", NULL, "&&content=&");
	assert_int_equal(a.status, 200);
}

static void key_is_made_once_and_guarded(void **state)
{
	char dir[] = "/tmp/vpod-key.XXXXXX", path[64];
	uint8_t k1[METADATA_KEY_LEN], k2[METADATA_KEY_LEN];
	struct stat st;
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/hmac.key", dir);
	assert_int_equal(metadata_key(dir, k1, &e), 0);
	assert_int_equal(metadata_key(dir, k2, &e), 0);
	assert_memory_equal(k1, k2, sizeof(k1));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(metadata_key(dir, k2, &e), -1);
	assert_non_null(strstr(e.msg, "others may read it"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(metadata_key(dir, k2, &e), -1);
	assert_non_null(strstr(e.msg, "64 bytes"));
	unlink(path);
	rmdir(dir);
	assert_int_equal(metadata_key(dir, k2, &e), -1);
}

static int set_up(void **state)
{
	struct err e;

	(void)state;
	m = metadata_new(UUID, manifest, sizeof(manifest) - 1, key, &e);
	return m ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	metadata_free(m);
	sb_free(&a.body);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_tells_of_pod_and_apps),
		cmocka_unit_test(metadata_knows_nothing_else),
		cmocka_unit_test(metadata_wants_its_header),
		cmocka_unit_test(signatures_are_of_pod_and_content),
		cmocka_unit_test(forms_are_strict),
		cmocka_unit_test(key_is_made_once_and_guarded),
	};

	return cmocka_run_group_tests_name("metadata", tests, set_up, tear_down);
}
