/* SPDX-License-Identifier: Apache-2.0 */
/* base/: numbers, strings, options, UUIDs, errors, files, children. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/jail.h"
#include "base/num.h"
#include "base/options.h"
#include "base/spawn.h"
#include "base/uuid.h"

static void sizes_have_docker_and_iso_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = { { "0", 0 },	  { "512", 512 },	   { "1k", 1024 },
		     { "1K", 1000 },	  { "1Ki", 1024 },	   { "64M", 64000000 },
		     { "64m", 64 << 20 }, { "1.5Gi", 1610612736 }, { "2GB", 2000000000 } };
	static const char *const bad[] = { "",	   "-1", "1X", "1 M",  "M",
					   "1..5", "1.", "+1", "0x10", "9999999999999T",
					   "1e3" };
	struct err e;
	uint64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < nitems(good); i++) {
		assert_int_equal(num_parse_size(good[i].text, &v, &e), 0);
		assert_int_equal(v, good[i].bytes);
	}
	for (i = 0; i < nitems(bad); i++)
		assert_int_equal(num_parse_size(bad[i], &v, &e), -1);
}

static void durations_add_up(void **state)
{
	static const char *const bad[] = { "", "s", "1x", "1h30", "-1s", "1s ", "99999999999999d" };
	struct err e;
	uint64_t v;
	size_t i;

	(void)state;
	assert_int_equal(num_parse_duration("90", &v, &e), 0);
	assert_int_equal(v, 90000000000);
	assert_int_equal(num_parse_duration("1h30m", &v, &e), 0);
	assert_int_equal(v, 5400000000000);
	assert_int_equal(num_parse_duration("1.5s", &v, &e), 0);
	assert_int_equal(v, 1500000000);
	assert_int_equal(num_parse_duration("500ms", &v, &e), 0);
	assert_int_equal(v, 500000000);
	for (i = 0; i < nitems(bad); i++)
		assert_int_equal(num_parse_duration(bad[i], &v, &e), -1);
}

static void cpus_are_thousandths(void **state)
{
	struct err e;
	uint64_t v;

	(void)state;
	assert_int_equal(num_parse_cpus("2", &v, &e), 0);
	assert_int_equal(v, 2000);
	assert_int_equal(num_parse_cpus("0.5", &v, &e), 0);
	assert_int_equal(v, 500);
	assert_int_equal(num_parse_cpus("250m", &v, &e), 0);
	assert_int_equal(v, 250);
	assert_int_equal(num_parse_cpus("0", &v, &e), -1);
	assert_int_equal(num_parse_cpus("0m", &v, &e), -1);
	assert_int_equal(num_parse_cpus("two", &v, &e), -1);
}

static void printable_text_cannot_drive_a_terminal(void **state)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	static const char in[] = "a\033[2J\r\n\x7f\xc2\x9b"
				 "1m\xc3\xa9\xff";

	(void)state;
	sb_add_printable(&b, in, sizeof(in) - 1);
	assert_string_equal(b.buf, "a\\x1b[2J\\x0d\\x0a\\x7f\\xc2\\x9b"
				   "1m\xc3\xa9\\xff");
}

static void json_text_is_escaped(void **state)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	(void)state;
	sb_add_json(&b, "a\"\\\n\001\xff");
	assert_string_equal(b.buf, "\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\"");
}

static void shell_words_survive(void **state)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	(void)state;
	sb_add_shell(&b, "plain-1.0");
	sb_addc(&b, ' ');
	sb_add_shell(&b, "it's");
	sb_addc(&b, ' ');
	sb_add_shell(&b, "");
	assert_string_equal(b.buf, "plain-1.0 'it'\\''s' ''");
}

struct args {
	bool flag, other;
	const char *name;
	struct strv list;
	uint64_t size;
};

#define A(f) offsetof(struct args, f)
static const struct opt opts[] = {
	{ "flag", 'f', OPT_BOOL, A(flag), NULL, NULL, "a flag", NULL },
	{ "other", 'o', OPT_BOOL, A(other), NULL, NULL, "another", NULL },
	{ "name", 'n', OPT_STR, A(name), "NAME", NULL, "a name", NULL },
	{ "list", 'l', OPT_STRV, A(list), "WORD", NULL, "words", NULL },
	{ "memory", 0, OPT_SIZE, A(size), "SIZE", NULL, "a size", NULL },
	OPT_END,
};

static int parse(struct args *a, struct err *e, bool *ended, int argc, const char *const *argv)
{
	struct opt_set sets[] = { { opts, a }, { NULL, NULL } };
	int i = 0, r;

	memset(a, 0, sizeof(*a));
	memset(e, 0, sizeof(*e));
	r = opts_parse(sets, argc, (char **)argv, &i, ended, e);
	return r < 0 ? r : i;
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__ })
#define PARSE(...) parse(&a, &e, &ended, (int)nitems(WORDS(__VA_ARGS__)), WORDS(__VA_ARGS__))

static void options_are_parsed_in_all_spellings(void **state)
{
	struct args a;
	struct err e;
	bool ended;

	(void)state;
	assert_int_equal(PARSE("-fo", "--name=x", "-lone", "-l", "two", "--memory", "1k", "rest"),
			 7);
	assert_true(a.flag && a.other && !ended);
	assert_string_equal(a.name, "x");
	assert_int_equal(a.list.nr_v, 2);
	assert_int_equal(a.size, 1024);
	strv_free(&a.list);
	assert_int_equal(PARSE("--flag=false", "--", "--name"), 2);
	assert_true(ended && !a.flag);
	assert_int_equal(PARSE("-f", "---", "x"), 1);
	assert_int_equal(PARSE("-"), 0);
}

static void an_unknown_option_names_the_nearest(void **state)
{
	struct args a;
	struct err e;
	bool ended;

	(void)state;
	assert_int_equal(PARSE("--memroy=1"), -1);
	assert_string_equal(e.msg, "cannot use --memroy: no such option");
	assert_string_equal(e.hint, "did you mean --memory?");
	assert_int_equal(e.kind, ERR_USAGE);
	assert_int_equal(PARSE("--zzzzzz"), -1);
	assert_string_equal(e.hint, "'--help' lists the options");
	assert_int_equal(PARSE("--name"), -1);
	assert_int_equal(PARSE("--flag=maybe"), -1);
	assert_string_equal(e.msg, "cannot use --flag=maybe: it takes true or false");
	assert_int_equal(PARSE("--memory=lots"), -1);
	assert_non_null(strstr(e.msg, "--memory"));
}

static void a_forked_worker_is_left_with_nothing_and_cannot_be_traced(void **state)
{
	struct jail j = { .extra_gid = (gid_t)-1 };
	struct err e;
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(jail_drop_rights(&j, &e) < 0		? 1
		      : prctl(PR_GET_DUMPABLE)			? 2
		      : !prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) ? 3
								: 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void durations_are_told_in_the_unit_that_they_have(void **state)
{
	char b[32];

	(void)state;
	assert_string_equal(num_format_duration(100000000, b), "100 ms");
	assert_string_equal(num_format_duration(1500000000, b), "1.5 s");
	assert_string_equal(num_format_duration(60000000000, b), "60 s");
	assert_string_equal(num_format_duration(0, b), "0 ns");
}

static void commands_in_messages_have_the_name_we_were_called_by(void **state)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	(void)state;
	err_add_named(&b, "usage: vpod rm UUID; 'vpod list' lists; vpod itself; /lib/vpod x",
		      "rkt");
	assert_string_equal(b.buf,
			    "usage: rkt rm UUID; 'rkt list' lists; vpod itself; /lib/vpod x");
}

static void errors_keep_cause_context_and_first_hint(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_set(&e, ENOENT, "cannot open %s", "x"), -1);
	assert_int_equal(err_hint(&e, "first"), -1);
	assert_int_equal(err_hint(&e, "second"), -1);
	assert_int_equal(err_wrap(&e, "cannot run %d", 7), -1);
	assert_string_equal(e.msg, "cannot run 7: cannot open x: No such file or directory");
	assert_string_equal(e.hint, "first");
}

static void uuids_are_version_4_and_prefixes_are_known(void **state)
{
	char a[UUID_LEN + 1], b[UUID_LEN + 1];
	struct err e;

	(void)state;
	assert_int_equal(uuid_new(a, &e), 0);
	assert_int_equal(uuid_new(b, &e), 0);
	assert_true(uuid_is_valid(a) && a[14] == '4' && strcmp(a, b));
	assert_true(uuid_is_prefix("0123"));
	assert_false(uuid_is_prefix(""));
	assert_false(uuid_is_prefix("../x"));
	assert_false(uuid_is_prefix("ABCD"));
}

static void atomic_writes_replace_whole_files(void **state)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	char dir[] = "/tmp/vpod-unit-XXXXXX";
	struct err e = { 0 };
	cleanup_close int fd = -1;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = fs_opendir(AT_FDCWD, dir, &e);
	assert_int_equal(fs_write_atomic(fd, "f", "old", 3, 0600, &e), 0);
	assert_int_equal(fs_write_atomic(fd, "f", "newer", 5, 0600, &e), 0);
	assert_int_equal(fs_read(fd, "f", 5, &b, &e), 0);
	assert_string_equal(b.buf, "newer");
	sb_reset(&b);
	assert_int_equal(fs_read(fd, "f", 4, &b, &e), -1);
	assert_int_equal(e.num, EFBIG);
	assert_int_equal(fs_remove_tree(AT_FDCWD, dir, &e), 0);
	assert_int_equal(access(dir, F_OK), -1);
}

static void trees_are_removed_without_following_links(void **state)
{
	char dir[] = "/tmp/vpod-unit-XXXXXX", keep[] = "/tmp/vpod-keep-XXXXXX";
	cleanup_free char *sub = NULL, *link = NULL;
	struct err e = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_non_null(mkdtemp(keep));
	sub = xasprintf("%s/a/b/c", dir);
	link = xasprintf("%s/a/link", dir);
	assert_int_equal(fs_mkdir_p(sub, 0755, &e), 0);
	assert_int_equal(symlink(keep, link), 0);
	assert_int_equal(fs_remove_tree(AT_FDCWD, dir, &e), 0);
	assert_int_equal(access(keep, F_OK), 0);
	assert_int_equal(rmdir(keep), 0);
}

/* The directory that the shell opened to list them is gone when it looks at them. */
static void children_have_the_named_fds_only(void **state)
{
	cleanup_sb struct strbuf out = STRBUF_INIT;
	struct spawn s = { 0 };
	struct err e = { 0 };
	int leak = open("/dev/null", O_RDONLY); /* without CLOEXEC, as a careless caller's */

	(void)state;
	strv_add(&s.argv, "/bin/sh");
	strv_add(&s.argv, "-c");
	strv_add(&s.argv, "for f in /proc/$$/fd/*; do [ -L $f ] && echo ${f##*/}; done; true");
	spawn_add_fd(&s, leak, 7);
	assert_int_equal(spawn_capture(&s, 4096, 5000, &out, &e), 0);
	assert_non_null(strstr(out.buf, "0\n1\n2\n"));
	assert_non_null(strstr(out.buf, "7\n"));
	assert_null(strstr(out.buf, "3\n"));
	spawn_free(&s);
	close(leak);
}

