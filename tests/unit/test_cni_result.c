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
#include <sys/socket.h>

#include "base/cleanup.h"
#include "stage0/net/result.h"

static struct err e;

static int parse(const char *text, enum cni_version want, struct cni_result *r)
{
	return cni_result_parse(text, strlen(text), want, r, &e);
}

static void is_cidr(const struct cidr *c, const char *text)
{
	char buf[CIDR_TEXT_MAX];

	assert_string_equal(cidr_text(c, buf), text);
}

static void result_of_1_1_is_read(void **state)
{
	static const char text[] =
		"{\"cniVersion\":\"1.1.0\",\"interfaces\":["
		"{\"name\":\"veth1\",\"mac\":\"02:00:00:00:00:01\"},"
		"{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:02\",\"sandbox\":\"/run/netns/x\","
		"\"mtu\":1400,\"socketPath\":\"/s\",\"pciID\":\"0000:01:00.0\"}],"
		"\"ips\":[{\"address\":\"10.1.2.3/24\",\"gateway\":\"10.1.2.1\",\"interface\":1},"
		"{\"address\":\"fd00::2/64\",\"interface\":1}],"
		"\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"fd01::/48\",\"gw\":\"fd00::1\","
		"\"mtu\":1300,\"advmss\":1200,\"priority\":4294967295,\"table\":254,\"scope\":0}],"
		"\"dns\":{\"nameservers\":[\"9.9.9.9\",\"fd00::53\"],\"domain\":\"example.org\","
		"\"search\":[\"a.org\",\"b.org\"],\"options\":[\"ndots:2\"]},\"more\":7}";
	cleanup_cni_result struct cni_result r = { 0 };

	(void)state;
	assert_int_equal(parse(text, CNI_1_1_0, &r), 0);
	assert_string_equal(r.json, text);
	assert_int_equal(r.nr_interfaces, 2);
	assert_string_equal(r.interfaces[0].sandbox, "");
	assert_int_equal(r.interfaces[0].mtu, 0);
	assert_null(r.interfaces[0].socket_path);
	assert_ptr_equal(cni_result_inner(&r, "eth0"), &r.interfaces[1]);
	assert_null(cni_result_inner(&r, "veth1"));
	assert_true(r.interfaces[1].has_mac && r.interfaces[1].mac[5] == 2);
	assert_int_equal(r.interfaces[1].mtu, 1400);
	assert_string_equal(r.interfaces[1].pci_id, "0000:01:00.0");
	assert_int_equal(r.nr_ips, 2);
	is_cidr(&r.ips[0].addr, "10.1.2.3/24");
	is_cidr(&r.ips[0].gateway, "10.1.2.1/32");
	assert_int_equal(r.ips[1].gateway.family, 0);
	assert_int_equal(r.ips[1].interface, 1);
	assert_int_equal(r.nr_routes, 2);
	assert_int_equal(r.routes[0].gw.family, 0);
	assert_int_equal(r.routes[0].scope, -1);
	assert_int_equal(r.routes[1].scope, 0);
	assert_int_equal(r.routes[1].mtu, 1300);
	assert_int_equal(r.routes[1].advmss, 1200);
	assert_true(r.routes[1].priority == UINT32_MAX);
	assert_int_equal(r.routes[1].table, 254);
	assert_string_equal(r.dns.nameservers.v[1], "fd00::53");
	assert_string_equal(r.dns.domain, "example.org");
	assert_int_equal(r.dns.search.nr_v, 2);
	assert_string_equal(r.dns.options.v[0], "ndots:2");
}

static void empty_result_is_one(void **state)
{
	cleanup_cni_result struct cni_result r = { 0 };

	(void)state;
	assert_int_equal(parse("{\"interfaces\":null,\"ips\":[],\"dns\":{}}", CNI_1_0_0, &r), 0);
	assert_int_equal(r.nr_interfaces + r.nr_ips + r.nr_routes, 0);
	assert_string_equal(r.json,
			    "{\"interfaces\":null,\"ips\":[],\"dns\":{},\"cniVersion\":\"1.0.0\"}");
}

static void old_form_becomes_new(void **state)
{
	static const char text[] =
		"{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.0.0.2/16\",\"gateway\":\"10.0.0.1\","
		"\"routes\":[{\"dst\":\"0.0.0.0/0\"}]},\"ip6\":{\"ip\":\"fd00::2/64\"}}";
	cleanup_cni_result struct cni_result r = { 0 };

	(void)state;
	assert_int_equal(parse(text, CNI_0_3_1, &r), 0);
	assert_int_equal(r.nr_ips, 2);
	is_cidr(&r.ips[0].addr, "10.0.0.2/16");
	assert_int_equal(r.ips[0].interface, -1);
	assert_int_equal(r.nr_routes, 1);
	assert_string_equal(
		r.json,
		"{\"ips\":[{\"address\":\"10.0.0.2/16\",\"gateway\":\"10.0.0.1\",\"version\":\"4\"},"
		"{\"address\":\"fd00::2/64\",\"version\":\"6\"}],\"routes\":[{\"dst\":\"0.0.0.0/0\"}],"
		"\"cniVersion\":\"0.3.1\"}");
}

