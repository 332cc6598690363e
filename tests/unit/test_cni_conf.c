/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "stage0/config.h"
#include "stage0/net/conf.h"
#include "stage0/net/execconf.h"
#include "stage0/net/cni.h"

static struct err e;

static int parse(const char *text, struct cni_list *l)
{
	return cni_list_parse(text, strlen(text), "x.conf", l, &e);
}

static void single_configuration_becomes_a_list(void **state)
{
	cleanup_cni_list struct cni_list l = { 0 };

	(void)state;
	assert_int_equal(parse("{\"name\":\"n\",\"type\":\"ptp\",\"ipMasq\":true}", &l), 0);
	assert_string_equal(l.name, "n");
	assert_int_equal(l.version, CNI_0_3_1);
	assert_int_equal(l.nr_plugins, 1);
	assert_string_equal(l.plugins[0].type, "ptp");
	assert_true(l.only_inlined);
	assert_int_equal(l.isolation, CNI_ISOLATION_DEFAULT);
}

static void list_is_read(void **state)
{
	cleanup_cni_list struct cni_list l = { 0 };

	(void)state;
	assert_int_equal(parse("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"disableCheck\":\"true\","
			       "\"disableGC\":true,\"vpod.isolation\":\"none\",\"plugins\":["
			       "{\"type\":\"a\"},{\"type\":\"b\",\"capabilities\":"
			       "{\"portMappings\":true,\"mac\":false}}]}",
			       &l),
			 0);
	assert_int_equal(l.version, CNI_1_0_0);
	assert_true(l.disable_check && l.disable_gc && !l.only_inlined);
	assert_int_equal(l.isolation, CNI_ISOLATION_NONE);
	assert_int_equal(l.nr_plugins, 2);
	assert_true(cni_list_takes(&l, "portMappings"));
	assert_false(cni_list_takes(&l, "mac"));
}

static void highest_version_that_we_speak_counts(void **state)
{
	static const struct {
		const char *said;
		enum cni_version is;
	} good[] = {
		{ "", CNI_0_3_1 },
		{ "\"cniVersion\":\"\",", CNI_0_3_1 },
		{ "\"cniVersion\":\"0.1.0\",", CNI_0_3_1 },
		{ "\"cniVersion\":\"0.2.0\",", CNI_0_3_1 },
		{ "\"cniVersion\":\"0.3.0\",", CNI_0_3_1 },
		{ "\"cniVersion\":\"0.4.0\",", CNI_0_4_0 },
		{ "\"cniVersion\":\"1.1.0\",", CNI_1_1_0 },
		{ "\"cniVersion\":\"0.4.0\",\"cniVersions\":[\"1.0.0\",\"0.3.1\"],", CNI_1_0_0 },
		{ "\"cniVersions\":[\"1.0.0\",\"1.1.0\",\"2.0.0\"],", CNI_1_1_0 },
		{ "\"cniVersion\":\"9.9.9\",\"cniVersions\":[\"0.3.1\"],", CNI_0_3_1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < nitems(good); i++) {
		cleanup_cni_list struct cni_list l = { 0 };
		cleanup_free char *text =
			xasprintf("{%s\"name\":\"n\",\"type\":\"ptp\"}", good[i].said);

		assert_int_equal(parse(text, &l), 0);
		assert_int_equal(l.version, good[i].is);
	}
}

static void refuses(const char *text, const char *why)
{
	struct cni_list l;

	if (parse(text, &l) != -1)
		fail_msg("took %s", text);
	if (!strstr(e.msg, why))
		fail_msg("%s: it says: %s", text, e.msg);
	assert_non_null(strstr(e.msg, "x.conf"));
	assert_int_equal(e.kind, ERR_USAGE);
	assert_null(l.name);
}

static void what_is_wrong_is_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "", "at byte 0" },
		{ "[]", "not a JSON object" },
		{ "{}", "has no \"name\"" },
		{ "{\"name\":3}", "\"name\"" },
		{ "{\"name\":\"../x\",\"type\":\"a\"}", "no name of a network" },
		{ "{\"name\":\"-x\",\"type\":\"a\"}", "no name of a network" },
		{ "{\"name\":\"\",\"type\":\"a\"}", "no name of a network" },
		{ "{\"name\":\"n\",\"type\":\"../../bin/sh\"}", "no name of a plugin" },
		{ "{\"name\":\"n\",\"type\":\"/bin/sh\"}", "no name of a plugin" },
		{ "{\"name\":\"n\",\"type\":\"..\"}", "no name of a plugin" },
		{ "{\"name\":\"n\",\"type\":\"\"}", "no name of a plugin" },
		{ "{\"name\":\"n\",\"type\":\"a\\n\"}", "no name of a plugin" },
		{ "{\"name\":\"n\",\"type\":7}", "\"type\"" },
		{ "{\"name\":\"n\",\"plugins\":[]}", "empty" },
		{ "{\"name\":\"n\",\"plugins\":{}}", "not an array" },
		{ "{\"name\":\"n\",\"plugins\":[7]}", "not an object" },
		{ "{\"name\":\"n\",\"plugins\":[{}]}", "no \"type\"" },
		{ "{\"name\":\"n\",\"loadOnlyInlinedPlugins\":true}", "no \"plugins\"" },
		{ "{\"name\":\"n\",\"type\":\"a\",\"disableCheck\":\"maybe\"}", "disableCheck" },
		{ "{\"name\":\"n\",\"type\":\"a\",\"capabilities\":[]}", "capabilities" },
		{ "{\"name\":\"n\",\"type\":\"a\",\"capabilities\":{\"x\":1}}", "\"x\"" },
		{ "{\"name\":\"n\",\"type\":\"a\",\"cniVersion\":\"2.0.0\"}", "\"2.0.0\"" },
		{ "{\"name\":\"n\",\"type\":\"a\",\"cniVersion\":\"1.0\"}", "\"1.0\"" },
		{ "{\"name\":\"n\",\"type\":\"a\",\"cniVersions\":[7]}", "cniVersions" },
		{ "{\"name\":\"n\",\"type\":\"a\",\"vpod.isolaton\":\"none\"}", "vpod.isolaton" },
		{ "{\"name\":\"n\",\"type\":\"a\",\"vpod.isolation\":\"some\"}", "\"some\"" },
		{ "{\"name\":\"n\",\"plugins\":[{\"type\":\"a\",\"vpod.isolation\":\"none\"}]}",
		  "beside" },
		{ "{\"name\":\"n\",\"name\":\"m\",\"type\":\"a\"}", "twice" },
	};
	cleanup_sb struct strbuf many = STRBUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < nitems(bad); i++)
		refuses(bad[i][0], bad[i][1]);
	sb_adds(&many, "{\"name\":\"n\",\"plugins\":[");
	for (i = 0; i <= CNI_MAX_PLUGINS; i++)
		sb_addf(&many, "%s{\"type\":\"a\"}", i ? "," : "");
	sb_adds(&many, "]}");
	refuses(many.buf, "more than 64 plugins");
	sb_reset(&many);
	sb_adds(&many, "{\"name\":\"n\",\"type\":\"a\",\"pad\":\"");
	while (many.len < CNI_MAX_CONF)
		sb_adds(&many, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	sb_adds(&many, "\"}");
	refuses(many.buf, "larger than 1 MiB");
}

