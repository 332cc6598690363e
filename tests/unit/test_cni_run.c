/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins are tests/tools/cni_plugin.c under the names one, two and three. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/num.h"
#include "stage0/config.h"
#include "stage0/net/cni.h"

#define SECOND 1000000000ull

static char tmp[] = "/tmp/test_cni_run.XXXXXX";
static char plugins[64], records[64];
static struct strv paths;
static struct err e;

static int setup(void **state)
{
	static const char *const names[] = { "one", "two", "three" };
	cleanup_free char *dir = fs_exe_dir();
	cleanup_free char *program = xasprintf("%s/../tools/cni_plugin", dir);
	size_t i;

	(void)state;
	if (!mkdtemp(tmp))
		return -1;
	snprintf(plugins, sizeof(plugins), "%s/plugins", tmp);
	snprintf(records, sizeof(records), "%s/records", tmp);
	if (fs_mkdir_p(plugins, 0755, &e) < 0 || fs_mkdir_p(records, 0755, &e) < 0)
		return -1;
	for (i = 0; i < nitems(names); i++) {
		cleanup_free char *link = fs_join(plugins, names[i]);

		if (symlink(program, link) < 0)
			return -1;
	}
	strv_add(&paths, "/nonexistent");
	strv_add(&paths, plugins);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strv_free(&paths);
	return fs_remove_tree(AT_FDCWD, tmp, &e);
}

static int fresh(void **state)
{
	(void)state;
	return fs_remove_tree(AT_FDCWD, records, &e) < 0 ? -1 : fs_mkdir_p(records, 0755, &e);
}

static struct cni_args attachment(void)
{
	return (struct cni_args){
		.container_id = "pod-1",
		.netns = "/run/netns/pod-1",
		.ifname = "eth0",
		.args = "IP=10.0.0.9",
		.paths = &paths,
		.timeout_ns = 60 * SECOND,
	};
}

/* A list of version @v whose plugins have these keys besides their type and where they record. */
static void make_list(struct cni_list *l, const char *v, const char *one, const char *two,
		      const char *three)
{
	const char *const types[] = { "one", "two", "three" };
	const char *const keys[] = { one, two, three };
	cleanup_sb struct strbuf b = STRBUF_INIT;
	size_t i;

	sb_addf(&b, "{\"cniVersion\":\"%s\",\"name\":\"net1\",\"plugins\":[", v);
	for (i = 0; i < nitems(keys) && keys[i]; i++)
		sb_addf(&b, "%s{\"type\":\"%s\",\"record\":\"%s\"%s%s}", i ? "," : "", types[i],
			records, keys[i][0] ? "," : "", keys[i]);
	sb_adds(&b, "]}");
	assert_int_equal(cni_list_parse(b.buf, b.len, "list", l, &e), 0);
}

/* What run @n was given, or "" when there was none of that name. */
static char *recorded(const char *name)
{
	cleanup_free char *path = fs_join(records, name);
	cleanup_sb struct strbuf b = STRBUF_INIT;

	return fs_read(AT_FDCWD, path, 4 << 20, &b, &e) < 0 ? xstrdup("") : sb_take(&b);
}

static void assert_says(const char *name, const char *part)
{
	cleanup_free char *text = recorded(name);

	if (!strstr(text, part))
		fail_msg("%s lacks %s: %s", name, part, text);
}

static void assert_lacks(const char *name, const char *part)
{
	cleanup_free char *text = recorded(name);

	if (!text[0] || strstr(text, part))
		fail_msg("%s has %s: %s", name, part, text);
}

static void assert_told(const char *part)
{
	if (!strstr(e.msg, part))
		fail_msg("it says: %s", e.msg);
}

