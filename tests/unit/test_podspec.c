/* SPDX-License-Identifier: Apache-2.0 */
/* The pod spec as vpod-init reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "guest-init/pod.h"
#include "guest-init/podspec.h"

static struct pod pod;
static char text[PODSPEC_MAX];
static struct err e;

/* Writes records of @lines ("key value" each; LF between) and parses them. */
static int parse(const char *lines)
{
	size_t len = (size_t)snprintf(text, sizeof(text), "vpod-spec 1\n1\n");

	while (*lines) {
		size_t n = strcspn(lines, "\n"), key = strcspn(lines, " ");

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s %zu\n%.*s\n",
					(int)key, lines, n - key - 1, (int)(n - key - 1),
					lines + key + 1);
		lines += n + (lines[n] == '\n');
	}
	memset(&pod, 0, sizeof(pod));
	return podspec_parse(&pod, text, len, &e);
}

static int parse_raw(const char *raw)
{
	size_t len = strlen(raw);

	memcpy(text, raw, len + 1);
	memset(&pod, 0, sizeof(pod));
	return podspec_parse(&pod, text, len, &e);
}

static void refuses(const char *lines, const char *why)
{
	assert_int_equal(parse(lines), -1);
	if (!strstr(e.msg, why))
		fail_msg("'%s' does not say '%s'", e.msg, why);
	assert_int_equal(pod.nr_apps, 0);
}

#define APP "app a\nrootfs d\nexec true\n"

static void podspec_reads_every_key(void **state)
{
	const struct app *a = &pod.apps[0];

	(void)state;
	assert_int_equal(
		parse("hostname h\nscratch disk s0\nvolume v 1777 1 2\nvolume w 0755 0 0\n"
		      "debug 1\napp a\nrootfs d\nreadonly 1\nexec sh\nexec -c\nenv A=1\nexec x y\n"
		      "env B=\ncwd /c\nuser www\ngroup 5\ngid 6\ngid 7\nmount v /v ro\n"
		      "copyup w /w\nrlimit nofile 1 2\nrlimit core 0 unlimited\nmemory 9\ncpu 500\n"
		      "stopsignal 2\nstdin 1\ntty 24 80\ncaps 21\nnopaths 1\n"
		      "app b\nrootfs e\nexec y\ngid 8"),
		0);
	assert_int_equal(pod.nr_apps, 2);
	assert_string_equal(pod.hostname, "h");
	assert_string_equal(pod.scratch_disk, "s0");
	assert_true(pod.is_debug);
	assert_int_equal(pod.volumes[0].mode, 01777);
	assert_int_equal(pod.volumes[0].gid, 2);
	assert_string_equal(a->argv[2], "x y");
	assert_null(a->argv[3]);
	assert_string_equal(a->env[1], "B=");
	assert_null(a->env[2]);
	assert_string_equal(a->cwd, "/c");
	assert_string_equal(a->user, "www");
	assert_string_equal(a->group, "5");
	assert_int_equal(a->nr_gids, 2);
	assert_int_equal(a->gids[1], 7);
	assert_ptr_equal(a->mounts[0].volume, &pod.volumes[0]);
	assert_true(a->mounts[0].is_readonly && !a->mounts[0].copies_up);
	assert_true(!a->mounts[1].is_readonly && a->mounts[1].copies_up);
	assert_int_equal(a->rlimits[0].resource, RLIMIT_NOFILE);
	assert_true(a->rlimits[1].limit.rlim_max == RLIM_INFINITY);
	assert_int_equal(a->memory, 9);
	assert_int_equal(a->cpu_milli, 500);
	assert_int_equal(a->stop_signal, 2);
	assert_int_equal(a->rows, 24);
	assert_int_equal(a->cols, 80);
	assert_int_equal(a->caps, 0x21);
	assert_true(a->is_readonly && a->has_stdin && a->has_tty && a->has_nopaths);
	assert_string_equal(pod.apps[1].argv[0], "y");
	assert_null(pod.apps[1].env[0]);
	assert_int_equal(pod.apps[1].gids[0], 8);
}

#define NIC "nic eth0 02:00:00:00:00:01 1500\n"

