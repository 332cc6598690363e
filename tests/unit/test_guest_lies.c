/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of the guest protocol against a guest that breaks it: cut off, once, with a
 * reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "guest_fixture.h"

struct lie {
	const char *name;
	void (*tell)(struct guest_rig *r);
	const char *why;
};

static void lie_type_0(struct guest_rig *r)
{
	guest_rig_put(r, 0, PROTO_POD, 0, NULL, 0);
}

static void lie_type_255(struct guest_rig *r)
{
	guest_rig_put(r, 255, 0, 0, NULL, 0);
}

static void lie_host_type(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_STOP, PROTO_POD, 0, "abcd", 4);
}

static void lie_oversized(struct guest_rig *r)
{
	struct proto_hdr h = { .type = PROTO_DATA, .stream = 1, .len = PROTO_MAX_PAYLOAD + 1 };

	guest_rig_run_all(r);
	guest_rig_put_raw(r, &h, sizeof(h));
}

static void lie_huge(struct guest_rig *r)
{
	struct proto_hdr h = { .type = PROTO_HELLO, .session = PROTO_POD, .len = UINT32_MAX };

	guest_rig_put_raw(r, &h, sizeof(h));
}

static void lie_ready_first(struct guest_rig *r)
{
	guest_rig_put(r, PROTO_READY, PROTO_POD, 0, NULL, 0);
}

static void lie_two_hellos(struct guest_rig *r)
{
	guest_rig_put_hello(r, PROTO_VERSION, NR_APPS);
	guest_rig_put_hello(r, PROTO_VERSION, NR_APPS);
}

static void lie_version(struct guest_rig *r)
{
	guest_rig_put_hello(r, PROTO_VERSION + 1, NR_APPS);
}

static void lie_nr_apps(struct guest_rig *r)
{
	guest_rig_put_hello(r, PROTO_VERSION, NR_APPS + 1);
}

static void lie_ready_without_spec(struct guest_rig *r)
{
	guest_rig_put_hello(r, PROTO_VERSION, 0);
	guest_rig_put(r, PROTO_READY, PROTO_POD, 0, NULL, 0);
}

static void lie_two_readys(struct guest_rig *r)
{
	guest_rig_put_ready(r);
	guest_rig_put(r, PROTO_READY, PROTO_POD, 0, NULL, 0);
}

static void lie_ready_with_payload(struct guest_rig *r)
{
	guest_rig_put_hello(r, PROTO_VERSION, NR_APPS);
	guest_rig_put(r, PROTO_READY, PROTO_POD, 0, "x", 1);
}

static void lie_ready_of_app(struct guest_rig *r)
{
	guest_rig_put_hello(r, PROTO_VERSION, NR_APPS);
	guest_rig_put(r, PROTO_READY, 0, 0, NULL, 0);
}

static void lie_ready_on_stream(struct guest_rig *r)
{
	guest_rig_put_hello(r, PROTO_VERSION, NR_APPS);
	guest_rig_put(r, PROTO_READY, PROTO_POD, 1, NULL, 0);
}

static void lie_short_hello(struct guest_rig *r)
{
	guest_rig_put(r, PROTO_HELLO, PROTO_POD, 0, "abcdefgh", 8);
}

static void lie_started_early(struct guest_rig *r)
{
	guest_rig_put_hello(r, PROTO_VERSION, NR_APPS);
	guest_rig_put_started(r, 0);
}

static void lie_started_twice(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put_started(r, 0);
}

static void lie_unknown_session(struct guest_rig *r)
{
	guest_rig_put_ready(r);
	guest_rig_put_started(r, NR_APPS);
}

static void lie_started_pod(struct guest_rig *r)
{
	guest_rig_put_ready(r);
	guest_rig_put_started(r, PROTO_POD);
}

static void lie_pid(struct guest_rig *r)
{
	struct proto_started m = { .pid = 1 };

	guest_rig_put_ready(r);
	guest_rig_put(r, PROTO_APP_STARTED, 0, 0, &m, sizeof(m));
}

static void lie_data_early(struct guest_rig *r)
{
	guest_rig_put_ready(r);
	guest_rig_put(r, PROTO_DATA, 0, PROTO_STDOUT, "x", 1);
}

static void lie_data_on_stdin(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_DATA, 0, PROTO_STDIN, "x", 1);
}

static void lie_data_on_stream_7(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_DATA, 0, 7, "x", 1);
}