static void results_are_handed_along_the_chain(void **state)
{
	cleanup_cni_list struct cni_list l = { 0 };
	cleanup_cni_result struct cni_result r = { 0 };
	struct cni_args a = attachment();

	(void)state;
	make_list(&l, "1.0.0",
		  "\"result\":{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.0.0.9/24\"}]}",
		  "\"x\":1", "");
	assert_int_equal(cni_add(&l, &a, &r, &e), 0);
	assert_int_equal(r.nr_ips, 1);
	assert_int_equal(a.nr_runs, 3);
	assert_true(a.plugin_ns > 0);
	assert_lacks("01-one-ADD", "prevResult");
	assert_says("02-two-ADD", "\"prevResult\":{\"cniVersion\":\"1.0.0\",\"ips\":[{");
	assert_says("03-three-ADD", "\"prevResult\":{\"cniVersion\":\"1.0.0\",\"ips\":[{");
	assert_says("03-three-ADD", "group own\n");
	assert_says("03-three-ADD", "fd 0 file\nfd 1 pipe\nfd 2 pipe\ngroup");

	assert_int_equal(cni_check(&l, &a, r.json, &e), 0);
	assert_says("04-one-CHECK", "10.0.0.9/24");
	assert_int_equal(cni_del(&l, &a, r.json, &e), 0);
	assert_says("07-three-DEL", "10.0.0.9/24");
	assert_says("08-two-DEL", "10.0.0.9/24");
	assert_says("09-one-DEL", "10.0.0.9/24");
	assert_says("09-one-DEL", "env CNI_NETNS=/run/netns/pod-1\n");
}

static void del_without_a_result_or_netns_runs(void **state)
{
	cleanup_cni_list struct cni_list l = { 0 };
	struct cni_args a = attachment();

	(void)state;
	make_list(&l, "1.0.0", "", NULL, NULL);
	a.netns = NULL;
	assert_int_equal(cni_del(&l, &a, NULL, &e), 0);
	assert_says("01-one-DEL", "env CNI_NETNS=\n");
	assert_lacks("01-one-DEL", "prevResult");
	assert_int_equal(cni_check(&l, &a, NULL, &e), 1);
}

static void old_networks_get_no_later_commands(void **state)
{
	cleanup_cni_list struct cni_list l = { 0 }, m = { 0 };
	struct cni_args a = attachment();

	(void)state;
	make_list(&l, "0.2.0", "", NULL, NULL);
	assert_int_equal(cni_check(&l, &a, "{}", &e), 1);
	assert_int_equal(cni_status(&l, &a, &e), 1);
	assert_int_equal(cni_gc(&l, &a, NULL, 0, &e), 1);
	assert_int_equal(a.nr_runs, 0);
	assert_int_equal(cni_del(&l, &a, "{}", &e), 0);
	assert_says("01-one-DEL", "\"cniVersion\":\"0.3.1\"");
	assert_lacks("01-one-DEL", "prevResult");
	make_list(&m, "1.1.0", "", NULL, NULL);
	m.disable_check = m.disable_gc = true;
	assert_int_equal(cni_check(&m, &a, "{}", &e), 1);
	assert_int_equal(cni_gc(&m, &a, NULL, 0, &e), 1);
}

static void gc_names_the_valid_ones(void **state)
{
	static const struct cni_attachment valid[] = { { "pod-1", "eth0" }, { "pod-2", "eth1" } };
	cleanup_cni_list struct cni_list l = { 0 };
	struct cni_args a = attachment();

	(void)state;
	make_list(&l, "1.1.0", "\"on\":\"GC\",\"status\":1", "", NULL);
	assert_int_equal(cni_gc(&l, &a, valid, 2, &e), -1); /* and goes on */
	assert_told("cannot clean up network net1: plugin one: exit status 1");
	assert_says("02-two-GC", "\"cni.dev/valid-attachments\":[{\"containerID\":\"pod-1\","
				 "\"ifname\":\"eth0\"},{\"containerID\":\"pod-2\"");
	assert_lacks("02-two-GC", "CNI_CONTAINERID");
	assert_int_equal(cni_gc(&l, &a, NULL, 0, &e), -1);
	assert_says("04-two-GC", "\"cni.dev/valid-attachments\":[]");
	assert_int_equal(cni_status(&l, &a, &e), 0);
	assert_lacks("05-one-STATUS", "CNI_IFNAME");
}