static void podspec_reads_networks(void **state)
{
	const struct nic_route *r = pod.routes;
	char buf[CIDR_TEXT_MAX];

	(void)state;
	assert_int_equal(
		parse(NIC
		      "nic net1.5 0a:00:00:00:00:FF 0\naddr eth0 10.1.2.3/24\n"
		      "addr net1.5 fd00::2/64 noprefixroute\nroute eth0 0.0.0.0/0 10.1.2.1\n"
		      "route net1.5 10.9.0.0/16 - src 10.1.2.3 scope 253 table 1000 priority 7 "
		      "advmss 1300 mtu 1400\nroute net1.5 ::/0 fe80::1\nresolv \nhosts x y\n" APP),
		0);
	assert_int_equal(pod.nr_nics, 2);
	assert_string_equal(pod.nics[1].name, "net1.5");
	assert_int_equal(pod.nics[1].mac[5], 255);
	assert_int_equal(pod.nics[0].mtu, 1500);
	assert_int_equal(pod.nr_addrs, 2);
	assert_ptr_equal(pod.addrs[1].nic, &pod.nics[1]);
	assert_string_equal(cidr_text(&pod.addrs[1].addr, buf), "fd00::2/64");
	assert_true(pod.addrs[1].no_prefix_route && !pod.addrs[0].no_prefix_route);
	assert_int_equal(pod.nr_routes, 3);
	assert_string_equal(cidr_text_addr(&r[0].gw, buf), "10.1.2.1");
	assert_true(!r[0].has_scope && !r[0].src.family && !r[0].table);
	assert_int_equal(r[1].gw.family, 0);
	assert_string_equal(cidr_text_addr(&r[1].src, buf), "10.1.2.3");
	assert_true(r[1].has_scope && r[1].scope == 253);
	assert_int_equal(r[1].table, 1000);
	assert_int_equal(r[1].priority, 7);
	assert_int_equal(r[1].advmss, 1300);
	assert_int_equal(r[1].mtu, 1400);
	assert_string_equal(pod.resolv, "");
	assert_string_equal(pod.hosts, "x y");
	assert_int_equal(pod.metadata_port, 0);
	assert_int_equal(parse("metadata 18112\n" APP), 0);
	assert_int_equal(pod.metadata_port, 18112);
}

static void podspec_refuses_bad_networks(void **state)
{
	(void)state;
	refuses("nic eth0 02:00:00:00:00:01\n" APP, "nic");
	refuses("nic lo 02:00:00:00:00:01 0\n" APP, "nic");
	refuses("nic all 02:00:00:00:00:01 0\n" APP, "nic");
	refuses("nic vpodnic0 02:00:00:00:00:01 0\n" APP, "nic");
	refuses("nic ../x 02:00:00:00:00:01 0\n" APP, "nic");
	refuses("nic eth0/x 02:00:00:00:00:01 0\n" APP, "nic");
	refuses("nic  02:00:00:00:00:01 0\n" APP, "nic");
	refuses("nic abcdefghijklmnop 02:00:00:00:00:01 0\n" APP, "nic");
	refuses("nic eth0 02:00:00:00:00 0\n" APP, "nic");
	refuses("nic eth0 02:00:00:00:00:01 67\n" APP, "nic");
	refuses("nic eth0 02:00:00:00:00:01 65536\n" APP, "nic");
	refuses(NIC NIC APP, "nic");
	refuses(NIC "nic eth1 02:00:00:00:00:01 0\n" APP, "nic");
	refuses("addr eth0 10.0.0.1/24\n" NIC APP, "unknown nic 'eth0'");
	refuses(NIC "addr eth0 10.0.0.1\n" APP, "addr");
	refuses(NIC "addr eth0 10.0.0.1/33\n" APP, "addr");
	refuses(NIC "addr eth0 10.0.0/24\n" APP, "addr");
	refuses(NIC "addr eth0 10.0.0.1/24 nodad\n" APP, "addr");
	refuses(NIC "addr eth0 10.0.0.1/24 noprefixroute x\n" APP, "addr");
	refuses(NIC "route eth1 0.0.0.0/0 -\n" APP, "unknown nic 'eth1'");
	refuses(NIC "route eth0 default 10.0.0.1\n" APP, "route");
	refuses(NIC "route eth0 0.0.0.0/0\n" APP, "route");
	refuses(NIC "route eth0 10.0.0.1/24 -\n" APP, "route");
	refuses(NIC "route eth0 0.0.0.0/0 ::1\n" APP, "route");
	refuses(NIC "route eth0 0.0.0.0/0 10.0.0.1/24\n" APP, "route");
	refuses(NIC "route eth0 0.0.0.0/0 - src fd00::1\n" APP, "route");
	refuses(NIC "route eth0 0.0.0.0/0 - src\n" APP, "route");
	refuses(NIC "route eth0 0.0.0.0/0 - mtu 1 \n" APP, "route");
	refuses(NIC "route eth0 0.0.0.0/0 - mtu 1400 mtu 1400\n" APP, "route");
	refuses(NIC "route eth0 0.0.0.0/0 - scope 0 scope 0\n" APP, "route");
	refuses(NIC "route eth0 0.0.0.0/0 - scope 255\n" APP, "route");
	refuses(NIC "route eth0 0.0.0.0/0 - table 0\n" APP, "route");
	refuses(NIC "route eth0 0.0.0.0/0 - priority 4294967296\n" APP, "route");
	refuses(NIC "route eth0 0.0.0.0/0 - colour 1\n" APP, "route");
	refuses(NIC "route eth0 0.0.0.0/0 - mtu 1400 advmss 1 priority 1 table 1 scope 0 "
		    "src 10.0.0.1 mtu 1400\n" APP,
		"route");
	refuses(APP NIC, "wrong place");
	refuses("metadata 0\n" APP, "metadata");
	refuses("metadata 65536\n" APP, "metadata");
}