static void a_program_that_is_not_there_is_an_error_not_a_status(void **state)
{
	struct spawn s = { 0 };
	struct err e = { 0 };
	struct child c;

	(void)state;
	strv_add(&s.argv, "/nonexistent/program");
	assert_int_equal(spawn_start(&s, &c, &e), -1);
	assert_int_equal(e.num, ENOENT);
	assert_string_equal(e.msg,
			    "cannot execute /nonexistent/program: No such file or directory");
	spawn_free(&s);
}

static void a_child_that_hangs_or_floods_is_ended(void **state)
{
	cleanup_sb struct strbuf out = STRBUF_INIT;
	struct spawn s = { 0 }, flood = { 0 };
	struct err e = { 0 };

	(void)state;
	strv_add(&s.argv, "/bin/sleep");
	strv_add(&s.argv, "100");
	assert_int_equal(spawn_capture(&s, 4096, 100, &out, &e), -1);
	assert_int_equal(e.num, ETIMEDOUT);
	spawn_free(&s);
	strv_add(&flood.argv, "/usr/bin/yes");
	assert_int_equal(spawn_capture(&flood, 4096, 5000, &out, &e), -1);
	assert_int_equal(e.num, EFBIG);
	spawn_free(&flood);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_docker_and_iso_units),
		cmocka_unit_test(durations_add_up),
		cmocka_unit_test(durations_are_told_in_the_unit_that_they_have),
		cmocka_unit_test(a_forked_worker_is_left_with_nothing_and_cannot_be_traced),
		cmocka_unit_test(commands_in_messages_have_the_name_we_were_called_by),
		cmocka_unit_test(cpus_are_thousandths),
		cmocka_unit_test(printable_text_cannot_drive_a_terminal),
		cmocka_unit_test(json_text_is_escaped),
		cmocka_unit_test(shell_words_survive),
		cmocka_unit_test(options_are_parsed_in_all_spellings),
		cmocka_unit_test(an_unknown_option_names_the_nearest),
		cmocka_unit_test(errors_keep_cause_context_and_first_hint),
		cmocka_unit_test(uuids_are_version_4_and_prefixes_are_known),
		cmocka_unit_test(atomic_writes_replace_whole_files),
		cmocka_unit_test(trees_are_removed_without_following_links),
		cmocka_unit_test(children_have_the_named_fds_only),
		cmocka_unit_test(a_program_that_is_not_there_is_an_error_not_a_status),
		cmocka_unit_test(a_child_that_hangs_or_floods_is_ended),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