static void capabilities_reach_those_that_take_them(void **state)
{
	cleanup_json cJSON *caps = cJSON_CreateObject();
	cleanup_cni_list struct cni_list l = { 0 };
	cleanup_cni_result struct cni_result r = { 0 };
	struct cni_port port = { "tcp", NULL, 8080, 80 };
	struct cni_args a = attachment();

	(void)state;
	cni_caps_add_port(caps, &port);
	a.capabilities = caps;
	make_list(&l, "0.4.0", "\"capabilities\":{\"mac\":true}",
		  "\"capabilities\":{\"portMappings\":true}", NULL);
	assert_int_equal(cni_add(&l, &a, &r, &e), 0);
	assert_lacks("01-one-ADD", "runtimeConfig");
	assert_lacks("02-two-ADD", "capabilities");
	assert_says("02-two-ADD", "\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":8080");
}

static void all_are_deleted_and_the_first_failure_is_told(void **state)
{
	cleanup_cni_list struct cni_list l = { 0 };
	struct cni_args a = attachment();

	(void)state;
	make_list(&l, "1.0.0", "\"text\":\"{\\\"code\\\":5,\\\"msg\\\":\\\"one\\\"}\",\"status\":1",
		  "\"text\":\"{\\\"code\\\":11,\\\"msg\\\":\\\"later\\\"}\",\"status\":1", "");
	assert_int_equal(cni_del(&l, &a, NULL, &e), -1);
	assert_string_equal(e.msg, "cannot remove network net1: plugin two: later");
	assert_int_equal(a.code, CNI_E_AGAIN);
	assert_int_equal(a.nr_runs, 3);
	assert_says("03-one-DEL", "CNI_COMMAND=DEL");
}

static int add_with(const char *keys, struct cni_args *a)
{
	cleanup_cni_list struct cni_list l = { 0 };
	struct cni_result r;
	int rc;

	make_list(&l, "1.0.0", "\"result\":{\"cniVersion\":\"1.0.0\"}", keys, NULL);
	rc = cni_add(&l, a, &r, &e);
	if (rc < 0)
		assert_null(r.json);
	cni_result_free(&r);
	return rc;
}

static void failures_say_what_the_plugin_said(void **state)
{
	static const char *const bad[][2] = {
		{ "\"text\":\"{\\\"code\\\":7,\\\"msg\\\":\\\"m\\\",\\\"details\\\":\\\"d\\\"}\","
		  "\"status\":1",
		  "cannot add network net1: plugin two: m: d" },
		{ "\"text\":\"{\\\"code\\\":7,\\\"msg\\\":\\\"m\\\"}\"", "plugin two: m" },
		{ "\"text\":\"{\\\"code\\\":7}\"", "plugin two: error 7" },
		{ "\"text\":\"garbage\",\"status\":3", "plugin two: exit status 3" },
		{ "\"text\":\"\",\"status\":1,\"complain\":\"line one\\n\\u001b[31mtwo\\n\"",
		  "plugin two: exit status 1 (it wrote: line one; \\x1b[31mtwo)" },
		{ "\"text\":\"\"", "plugin two: cannot parse the result" },
		{ "\"text\":\"garbage\"", "plugin two: cannot parse the result" },
		{ "\"text\":\"{} {}\"", "plugin two: cannot parse the result" },
		{ "\"text\":\"{\\\"ips\\\":[{\\\"address\\\":\\\"10.0.0.1/8\\\",\\\"interface\\\":3}]}\"",
		  "cannot use the result: ips[0]: \"interface\" is 3 of 0 interfaces" },
		{ "\"mode\":\"killed\"", "plugin two: it was killed by signal 9" },
		{ "\"mode\":\"flood\"", "plugin two: it printed over 1048576 bytes" },
	};
	struct cni_args a = attachment();
	size_t i;

	(void)state;
	for (i = 0; i < nitems(bad); i++) {
		if (add_with(bad[i][0], &a) != -1)
			fail_msg("took %s", bad[i][0]);
		assert_told(bad[i][1]);
	}
	assert_int_equal(add_with("\"mode\":\"flood-errors\"", &a), 0);
}

static void code_is_of_the_latest_call(void **state)
{
	struct cni_args a = attachment();

	(void)state;
	assert_int_equal(add_with("\"text\":\"{\\\"code\\\":7}\"", &a), -1);
	assert_int_equal(a.code, CNI_E_CONFIG);
	assert_int_equal(add_with("\"text\":\"\",\"status\":1", &a), -1);
	assert_int_equal(a.code, 0);
}

static void versions_are_asked_for_when_one_is_refused(void **state)
{
	cleanup_strv struct strv v = { 0 };
	struct cni_args a = attachment();

	(void)state;
	assert_int_equal(add_with("\"text\":\"{\\\"code\\\":1,\\\"msg\\\":\\\"v\\\"}\"", &a), -1);
	assert_string_equal(e.hint, "network net1 is of CNI version 1.0.0; plugin two speaks "
				    "0.3.1, 0.4.0, 1.0.0, 1.1.0");
	assert_int_equal(a.code, CNI_E_VERSION);
	assert_int_equal(cni_plugin_versions("one", &a, &v, &e), 0);
	assert_int_equal(v.nr_v, 4);
}

/* The process whose number the plugin recorded; a pidfd cannot mean another one. */
static int open_left(void)
{
	cleanup_free char *text = recorded("pid");
	uint64_t pid;

	text[strcspn(text, "\n")] = '\0';
	if (num_parse_u64(text, 2, INT32_MAX, &pid) < 0)
		return -1;
	return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

static void assert_gone(void)
{
	cleanup_close int fd = open_left();
	struct pollfd p = { .fd = fd, .events = POLLIN };

	/* no such process, or one that ends now that its parent is gone */
	if (fd >= 0)
		assert_int_equal(poll(&p, 1, 10000), 1);
}

static void hanging_plugin_is_killed_with_its_group(void **state)
{
	struct cni_args a = attachment();
	uint64_t began = now_ns();

	(void)state;
	a.timeout_ns = SECOND / 5;
	assert_int_equal(add_with("\"mode\":\"hang-group\"", &a), -1);
	assert_told("plugin two: it did not end in 200 ms, and was killed");
	assert_int_equal(e.num, ETIMEDOUT);
	assert_true(now_ns() - began < 30 * SECOND);
	assert_gone();
}

static void what_a_plugin_leaves_cannot_hold_us(void **state)
{
	struct cni_args a = attachment();
	uint64_t began = now_ns();

	(void)state;
	assert_int_equal(add_with("\"mode\":\"leave-child\"", &a), 0);
	assert_says("pid", "\n");
	assert_true(now_ns() - began < 30 * SECOND);
	assert_gone();
}

static void daemon_may_stay(void **state)
{
	struct cni_args a = attachment();
	cleanup_close int fd = -1;
	struct pollfd p;

	(void)state;
	assert_int_equal(add_with("\"mode\":\"leave-daemon\"", &a), 0);
	fd = open_left();
	assert_true(fd >= 0);
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0), 0);
}