static void podspec_has_defaults(void **state)
{
	const struct app *a = &pod.apps[0];

	(void)state;
	assert_int_equal(parse(APP), 0);
	assert_string_equal(a->cwd, "/");
	assert_null(a->user);
	assert_null(a->group);
	assert_int_equal(a->caps, POD_DEFAULT_CAPS);
	assert_int_equal(a->stop_signal, 15);
	assert_null(pod.scratch_disk);
	assert_int_equal(pod.scratch_bytes, 0);
}

static void podspec_values_hold_any_byte_but_nul(void **state)
{
	(void)state;
	assert_int_equal(
		parse_raw("vpod-spec 1\n1\napp 1\na\nrootfs 1\nd\nexec 9\nx\ny \"'\xff\t=\n"
			  "exec 0\n\n"),
		0);
	assert_string_equal(pod.apps[0].argv[0], "x\ny \"'\xff\t=");
	assert_string_equal(pod.apps[0].argv[1], "");
}

static void podspec_refuses_broken_records(void **state)
{
	static const char *const bad[] = {
		"",
		"vpod-spec 1\n2\n",
		"nonsense 1\n1\n",
		"vpod-spec 1\n1\napp 5\na\n",
		"vpod-spec 1\n1\napp -1\na\n",
		"vpod-spec 1\n1\napp 99999999999999999999\na\n",
		"vpod-spec 1\n1\napp 1\nab",
		"vpod-spec 1\n1\napp\n",
		"vpod-spec 1\n1\napp 1",
		"vpod-spec 1\n1\n\n",
		"vpod-spec 1\n1\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse_raw(bad[i]) == 0)
			fail_msg("'%s' was accepted", bad[i]);
	}
}

static void podspec_refuses_nul(void **state)
{
	static const char raw[] = "vpod-spec 1\n1\napp 3\na\0b\n";

	(void)state;
	memcpy(text, raw, sizeof(raw));
	assert_int_equal(podspec_parse(&pod, text, sizeof(raw) - 1, &e), -1);
}

