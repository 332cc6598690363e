/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <sys/socket.h>

#include "base/cidr.h"

static void parses_and_prints_both_families(void **state)
{
	static const char *const good[][2] = {
		{ "10.1.2.3/24", "10.1.2.3/24" },
		{ "10.1.2.3", "10.1.2.3/32" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "FD00::0:1/64", "fd00::1/64" },
		{ "::", "::/128" },
		{ "::ffff:1.2.3.4/96", "::ffff:1.2.3.4/96" },
	};
	char buf[CIDR_TEXT_MAX];
	struct cidr c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(cidr_parse(good[i][0], &c), 0);
		assert_string_equal(cidr_text(&c, buf), good[i][1]);
	}
}

static void refuses_what_is_no_address(void **state)
{
	static const char *const bad[] = {
		"",
		"/",
		"10.1.2",
		"10.1.2.3/33",
		"10.1.2.3/",
		"10.1.2.3/-1",
		"::1/129",
		"fe80::1%lo",
		"10.1.2.3/24/",
		"10.1.2.256",
		"010.1.2.3",
		"10.1.2.3/2x",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/64",
	};
	struct cidr c = { .prefix = 77 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cidr_parse(bad[i], &c), -1);
	assert_int_equal(c.prefix, 77);
	assert_int_equal(cidr_parse_addr("10.0.0.1/8", &c), -1);
}

static struct cidr net(const char *s)
{
	struct cidr c;

	assert_int_equal(cidr_parse(s, &c), 0);
	return c;
}

static void knows_what_lies_in_a_network(void **state)
{
	struct cidr ten = net("10.1.2.3/8"), six = net("fd00::/64"), all = net("0.0.0.0/0");
	struct cidr in = net("10.200.0.0/16"), out = net("11.0.0.1"), wide = net("10.0.0.0/7");
	struct cidr in6 = net("fd00::1:2"), out6 = net("fd00:0:0:1::"), v6 = net("::/0");
	char buf[CIDR_TEXT_MAX];

	(void)state;
	assert_true(cidr_contains(&ten, &in));
	assert_false(cidr_contains(&ten, &out));
	assert_false(cidr_contains(&ten, &wide));
	assert_true(cidr_contains(&six, &in6));
	assert_false(cidr_contains(&six, &out6));
	assert_true(cidr_contains(&all, &out));
	assert_false(cidr_contains(&all, &in6));
	assert_false(cidr_contains(&v6, &in));
	ten = cidr_network(&ten);
	assert_string_equal(cidr_text(&ten, buf), "10.0.0.0/8");
}

static void parses_and_prints_macs(void **state)
{
	uint8_t mac[6] = { 0 };
	char buf[18];

	(void)state;
	assert_int_equal(mac_parse("02:aB:00:ff:10:9e", mac), 0);
	assert_string_equal(mac_text(mac, buf), "02:ab:00:ff:10:9e");
	assert_int_equal(mac_parse("02:ab:00:ff:10", mac), -1);
	assert_int_equal(mac_parse("02:ab:00:ff:10:9", mac), -1);
	assert_int_equal(mac_parse("02:ab:00:ff:10:9g", mac), -1);
	assert_int_equal(mac_parse("02-ab-00-ff-10-9e", mac), -1);
	assert_int_equal(mac_parse("02:ab:00:ff:10:9e0", mac), -1);
	assert_string_equal(mac_text(mac, buf), "02:ab:00:ff:10:9e");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_and_prints_both_families),
		cmocka_unit_test(refuses_what_is_no_address),
		cmocka_unit_test(knows_what_lies_in_a_network),
		cmocka_unit_test(parses_and_prints_macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