static void call_can_be_cancelled(void **state)
{
	struct cni_args a = attachment();
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	a.cancel_fd = p[0];
	assert_int_equal(add_with("\"mode\":\"hang\"", &a), -1);
	assert_int_equal(e.num, ECANCELED);
	close(p[0]);
	close(p[1]);
}

static void environment_is_as_specified_and_no_more(void **state)
{
	cleanup_free char *want = NULL;
	cleanup_cni_list struct cni_list l = { 0 };
	cleanup_cni_result struct cni_result r = { 0 };
	struct cni_args a = attachment();

	(void)state;
	setenv("SECRET", "x", 1);
	setenv("PATH", "/usr/bin:/bin", 1);
	make_list(&l, "1.0.0", "", NULL, NULL);
	assert_int_equal(cni_add(&l, &a, &r, &e), 0);
	want = xasprintf("env CNI_COMMAND=ADD\nenv CNI_CONTAINERID=pod-1\n"
			 "env CNI_NETNS=/run/netns/pod-1\nenv CNI_IFNAME=eth0\n"
			 "env CNI_ARGS=IP=10.0.0.9\nenv CNI_PATH=/nonexistent:%s\n"
			 "env PATH=/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin\nfd 0",
			 plugins);
	assert_says("01-one-ADD", want);
}