/* The record is what DEL runs by: as deep or as large as it gets, it must be read again. */
static void record_is_read_again(void **state)
{
	cleanup_cni_list struct cni_list l = { 0 }, again = { 0 };
	cleanup_sb struct strbuf a = STRBUF_INIT, b = STRBUF_INIT, deep = STRBUF_INIT;
	int i;

	(void)state;
	assert_int_equal(parse("{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"a\","
			       "\"vpod.isolation\":\"none\",\"disableGC\":true}",
			       &l),
			 0);
	assert_int_equal(cni_list_add_ports(&l, &e), 0);
	assert_int_equal(cni_list_add_ports(&l, &e), 0); /* once */
	cni_list_print(&l, &a);
	assert_int_equal(parse(a.buf, &again), 0);
	cni_list_print(&again, &b);
	assert_string_equal(a.buf, b.buf);
	assert_int_equal(again.nr_plugins, 2);
	assert_true(again.only_inlined && again.disable_gc &&
		    cni_list_takes(&again, "portMappings"));
	assert_int_equal(again.isolation, CNI_ISOLATION_NONE);

	sb_adds(&deep, "{\"name\":\"n\",\"type\":\"a\",\"x\":");
	for (i = 0; i < 31; i++)
		sb_adds(&deep, "[");
	for (i = 0; i < 31; i++)
		sb_adds(&deep, "]");
	sb_adds(&deep, "}");
	assert_int_equal(json_scan(deep.buf, deep.len, "", &e), 0);
	refuses(deep.buf, "nested deeper");
}

