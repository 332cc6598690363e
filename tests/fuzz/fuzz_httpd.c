/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata service from bytes to bytes.  However the input is cut, the answer is the same, is
 * one, and is bounded.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stage0/metadata.h"

static const char manifest[] =
	"{\"apps\":[{\"name\":\"web\",\"image\":{\"name\":\"x\",\"id\":\"sha256:00\"},\"app\":{},"
	"\"annotations\":[{\"name\":\"a\",\"value\":\"1\"}]}],\"annotations\":[]}";

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void run(struct httpd *h, struct metadata *m, const uint8_t *data, size_t size, size_t step)
{
	httpd_init(h, metadata_serve, m);
	for (size_t at = 0; at < size; at += step) {
		httpd_feed(h, data + at, step < size - at ? step : size - at);
		check(h->in.len <= HTTPD_HEAD_MAX + HTTPD_BODY_MAX);
	}
	httpd_eof(h);
	check(h->state == HTTPD_DONE);
}

/* Behind a 100 Continue, which depends on the cuts. */
static const char * final(const struct httpd *h)
{
	const char *p = h->out.buf;

	return strncmp(p, "HTTP/1.1 100", 12) ? p : p + 25;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[METADATA_KEY_LEN];
	static struct metadata *m;
	struct httpd a, b;
	struct err e;

	if (!m)
		m = metadata_new("0b4f1f2e-3c5d-4e6f-8a9b-0c1d2e3f4a5b", manifest,
				 sizeof(manifest) - 1, key, &e);
	check(m != NULL);
	run(&a, m, data, size, size ? size : 1);
	run(&b, m, data, size, 7);
	check(!strcmp(final(&a), final(&b)));
	check(!size || a.out.len > 0);
	if (a.out.len) {
		check(!strncmp(final(&a), "HTTP/1.1 ", 9) && strstr(final(&a), "\r\n\r\n"));
		check(a.out.len < 4096);
	}
	httpd_free(&a);
	httpd_free(&b);
	return 0;
}