static void lie_data_on_stream_255(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_DATA, 0, 255, "x", 1);
}

static void lie_empty_data(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_DATA, 0, PROTO_STDOUT, NULL, 0);
}

static void lie_credit_overrun(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	guest_rig_put(r, PROTO_DATA, 0, PROTO_STDOUT, "x", 1);
}

static void lie_overrun_after_partial_credit(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	guest_consumed(r->g, 0, PROTO_STDOUT, PROTO_WINDOW / 2);
	guest_rig_put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW / 2);
	guest_rig_put(r, PROTO_DATA, 0, PROTO_STDOUT, "x", 1);
}

static void lie_overrun_of_closed_stream(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_close_output(r->g, 0, PROTO_STDOUT);
	guest_rig_put_output(r, 0, PROTO_STDOUT, PROTO_WINDOW);
	guest_rig_put(r, PROTO_DATA, 0, PROTO_STDOUT, "x", 1);
}

static void lie_data_after_eof(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_EOF, 0, PROTO_STDOUT, NULL, 0);
	guest_rig_put(r, PROTO_DATA, 0, PROTO_STDOUT, "x", 1);
}

static void lie_two_eofs(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_EOF, 0, PROTO_STDERR, NULL, 0);
	guest_rig_put(r, PROTO_EOF, 0, PROTO_STDERR, NULL, 0);
}

static void lie_exit_before_eof(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_EOF, 0, PROTO_STDOUT, NULL, 0);
	guest_rig_put_exited(r, 0, 0, 0, 0);
}

static void lie_two_exits(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put_eofs(r, 0);
	guest_rig_put_exited(r, 0, 0, 0, 0);
	guest_rig_put_exited(r, 0, 0, 0, 0);
}

static void lie_data_after_exit(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put_eofs(r, 0);
	guest_rig_put_exited(r, 0, 0, 0, 0);
	guest_rig_put(r, PROTO_DATA, 0, PROTO_STDOUT, "x", 1);
}

static void lie_exit_code(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put_eofs(r, 0);
	guest_rig_put_exited(r, 0, 256, 0, 0);
}

static void lie_exit_signal(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put_eofs(r, 0);
	guest_rig_put_exited(r, 0, 0, 65, 0);
}

static void lie_exit_both(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put_eofs(r, 0);
	guest_rig_put_exited(r, 0, 1, 9, 0);
}

static void lie_exit_flags(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put_eofs(r, 0);
	guest_rig_put_exited(r, 0, 0, 0, 2);
}

static void lie_failed_while_running(struct guest_rig *r)
{
	struct proto_failed f = { .code = 125 };

	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_FAILED, 0, 0, &f, sizeof(f));
}

static void lie_failed_code(struct guest_rig *r)
{
	struct proto_failed f = { .code = 0 };

	guest_rig_put_ready(r);
	guest_rig_put(r, PROTO_FAILED, 0, 0, &f, sizeof(f));
}

static void lie_failed_endless(struct guest_rig *r)
{
	struct proto_failed f = { .code = 125 };

	memset(f.msg, 'x', sizeof(f.msg));
	guest_rig_put_ready(r);
	guest_rig_put(r, PROTO_FAILED, PROTO_POD, 0, &f, sizeof(f));
}

static void lie_started_after_pod_failed(struct guest_rig *r)
{
	struct proto_failed f = { .code = 125 };

	guest_rig_put_ready(r);
	guest_rig_put(r, PROTO_FAILED, PROTO_POD, 0, &f, sizeof(f));
	guest_rig_put_started(r, 0);
}

static void lie_credit_0(struct guest_rig *r)
{
	struct proto_credit c = { .bytes = 0 };

	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_CREDIT, 0, PROTO_STDIN, &c, sizeof(c));
}

static void lie_credit_beyond_window(struct guest_rig *r)
{
	struct proto_credit c = { .bytes = 1 };

	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_CREDIT, 0, PROTO_STDIN, &c, sizeof(c));
}

static void lie_credit_on_stdout(struct guest_rig *r)
{
	struct proto_credit c = { .bytes = 1 };

	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_CREDIT, 0, PROTO_STDOUT, &c, sizeof(c));
}

static void lie_two_closes(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_CLOSE, 0, PROTO_STDIN, NULL, 0);
	guest_rig_put(r, PROTO_CLOSE, 0, PROTO_STDIN, NULL, 0);
}