static void plugin_gets_its_keys_as_written(void **state)
{
	cleanup_cni_list struct cni_list l = { 0 };
	cleanup_sb struct strbuf b = STRBUF_INIT;
	cleanup_json cJSON *caps = cJSON_CreateObject();
	struct execconf x = { .list = &l, .capabilities = caps, .prev = "{\"ips\":[]}" };
	struct cni_port port = { "tcp", NULL, 8080, 80 };

	(void)state;
	assert_int_equal(
		parse("{\"name\":\"n\",\"cniVersion\":\"0.4.0\",\"plugins\":[ { \"type\" : \"a\","
		      " \"big\":18446744073709551615, \"list\" : [1, {\"]\":\"}\\\"\"} ],\n"
		      "\"name\":\"other\",\"cniVersion\":\"9\",\"prevResult\":{},"
		      "\"cni.dev/x\":1,\"capabilities\":{\"portMappings\":true},"
		      "\"runtimeConfig\":{\"old\":1},\"args\":{\"cni\":{}} } ]}",
		      &l),
		0);
	cni_caps_add_port(caps, &port);
	cni_caps_add_string(caps, "aliases", "db");
	x.plugin = &l.plugins[0];
	execconf_print(&x, &b);
	assert_string_equal(b.buf,
			    "{\"cniVersion\":\"0.4.0\",\"name\":\"n\",\"type\":\"a\","
			    "\"big\":18446744073709551615,\"list\":[1, {\"]\":\"}\\\"\"} ],"
			    "\"args\":{\"cni\":{}},\"runtimeConfig\":{\"portMappings\":["
			    "{\"hostPort\":8080,\"containerPort\":80,\"protocol\":\"tcp\"}]},"
			    "\"prevResult\":{\"ips\":[]}}");
}

static void capabilities_have_their_forms(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0xab };
	cleanup_json cJSON *caps = cJSON_CreateObject();
	cleanup_sb struct strbuf b = STRBUF_INIT;
	struct cni_dns dns = { 0 };
	struct cni_bandwidth bw = { .ingress_rate = 10000000000000000000u, .ingress_burst = 1 };
	struct cni_port port = { "udp", "127.0.0.1", 53, 5353 };

	(void)state;
	strv_add(&dns.nameservers, "9.9.9.9");
	strv_add(&dns.search, "example.org");
	cni_caps_add_port(caps, &port);
	cni_caps_set_mac(caps, mac);
	cni_caps_set_dns(caps, &dns);
	cni_caps_set_bandwidth(caps, &bw);
	cni_caps_add_string(caps, "ips", "10.0.0.1/24");
	cni_caps_add_string(caps, "ips", "fd00::1/64");
	json_print(&b, caps, false);
	assert_string_equal(
		b.buf,
		"{\"portMappings\":[{\"hostPort\":53,\"containerPort\":5353,"
		"\"protocol\":\"udp\",\"hostIP\":\"127.0.0.1\"}],\"mac\":\"02:00:00:00:00:ab\","
		"\"dns\":{\"servers\":[\"9.9.9.9\"],\"searches\":[\"example.org\"]},"
		"\"bandwidth\":{\"ingressRate\":10000000000000000000,\"ingressBurst\":1},"
		"\"ips\":[\"10.0.0.1/24\",\"fd00::1/64\"]}");
	strv_free(&dns.nameservers);
	strv_free(&dns.search);
}

/* ---- directories ---- */

static char tmp[] = "/tmp/test_cni_conf.XXXXXX";

static int make_tmp(void **state)
{
	(void)state;
	return mkdtemp(tmp) ? 0 : -1;
}

static int remove_tmp(void **state)
{
	(void)state;
	return fs_remove_tree(AT_FDCWD, tmp, &e);
}

static void put(const char *name, const char *text)
{
	cleanup_free char *path = fs_join(tmp, name), *dir = xstrdup(path);

	*strrchr(dir, '/') = '\0';
	assert_int_equal(fs_mkdir_p(dir, 0755, &e), 0);
	assert_int_equal(fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, &e), 0);
}

static void wipe(void)
{
	assert_int_equal(fs_remove_tree(AT_FDCWD, tmp, &e), 0);
	assert_int_equal(mkdir(tmp, 0755), 0);
}

static int load(struct cni_nets *n)
{
	cleanup_strv struct strv dirs = { 0 };
	cleanup_free char *local = fs_join(tmp, "local"), *sys = fs_join(tmp, "sys");
	struct config cfg = { .local_config = local, .system_config = sys };

	cni_conf_dirs(&cfg, &dirs);
	assert_int_equal(dirs.nr_v, 2);
	return cni_nets_load(&dirs, n, &e);
}

static void built_in_networks_are_rkts(void **state)
{
	cleanup_cni_nets struct cni_nets n = { 0 };
	const struct cni_list *l;

	(void)state;
	wipe();
	assert_int_equal(load(&n), 0);
	assert_int_equal(n.nr, 2);
	l = cni_nets_find(&n, "default", &e);
	assert_non_null(l);
	assert_null(l->source);
	assert_int_equal(l->nr_plugins, 1);
	assert_string_equal(l->plugins[0].type, "ptp");
	assert_non_null(strstr(l->plugins[0].conf, "\"ipMasq\": true"));
	assert_non_null(strstr(l->plugins[0].conf, "172.16.28.0/24"));
	assert_non_null(strstr(l->plugins[0].conf, "0.0.0.0/0"));
	l = cni_nets_find(&n, "default-restricted", &e);
	assert_non_null(strstr(l->plugins[0].conf, "172.31.0.0/16"));
	assert_null(strstr(l->plugins[0].conf, "routes"));
	assert_null(cni_nets_find(&n, "other", &e));
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(e.hint, "default, default-restricted"));
}