static void podspec_refuses_bad_values(void **state)
{
	(void)state;
	refuses("colour red\n" APP, "unknown key 'colour'");
	refuses("rootfs d\n", "wrong place");
	refuses(APP "hostname h\n", "wrong place");
	refuses("app a\nexec x\n", "no rootfs");
	refuses("app a\nrootfs d\n", "no exec");
	refuses("app a\nrootfs d\nexec \n", "exec");
	refuses("app a/b\n", "bad value of app");
	refuses("app ..\n", "bad value of app");
	refuses("app a,b\n", "bad value of app");
	refuses(APP "app a\n", "two apps are called a");
	refuses("volume v 9 0 0\n", "volume");
	refuses("volume v 0755 0\n", "volume");
	refuses("volume v 0755 0 4294967295\n", "volume");
	refuses("volume v 0755 0 0\nvolume v 0755 0 0\n", "volume");
	refuses("volume ../v 0755 0 0\n", "volume");
	refuses("scratch floppy x\n", "scratch");
	refuses("scratch tmpfs x\n", "scratch");
	refuses("hostname \n", "hostname");
	refuses(APP "mount v /v\n", "unknown volume 'v'");
	refuses("volume v 0755 0 0\n" APP "mount v v\n", "mount");
	refuses("volume v 0755 0 0\n" APP "mount v /v rw\n", "mount");
	refuses(APP "env NOVALUE\n", "env");
	refuses(APP "env =x\n", "env");
	refuses(APP "cwd tmp\n", "cwd");
	refuses(APP "gid -1\n", "gid");
	refuses(APP "rlimit nofile 2 1\n", "rlimit");
	refuses(APP "rlimit files 1 1\n", "rlimit");
	refuses(APP "memory 0\n", "memory");
	refuses(APP "cpu 0\n", "cpu");
	refuses(APP "stopsignal 65\n", "stopsignal");
	refuses(APP "tty 24\n", "tty");
	refuses(APP "tty 24 65536\n", "tty");
	refuses(APP "caps 12345678901234567\n", "caps");
	refuses(APP "caps 0x1\n", "caps");
	refuses(APP "stdin yes\n", "stdin");
}

static void podspec_refuses_too_many(void **state)
{
	struct strbuf b = STRBUF_INIT;

	(void)state;
	for (unsigned i = 0; i < PROTO_MAX_APPS; i++)
		sb_addf(&b, "app a%u\nrootfs d\nexec x\n", i);
	assert_int_equal(parse(b.buf), 0);
	sb_adds(&b, "app z\nrootfs d\nexec x\n");
	refuses(b.buf, "too many of app");
	sb_reset(&b);
	sb_adds(&b, "app a\nrootfs d\n");
	for (unsigned i = 0; i < POD_MAX_WORDS; i++)
		sb_adds(&b, "exec x\n");
	refuses(b.buf, "too many of exec");
	sb_reset(&b);
	sb_adds(&b, APP);
	for (unsigned i = 0; i < POD_MAX_GIDS + 1; i++)
		sb_adds(&b, "gid 1\n");
	refuses(b.buf, "too many of gid");
	sb_reset(&b);
	for (unsigned i = 0; i < POD_MAX_NICS + 1; i++)
		sb_addf(&b, "nic eth%u 02:00:00:00:00:%02x 0\n", i, i);
	refuses(b.buf, "too many of nic");
	sb_reset(&b);
	sb_adds(&b, NIC);
	for (unsigned i = 0; i < POD_MAX_ADDRS + 1; i++)
		sb_adds(&b, "addr eth0 10.0.0.1/8\n");
	refuses(b.buf, "too many of addr");
	sb_reset(&b);
	sb_adds(&b, NIC);
	for (unsigned i = 0; i < POD_MAX_ROUTES + 1; i++)
		sb_adds(&b, "route eth0 10.0.0.0/8 -\n");
	refuses(b.buf, "too many of route");
	sb_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(podspec_reads_every_key),
		cmocka_unit_test(podspec_reads_networks),
		cmocka_unit_test(podspec_refuses_bad_networks),
		cmocka_unit_test(podspec_has_defaults),
		cmocka_unit_test(podspec_values_hold_any_byte_but_nul),
		cmocka_unit_test(podspec_refuses_broken_records),
		cmocka_unit_test(podspec_refuses_nul),
		cmocka_unit_test(podspec_refuses_bad_values),
		cmocka_unit_test(podspec_refuses_too_many),
	};

	return cmocka_run_group_tests_name("podspec", tests, NULL, NULL);
}