static void bad_arguments_run_nothing(void **state)
{
	static const char *const bad_args[] = { "IP", "=x", ";", "A=1;;B=2", "A=1\nB=2", "A=1;B" };
	static const char *const good_args[] = { "", "A=", "A=1", "A=1;", "A=1;B=2=3", "A=x y" };
	static const char *const bad_names[] = {
		"", ".", "..", "a/b", "a b", "a:b", "0123456789abcdef"
	};
	struct cni_args a;
	size_t i;

	(void)state;
	for (i = 0; i < nitems(bad_args); i++)
		assert_false(cni_args_are_valid(bad_args[i]));
	for (i = 0; i < nitems(good_args); i++)
		assert_true(cni_args_are_valid(good_args[i]));
	a = attachment();
	a.args = "IP=1;CNI";
	assert_int_equal(add_with("", &a), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	for (i = 0; i < nitems(bad_names); i++) {
		a = attachment();
		a.ifname = bad_names[i];
		assert_int_equal(add_with("", &a), -1);
		assert_int_equal(a.nr_runs, 0);
	}
	a = attachment();
	a.container_id = "../x";
	assert_int_equal(add_with("", &a), -1);
	assert_int_equal(a.nr_runs, 0);
}

static void plugins_are_looked_for_in_order(void **state)
{
	cleanup_strv struct strv p = { 0 };
	char system_config[] = "/usr/lib/vpod";
	struct config cfg = { .system_config = system_config };
	char *path;

	(void)state;
	assert_int_equal(cni_plugin_paths(&cfg, "/a:/b", &p, &e), 0);
	assert_string_equal(p.v[0], "/a");
	assert_string_equal(p.v[1], "/b");
	assert_string_equal(p.v[2], "/usr/lib/cni");
	assert_string_equal(p.v[3], "/opt/cni/bin");
	assert_string_equal(p.v[5], "/usr/lib/vpod/plugins/net");
	assert_int_equal(cni_plugin_paths(&cfg, "relative", &p, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	path = cni_plugin_find("one", &paths, &e);
	assert_non_null(strstr(path, "/plugins/one"));
	free(path);
	assert_null(cni_plugin_find("four", &paths, &e));
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_null(cni_plugin_find("../plugins/one", &paths, &e));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, fresh)
	const struct CMUnitTest tests[] = {
		TEST(results_are_handed_along_the_chain),
		TEST(del_without_a_result_or_netns_runs),
		TEST(old_networks_get_no_later_commands),
		TEST(gc_names_the_valid_ones),
		TEST(capabilities_reach_those_that_take_them),
		TEST(all_are_deleted_and_the_first_failure_is_told),
		TEST(failures_say_what_the_plugin_said),
		TEST(code_is_of_the_latest_call),
		TEST(versions_are_asked_for_when_one_is_refused),
		TEST(hanging_plugin_is_killed_with_its_group),
		TEST(what_a_plugin_leaves_cannot_hold_us),
		TEST(daemon_may_stay),
		TEST(call_can_be_cancelled),
		TEST(environment_is_as_specified_and_no_more),
		TEST(bad_arguments_run_nothing),
		TEST(plugins_are_looked_for_in_order),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