static void first_of_a_name_wins(void **state)
{
	cleanup_cni_nets struct cni_nets n = { 0 };
	const struct cni_list *l;

	(void)state;
	wipe();
	put("sys/net.d/10-a.conf", "{\"name\":\"a\",\"type\":\"sys\"}");
	put("sys/net.d/20-b.conf", "{\"name\":\"b\",\"type\":\"sys\"}");
	put("local/net.d/90-a.json", "{\"name\":\"a\",\"type\":\"first\"}");
	put("local/net.d/91-a.conflist", "{\"name\":\"a\",\"plugins\":[{\"type\":\"second\"}]}");
	put("local/net.d/50-default.conf", "{\"name\":\"default\",\"type\":\"bridge\"}");
	put("local/net.d/ignored.txt", "not JSON");
	put("local/net.d/.conf", "not JSON");
	put("local/net.d/dir.conf/x", "not JSON");
	assert_int_equal(load(&n), 0);
	assert_int_equal(n.nr, 4);
	l = cni_nets_find(&n, "a", &e);
	assert_string_equal(l->plugins[0].type, "first");
	assert_non_null(strstr(l->source, "local/net.d/90-a.json"));
	assert_string_equal(cni_nets_find(&n, "b", &e)->plugins[0].type, "sys");
	assert_string_equal(cni_nets_find(&n, "default", &e)->plugins[0].type, "bridge");
}

static void list_takes_plugins_of_its_directory(void **state)
{
	cleanup_cni_nets struct cni_nets n = { 0 };
	const struct cni_list *l;

	(void)state;
	wipe();
	put("local/net.d/a.conflist", "{\"name\":\"a\",\"plugins\":[{\"type\":\"one\"}]}");
	put("local/net.d/a/20.conf", "{\"type\":\"three\",\"name\":\"ignored\"}");
	put("local/net.d/a/10.conf", "{\"type\":\"two\"}");
	put("local/net.d/a/30.json", "not JSON");
	put("local/net.d/b.conflist", "{\"name\":\"b\",\"loadOnlyInlinedPlugins\":true,"
				      "\"plugins\":[{\"type\":\"one\"}]}");
	put("local/net.d/b/10.conf", "{\"type\":\"two\"}");
	put("local/net.d/c.conflist", "{\"name\":\"c\"}");
	put("local/net.d/c/10.conf", "{\"type\":\"two\"}");
	assert_int_equal(load(&n), 0);
	l = cni_nets_find(&n, "a", &e);
	assert_int_equal(l->nr_plugins, 3);
	assert_string_equal(l->plugins[1].type, "two");
	assert_string_equal(l->plugins[2].type, "three");
	assert_int_equal(cni_nets_find(&n, "b", &e)->nr_plugins, 1);
	assert_int_equal(cni_nets_find(&n, "c", &e)->nr_plugins, 1);
}

static void broken_file_is_an_error(void **state)
{
	cleanup_cni_nets struct cni_nets n = { 0 };
	cleanup_free char *fifo = fs_join(tmp, "local/net.d/b.conf");

	(void)state;
	wipe();
	put("local/net.d/a.conf", "{\"name\":\"a\"");
	assert_int_equal(load(&n), -1);
	assert_non_null(strstr(e.msg, "local/net.d/a.conf"));
	assert_int_equal(e.kind, ERR_USAGE);
	wipe();
	put("local/net.d/c.conflist", "{\"name\":\"c\"}");
	assert_int_equal(load(&n), -1);
	assert_non_null(strstr(e.msg, "network c has no plugins"));
	wipe();
	put("local/net.d/a.conf", "{\"name\":\"a\",\"type\":\"x\"}");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(load(&n), -1);
	assert_non_null(strstr(e.msg, "not a regular file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_configuration_becomes_a_list),
		cmocka_unit_test(list_is_read),
		cmocka_unit_test(highest_version_that_we_speak_counts),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(record_is_read_again),
		cmocka_unit_test(plugin_gets_its_keys_as_written),
		cmocka_unit_test(capabilities_have_their_forms),
		cmocka_unit_test(built_in_networks_are_rkts),
		cmocka_unit_test(first_of_a_name_wins),
		cmocka_unit_test(list_takes_plugins_of_its_directory),
		cmocka_unit_test(broken_file_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_tmp, remove_tmp);
}
