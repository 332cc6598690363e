/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded HTTP server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "stage0/httpd.h"

static struct httpd h;
static unsigned nr_served;

/* Tells what was asked. */
static void echo(void *ctx, const struct httpd_request *r, struct httpd_answer *a)
{
	(void)ctx;
	nr_served++;
	sb_addf(&a->body, "%s %s [%s] [%s] ", r->method, r->path, r->flavor ? r->flavor : "",
		r->content_type ? r->content_type : "");
	sb_add(&a->body, r->body, r->body_len);
}

/* Feeds @text in pieces of @step bytes. */
static void ask(const char *text, size_t len, size_t step)
{
	httpd_free(&h);
	httpd_init(&h, echo, NULL);
	nr_served = 0;
	for (size_t at = 0; at < len; at += step)
		httpd_feed(&h, text + at, step < len - at ? step : len - at);
}

static void says(const char *request, const char *body)
{
	static const size_t steps[] = { 1, 2, 3, 7, 100000 };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		ask(request, strlen(request), steps[i]);
		assert_int_equal(h.state, HTTPD_DONE);
		assert_int_equal(nr_served, 1);
		assert_memory_equal(h.out.buf, "HTTP/1.1 200 OK\r\n", 17);
		assert_non_null(strstr(h.out.buf, "Connection: close\r\n"));
		assert_string_equal(strstr(h.out.buf, "\r\n\r\n") + 4, body);
	}
}

static void refuses(const char *request, const char *status)
{
	ask(request, strlen(request), 5);
	if (h.state != HTTPD_DONE || strncmp(h.out.buf, "HTTP/1.1 ", 9) ||
	    strncmp(h.out.buf + 9, status, 3) || nr_served)
		fail_msg("'%.60s' is answered '%.60s'", request, h.out.buf);
	/* nothing after it counts */
	httpd_feed(&h, "GET / HTTP/1.0\r\n\r\n", 18);
	assert_int_equal(nr_served, 0);
}

static void httpd_serves_one_request(void **state)
{
	(void)state;
	says("GET /a/b?q=1 HTTP/1.1\r\nHost: x\r\nmetadata-flavor: \t AppContainer \r\nX:\r\n\r\n",
	     "GET /a/b [AppContainer] [] ");
	says("GET / HTTP/1.0\r\n\r\nGET /second HTTP/1.0\r\n\r\n", "GET / [] [] ");
	says("POST /p HTTP/1.1\r\nHost:\r\nContent-Type: t; a=b\r\nContent-Length: 5\r\n\r\na\r\n=bc",
	     "POST /p [] [t; a=b] a\r\n=b");
	says("HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n", "");
	assert_non_null(strstr(h.out.buf, "Content-Length: 14\r\n"));
}

static void httpd_refuses_what_is_malformed(void **state)
{
	static const char *const bad[] = {
		"\r\n\r\n",
		"GET\r\n\r\n",
		"GET /\r\n\r\n",
		"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
		" GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET x HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nnocolon\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: \x01\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nMetadata-Flavor: a\r\nMetadata-Flavor: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\na",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\na",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i], "400");
	ask("GET /\0x HTTP/1.0\r\n\r\n", 20, 20);
	assert_memory_equal(h.out.buf, "HTTP/1.1 400", 12);
	refuses("GET / HTTP/2.0\r\n\r\n", "505");
	refuses("GET / HTTP/1.1 \r\nHost: x\r\n\r\n", "505");
	refuses("POST / HTTP/1.0\r\n\r\n", "411");
	refuses("POST / HTTP/1.0\r\nContent-Length: 65537\r\n\r\n", "413");
	refuses("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "501");
	refuses("GET / HTTP/1.0\r\nExpect: wonders\r\n\r\n", "417");
}

static void httpd_bounds_the_head(void **state)
{
	static char text[HTTPD_HEAD_MAX + 100];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "GET /", 5);
	refuses(text, "431");
	/* one that is just as long as it may be */
	memcpy(text, "GET / HTTP/1.0\r\nX:", 18);
	memcpy(text + HTTPD_HEAD_MAX - 4, "\r\n\r\n", 5);
	says(text, "GET / [] [] ");
	memcpy(text + HTTPD_HEAD_MAX - 4, "xxxx\r\n\r\n", 9);
	refuses(text, "431");
}

static void httpd_takes_the_longest_body(void **state)
{
	static const char head[] = "POST / HTTP/1.0\r\nContent-Length: 65536\r\n\r\n";
	static char text[HTTPD_BODY_MAX + 10000];

	(void)state;
	memset(text, 'b', sizeof(text));
	memcpy(text, head, sizeof(head) - 1);
	for (size_t step = 1000; step <= sizeof(text); step *= 2) {
		ask(text, sizeof(text), step);
		assert_int_equal(nr_served, 1);
		assert_int_equal(h.out.len -
					 (size_t)(strstr(h.out.buf, "\r\n\r\n") + 4 - h.out.buf),
				 strlen("POST / [] [] ") + HTTPD_BODY_MAX);
	}
}

static void httpd_gives_leave_to_go_on(void **state)
{
	static const char head[] =
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";

	(void)state;
	ask(head, sizeof(head) - 1, 10);
	assert_string_equal(h.out.buf, "HTTP/1.1 100 Continue\r\n\r\n");
	sb_reset(&h.out);
	httpd_feed(&h, "a", 1);
	assert_memory_equal(h.out.buf, "HTTP/1.1 200", 12);
}

static void httpd_end_of_input(void **state)
{
	(void)state;
	ask("", 0, 1);
	httpd_eof(&h);
	assert_true(h.state == HTTPD_DONE && h.out.len == 0);
	ask("GET / HT", 8, 8);
	httpd_eof(&h);
	assert_memory_equal(h.out.buf, "HTTP/1.1 400", 12);
	ask("GET / HTTP/1.0\r\n\r\n", 18, 18);
	httpd_eof(&h);
	assert_memory_equal(h.out.buf, "HTTP/1.1 200", 12);
	httpd_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(httpd_serves_one_request),
		cmocka_unit_test(httpd_refuses_what_is_malformed),
		cmocka_unit_test(httpd_bounds_the_head),
		cmocka_unit_test(httpd_takes_the_longest_body),
		cmocka_unit_test(httpd_gives_leave_to_go_on),
		cmocka_unit_test(httpd_end_of_input),
	};

	httpd_init(&h, echo, NULL);
	return cmocka_run_group_tests_name("httpd", tests, NULL, NULL);
}