/* Found by fuzz_cni_result: what had become new could not be read again. */
static void null_of_the_old_form_is_nothing(void **state)
{
	static const char *const texts[] = {
		"{\"ip6\":null}",
		"{\"ip4\":{\"ip\":\"10.0.0.2/16\"},\"ip6\":null,\"ips\":null,\"routes\":null}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < nitems(texts); i++) {
		cleanup_cni_result struct cni_result r = { 0 }, again = { 0 };

		assert_int_equal(parse(texts[i], CNI_1_0_0, &r), 0);
		assert_int_equal(r.nr_ips, i);
		assert_int_equal(parse(r.json, CNI_1_0_0, &again), 0);
		assert_int_equal(again.nr_ips, i);
	}
}

static void versions_of_addresses_come_and_go(void **state)
{
	static const char old[] =
		"{\"cniVersion\":\"0.4.0\",\"ips\":[{\"version\":\"4\",\"address\":\"10.0.0.2/16\"}]}";
	static const char new[] =
		"{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.0.0.2/16\"}]}";
	cleanup_cni_result struct cni_result r = { 0 }, s = { 0 };

	(void)state;
	assert_int_equal(parse(old, CNI_1_0_0, &r), 0);
	assert_string_equal(r.json,
			    "{\"ips\":[{\"address\":\"10.0.0.2/16\"}],\"cniVersion\":\"1.0.0\"}");
	assert_int_equal(parse(new, CNI_0_4_0, &s), 0);
	assert_non_null(strstr(s.json, "\"version\":\"4\""));
}

static void refuses(const char *text, const char *why)
{
	struct cni_result r;

	if (parse(text, CNI_1_0_0, &r) != -1)
		fail_msg("took %s", text);
	if (!strstr(e.msg, why))
		fail_msg("%s: it says: %s", text, e.msg);
	assert_null(r.json);
	assert_int_equal(r.nr_interfaces, 0);
}

#define IF "\"interfaces\":[{\"name\":\"a\"},{\"name\":\"b\"}]"
#define IP(x) "{\"ips\":[{" x "}]}"
#define ROUTE(x) "{\"routes\":[{" x "}]}"
#define DNS(x) "{\"dns\":{" x "}}"

static void lies_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "", "at byte 0" },
		{ "7", "not a JSON object" },
		{ "{\"cniVersion\":7}", "cniVersion" },
		{ "{\"cniVersion\":\"3.0.0\"}", "3.0.0" },
		{ "{\"interfaces\":{}}", "not an array" },
		{ "{\"interfaces\":[7]}", "interfaces[0] is not an object" },
		{ "{\"interfaces\":[{}]}", "no name of an interface" },
		{ "{\"interfaces\":[{\"name\":\"a/b\"}]}", "no name of an interface" },
		{ "{\"interfaces\":[{\"name\":\"a b\"}]}", "no name of an interface" },
		{ "{\"interfaces\":[{\"name\":\"..\"}]}", "no name of an interface" },
		{ "{\"interfaces\":[{\"name\":\"0123456789abcdef\"}]}", "no name of an interface" },
		{ "{\"interfaces\":[{\"name\":\"a\",\"mac\":\"02:00\"}]}", "no Ethernet address" },
		{ "{\"interfaces\":[{\"name\":\"a\",\"mtu\":-1}]}", "mtu" },
		{ "{\"interfaces\":[{\"name\":\"a\",\"mtu\":1e300}]}", "mtu" },
		{ "{\"interfaces\":[{\"name\":\"a\",\"mtu\":2147483648}]}", "mtu" },
		{ "{\"interfaces\":[{\"name\":\"a\",\"sandbox\":\"a\\nb\"}]}", "control byte" },
		{ "{\"interfaces\":[{\"name\":\"a\",\"sandbox\":7}]}", "sandbox" },
		{ IP(""), "\"address\" is missing" },
		{ IP("\"address\":\"10.0.0.1\""), "no address with a prefix" },
		{ IP("\"address\":\"10.0.0.1/33\""), "no address with a prefix" },
		{ IP("\"address\":\"0.0.0.0/0\""), "none that a host can have" },
		{ IP("\"address\":\"224.0.0.1/24\""), "none that a host can have" },
		{ IP("\"address\":\"ff02::1/64\""), "none that a host can have" },
		{ IP("\"address\":\"10.0.0.1/8\",\"gateway\":\"fd00::1\""), "another family" },
		{ IP("\"address\":\"10.0.0.1/8\",\"gateway\":\"x\""), "no address" },
		{ IP("\"address\":\"10.0.0.1/8\",\"gateway\":\"0.0.0.0\""), "none that a host" },
		{ IP("\"address\":\"10.0.0.1/8\",\"interface\":0"), "0 of 0 interfaces" },
		{ IP("\"address\":\"10.0.0.1/8\",\"version\":\"6\""), "of another address" },
		{ "{" IF ",\"ips\":[{\"address\":\"10.0.0.1/8\",\"interface\":2}]}", "2 of 2" },
		{ "{" IF ",\"ips\":[{\"address\":\"10.0.0.1/8\",\"interface\":-1}]}", "whole" },
		{ "{" IF ",\"ips\":[{\"address\":\"10.0.0.1/8\",\"interface\":0.5}]}", "whole" },
		{ ROUTE(""), "\"dst\" is missing" },
		{ ROUTE("\"dst\":\"default\""), "no address with a prefix" },
		{ ROUTE("\"dst\":\"0.0.0.0/0\",\"gw\":\"fd00::1\""), "another family" },
		{ ROUTE("\"dst\":\"0.0.0.0/0\",\"gw\":\"224.0.0.1\""), "none that a host" },
		{ ROUTE("\"dst\":\"0.0.0.0/0\",\"scope\":256"), "over 255" },
		{ ROUTE("\"dst\":\"0.0.0.0/0\",\"priority\":4294967296"), "over 4294967295" },
		{ DNS("\"nameservers\":[\"one\"]"), "no address" },
		{ DNS("\"nameservers\":\"9.9.9.9\""), "not an array" },
		{ DNS("\"search\":[\"a b\"]"), "a space" },
		{ DNS("\"search\":[\"a\\noptions evil\"]"), "control byte" },
		{ DNS("\"options\":[\"\"]"), "is empty" },
		{ DNS("\"domain\":\"a\\tb\""), "control byte" },
		{ DNS("\"domain\":\"a b\""), "a space" },
		{ "{\"dns\":[]}", "not an object" },
		{ "{\"ip4\":{\"ip\":\"10.0.0.1\"}}", "no address with a prefix" },
		{ "{\"ip4\":{\"ip\":\"10.0.0.1/8\"},\"ips\":[]}", "mixes" },
		{ "{\"ip4\":7}", "not an object" },
		{ "{\"ip4\":{\"ip\":\"10.0.0.1/8\",\"routes\":[7]}}", "not an object" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < nitems(bad); i++)
		refuses(bad[i][0], bad[i][1]);
}