static void lie_done_while_running(struct guest_rig *r)
{
	guest_rig_run_all(r);
	guest_rig_put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
}

static void lie_frame_after_done(struct guest_rig *r)
{
	guest_rig_put_ready(r);
	guest_rig_put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
	guest_rig_put_started(r, 0);
}

static void lie_done_first(struct guest_rig *r)
{
	guest_rig_put(r, PROTO_DONE, PROTO_POD, 0, NULL, 0);
}

static const struct lie lies[] = {
	{ "type 0", lie_type_0, "unknown type" },
	{ "type 255", lie_type_255, "unknown type" },
	{ "a host's type", lie_host_type, "unknown type" },
	{ "length above the maximum", lie_oversized, "of 4097 bytes" },
	{ "huge length", lie_huge, "of 4294967295 bytes" },
	{ "READY first", lie_ready_first, "not now" },
	{ "HELLO twice", lie_two_hellos, "not now" },
	{ "another version", lie_version, "another version" },
	{ "another number of apps", lie_nr_apps, "another number of apps" },
	{ "READY without a spec", lie_ready_without_spec, "not now" },
	{ "READY twice", lie_two_readys, "not now" },
	{ "READY with payload", lie_ready_with_payload, "wrong length" },
	{ "READY of an app", lie_ready_of_app, "unknown type" },
	{ "READY on a stream", lie_ready_on_stream, "not on this stream" },
	{ "short HELLO", lie_short_hello, "wrong length" },
	{ "APP_STARTED before READY", lie_started_early, "not now" },
	{ "APP_STARTED twice", lie_started_twice, "not in this state" },
	{ "unknown session", lie_unknown_session, "no such app" },
	{ "APP_STARTED of the pod", lie_started_pod, "unknown type" },
	{ "pid 1", lie_pid, "no such process" },
	{ "DATA before APP_STARTED", lie_data_early, "not in this state" },
	{ "DATA on stdin", lie_data_on_stdin, "not on this stream" },
	{ "DATA on stream 7", lie_data_on_stream_7, "not on this stream" },
	{ "DATA on stream 255", lie_data_on_stream_255, "not on this stream" },
	{ "empty DATA", lie_empty_data, "wrong length" },
	{ "DATA without credit", lie_credit_overrun, "no credit" },
	{ "DATA beyond credit", lie_overrun_after_partial_credit, "no credit" },
	{ "DATA beyond credit when closed", lie_overrun_of_closed_stream, "no credit" },
	{ "DATA after EOF", lie_data_after_eof, "has ended" },
	{ "EOF twice", lie_two_eofs, "has ended" },
	{ "APP_EXITED before EOF", lie_exit_before_eof, "has not ended" },
	{ "APP_EXITED twice", lie_two_exits, "not in this state" },
	{ "DATA after APP_EXITED", lie_data_after_exit, "not in this state" },
	{ "code 256", lie_exit_code, "no such exit status" },
	{ "signal 65", lie_exit_signal, "no such exit status" },
	{ "code and signal", lie_exit_both, "no such exit status" },
	{ "unknown flag", lie_exit_flags, "no such exit status" },
	{ "FAILED while running", lie_failed_while_running, "not in this state" },
	{ "FAILED with code 0", lie_failed_code, "no such failure" },
	{ "FAILED with endless text", lie_failed_endless, "has no end" },
	{ "APP_STARTED in a failed pod", lie_started_after_pod_failed, "not now" },
	{ "CREDIT of 0", lie_credit_0, "credit for more" },
	{ "CREDIT beyond the window", lie_credit_beyond_window, "credit for more" },
	{ "CREDIT on stdout", lie_credit_on_stdout, "not on this stream" },
	{ "CLOSE twice", lie_two_closes, "closed" },
	{ "DONE while an app runs", lie_done_while_running, "still runs" },
	{ "a frame after DONE", lie_frame_after_done, "not now" },
	{ "DONE first", lie_done_first, "not now" },
};

static void guest_that_lies_is_cut_off(void **state)
{
	struct guest_rig *r = *state;

	for (size_t i = 0; i < nitems(lies); i++) {
		r->name = lies[i].name;
		lies[i].tell(r);
		guest_rig_expect_broken(r, lies[i].why);
		guest_rig_tear_down(state);
		guest_rig_set_up(state);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, guest_rig_set_up, guest_rig_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(guest_that_lies_is_cut_off),
	};

	return cmocka_run_group_tests_name("guest_lies", tests, NULL, NULL);
}
