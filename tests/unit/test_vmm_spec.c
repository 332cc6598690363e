/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's description: what disks, balloon and entropy device may be told, and what not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/spec.h"

static int parse(struct vmm_spec *s, const char *lines, struct err *e)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "vpod-vmm 1\nkernel fd=3\n%s\n", lines);

	return spec_parse(s, text, (size_t)n, e);
}

static void disks_have_parts_and_limits(void **state)
{
	struct vmm_spec s;
	struct err e;

	(void)state;
	assert_int_equal(
		parse(&s,
		      "machine io=threads\n"
		      "disk serial=a bytes=1000 bytes-burst=2000 ops=30 ops-burst=40 fd=4\n"
		      "disk serial=b readonly=on path=/a%20b path=/c",
		      &e),
		0);
	assert_int_equal(s.io, SPEC_IO_THREADS);
	assert_int_equal(s.nr_disks, 2);
	assert_int_equal(s.disks[0].limit.bytes, 1000);
	assert_int_equal(s.disks[0].limit.bytes_burst, 2000);
	assert_int_equal(s.disks[0].limit.ops, 30);
	assert_int_equal(s.disks[0].limit.ops_burst, 40);
	assert_int_equal(s.disks[1].nr_parts, 2);
	assert_string_equal(s.disks[1].parts[0].path, "/a b");
	spec_free(&s);
}

static void balloon_and_entropy_have_defaults(void **state)
{
	struct vmm_spec s;
	struct err e;

	(void)state;
	assert_int_equal(parse(&s, "balloon\nrng", &e), 0);
	assert_true(s.has_balloon && s.balloon.has_stats && s.balloon.has_reporting && s.has_rng);
	assert_int_equal(s.balloon.target + s.rng.bytes, 0);
	spec_free(&s);
	assert_int_equal(parse(&s, "balloon target=4096 stats=off reporting=off\nrng bytes=7", &e),
			 0);
	assert_false(s.balloon.has_stats || s.balloon.has_reporting);
	assert_int_equal(s.balloon.target, 4096);
	assert_int_equal(s.rng.bytes, 7);
	spec_free(&s);
}

static void nics_are_taps_or_streams(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0xab };
	struct vmm_spec s;
	struct err e;

	(void)state;
	assert_int_equal(parse(&s,
			       "net tap=tap0\nnet fd=4 mac=02:00:00:00:00:aB mtu=1400\n"
			       "net kind=tap fd=5 vhost-fd=6\n"
			       "net kind=stream fd=7 mtu=65535 rx-bytes=9\nnet kind=stream path=/p",
			       &e),
			 0);
	assert_int_equal(s.nr_nics, 5);
	assert_string_equal(s.nics[0].file.path, "tap0");
	assert_int_equal(s.nics[0].file.how, SPEC_TAP);
	assert_int_equal(s.nics[1].file.number, 4);
	assert_true(s.nics[1].has_mac && !s.nics[1].is_stream && s.nics[1].mtu == 1400);
	assert_memory_equal(s.nics[1].mac, mac, 6);
	assert_int_equal(s.nics[2].vhost.number, 6);
	assert_true(s.nics[3].is_stream && s.nics[3].file.number == 7);
	assert_int_equal(s.nics[3].rx.bytes, 9);
	assert_string_equal(s.nics[4].file.path, "/p");
	assert_int_equal(s.nics[4].file.how, SPEC_CONNECT);
	spec_free(&s);
}

static void wrong_values_are_named(void **state)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{ "machine io=aio", "io is auto, uring or threads, not aio" },
		{ "disk serial=a", "no path= and no fd=" },
		{ "disk serial=a fd=4 fd=5", "readonly=on" },
		{ "disk serial=123456789012345678901 fd=4", "too long: serial" },
		{ "disk serial=a fd=4 bytes=0", "not a number in range: bytes" },
		{ "disk serial=a fd=4 ops=-1", "not a number in range: ops" },
		{ "disk serial=a fd=4 iops=1", "unknown key iops" },
		{ "balloon target=x", "not a number in range: target" },
		{ "balloon stats=yes", "neither on nor off: stats" },
		{ "balloon size=1", "unknown key size" },
		{ "rng rate=1", "unknown key rate" },
		{ "net mtu=1500", "no path= and no fd=" },
		{ "net kind=stream", "no path= and no fd=" },
		{ "net kind=stream tap=tap0", "tap= and kind=stream" },
		{ "net kind=tun fd=4", "kind is tap or stream, not tun" },
		{ "net kind=stream fd=4 vhost=on", "vhost and a limit or a stream" },
		{ "net fd=4 vhost=on rx-ops=1", "vhost and a limit or a stream" },
		{ "net fd=4 mac=03:00:00:00:00:01", "not the address of one station: mac 03" },
		{ "net fd=4 mac=2:0:0:0:0:1", "not the address of one station: mac 2:" },
		{ "net fd=4 mtu=67", "not a number in range: mtu" },
	};
	struct vmm_spec s;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < nitems(cases); i++) {
		assert_int_equal(parse(&s, cases[i].line, &e), -1);
		assert_non_null(strstr(e.msg, "line 3"));
		if (!strstr(e.msg, cases[i].why))
			fail_msg("'%s' gave '%s'", cases[i].line, e.msg);
		spec_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disks_have_parts_and_limits),
		cmocka_unit_test(balloon_and_entropy_have_defaults),
		cmocka_unit_test(nics_are_taps_or_streams),
		cmocka_unit_test(wrong_values_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