static void too_much_is_refused(void **state)
{
	static const char *const lists[][2] = {
		{ "{\"interfaces\":[", "{\"name\":\"a\"}" },
		{ "{\"ips\":[", "{\"address\":\"10.0.0.1/8\"}" },
		{ "{\"routes\":[", "{\"dst\":\"10.0.0.0/8\"}" },
		{ "{\"dns\":{\"search\":[", "\"a\"" },
	};
	cleanup_sb struct strbuf b = STRBUF_INIT;
	struct cni_result r;
	size_t i, n;

	(void)state;
	for (i = 0; i < nitems(lists); i++) {
		sb_reset(&b);
		sb_adds(&b, lists[i][0]);
		for (n = 0; n < CNI_MAX_ITEMS; n++)
			sb_addf(&b, "%s%s", n ? "," : "", lists[i][1]);
		sb_adds(&b, i == 3 ? "]}}" : "]}");
		assert_int_equal(parse(b.buf, CNI_1_0_0, &r), 0);
		cni_result_free(&r);
		b.len -= i == 3 ? 3 : 2;
		sb_addf(&b, ",%s%s", lists[i][1], i == 3 ? "]}}" : "]}");
		refuses(b.buf, "over 64");
	}
	sb_reset(&b);
	sb_reserve(&b, CNI_MAX_RESULT + 1);
	memset(b.buf, ' ', CNI_MAX_RESULT + 1);
	b.len = CNI_MAX_RESULT + 1;
	b.buf[b.len] = '\0';
	refuses(b.buf, "larger than 1 MiB");
}

static void errors_are_told_from_results(void **state)
{
	struct cni_error err;
	const char *text = "{\"cniVersion\":\"1.0.0\",\"code\":7,\"msg\":\"m\",\"details\":\"d\"}";

	(void)state;
	assert_true(cni_error_parse(text, strlen(text), &err));
	assert_int_equal(err.code, 7);
	assert_string_equal(err.msg, "m");
	assert_string_equal(err.details, "d");
	assert_true(cni_error_parse("{\"code\":1,\"msg\":7}", 18, &err));
	assert_string_equal(err.msg, "");
	assert_false(cni_error_parse("{\"code\":0}", 10, &err));
	assert_false(cni_error_parse("{\"code\":\"1\"}", 12, &err));
	assert_false(cni_error_parse("[7]", 3, &err));
	assert_false(cni_error_parse("", 0, &err));
	assert_false(cni_error_parse("garbage", 7, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(result_of_1_1_is_read),
		cmocka_unit_test(empty_result_is_one),
		cmocka_unit_test(old_form_becomes_new),
		cmocka_unit_test(null_of_the_old_form_is_nothing),
		cmocka_unit_test(versions_of_addresses_come_and_go),
		cmocka_unit_test(lies_are_refused),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(errors_are_told_from_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
