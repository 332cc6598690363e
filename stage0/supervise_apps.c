/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest tells of its apps, and their streams. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "stage0/manifest.h"
#include "stage0/supervisor.h"
#include "stage0/tty.h"

static void on_written(struct out_stream *o, size_t n)
{
	struct app_out *a = (struct app_out *)o;

	if (a->sup->guest)
		guest_consumed(a->sup->guest, a->app, a->stream, n);
	supervise_maybe_end(a->sup);
}

static void on_reader_gone(struct out_stream *o)
{
	struct app_out *a = (struct app_out *)o;

	if (a->sup->guest)
		guest_close_output(a->sup->guest, a->app, a->stream);
	supervise_maybe_end(a->sup);
}

static size_t stdin_room(struct in_stream *i)
{
	struct app_in *a = (struct app_in *)i;

	return a->sup->guest ? guest_stdin_room(a->sup->guest, a->app) : 0;
}

static void stdin_data(struct in_stream *i, const void *p, size_t n)
{
	struct app_in *a = (struct app_in *)i;

	guest_stdin(a->sup->guest, a->app, p, n);
}

static void stdin_eof(struct in_stream *i)
{
	struct app_in *a = (struct app_in *)i;

	if (a->sup->guest)
		guest_stdin_eof(a->sup->guest, a->app);
}

static int open_out(struct supervisor *s, unsigned app, enum proto_stream stream, int fd,
		    struct err *e)
{
	struct app_out *o = &s->apps[app].out[stream];

	o->sup = s;
	o->app = app;
	o->stream = stream;
	return out_open(&o->out, &s->loop, fd, on_written, on_reader_gone, e);
}

static int open_in(struct supervisor *s, unsigned app, struct err *e)
{
	struct app_in *i = &s->apps[app].in;

	i->sup = s;
	i->app = app;
	i->in.room = stdin_room;
	i->in.data = stdin_data;
	i->in.eof = stdin_eof;
	s->apps[app].has_in = true;
	return in_open(&i->in, &s->loop, STDIN_FILENO, e);
}

int supervise_open_apps(struct supervisor *s, struct err *e)
{
	const struct manifest *m = s->args->manifest;
	unsigned i;

	s->nr_apps = m->nr_apps;
	s->st->nr_apps = m->nr_apps;
	s->apps = xcalloc(m->nr_apps, sizeof(*s->apps));
	for (i = 0; i < m->nr_apps; i++)
		s->apps[i].log.fd = -1;
	for (i = 0; i < m->nr_apps; i++) {
		if (applog_open(&s->apps[i].log, s->args->pod->dirfd, m->apps[i].name, e) < 0 ||
		    open_out(s, i, PROTO_STDOUT, STDOUT_FILENO, e) < 0 ||
		    open_out(s, i, PROTO_STDERR, STDERR_FILENO, e) < 0)
			return -1;
		if (m->apps[i].is_interactive && open_in(s, i, e) < 0)
			return -1;
	}
	return 0;
}

void supervise_close_apps(struct supervisor *s)
{
	unsigned i;

	for (i = 0; i < s->nr_apps; i++) {
		if (s->apps[i].out[PROTO_STDOUT].sup)
			out_close(&s->apps[i].out[PROTO_STDOUT].out);
		if (s->apps[i].out[PROTO_STDERR].sup)
			out_close(&s->apps[i].out[PROTO_STDERR].out);
		if (s->apps[i].has_in)
			in_close(&s->apps[i].in.in);
		applog_close(&s->apps[i].log);
	}
	free(s->apps);
	s->apps = NULL;
}

bool supervise_output_is_idle(const struct supervisor *s)
{
	unsigned i;

	for (i = 0; i < s->nr_apps; i++) {
		if (!out_is_idle(&s->apps[i].out[PROTO_STDOUT].out) ||
		    !out_is_idle(&s->apps[i].out[PROTO_STDERR].out))
			return false;
	}
	return true;
}

static void ev_hello(void *ctx, uint64_t boot_ns)
{
	struct supervisor *s = ctx;

	s->args->timing->hello = now_ns();
	s->args->timing->guest_boot_ns = boot_ns;
}

static void ev_ready(void *ctx)
{
	struct supervisor *s = ctx;

	s->args->timing->ready = now_ns();
	timer_arm(&s->boot, 0);
	if (s->phase == BOOTING)
		s->phase = RUNNING;
}

static void ev_started(void *ctx, unsigned app, uint32_t pid)
{
	struct supervisor *s = ctx;
	uint16_t rows, cols;

	(void)pid;
	if (!s->args->timing->app)
		s->args->timing->app = now_ns();
	s->st->apps[app].state = APP_RUNNING;
	s->st->apps[app].started_ns = unix_ns();
	if (s->args->tty && tty_size(s->args->tty, &rows, &cols))
		guest_winsize(s->guest, app, rows, cols);
}

static void note_failure(struct supervisor *s, unsigned app, int code)
{
	if (code && s->first_failed < 0)
		s->first_failed = (int)app;
}

static void ev_exited(void *ctx, unsigned app, int code, int signo, bool oom)
{
	struct supervisor *s = ctx;
	struct app_status *a = &s->st->apps[app];

	s->args->timing->exited = now_ns();
	a->state = APP_EXITED;
	a->finished_ns = unix_ns();
	a->signal = signo;
	a->oom = oom;
	a->code = signo ? 128 + signo : code;
	note_failure(s, app, a->code);
	log_debug("app %s ended with status %d%s", s->args->manifest->apps[app].name, a->code,
		  oom ? " (out of memory)" : "");
}

static void ev_failed(void *ctx, unsigned app, int code, int num, const char *msg)
{
	struct supervisor *s = ctx;

	(void)num;
	if (app == PROTO_POD) {
		verdict_set(s, REASON_BOOT_FAILED, "%s", msg);
		return;
	}
	s->st->apps[app].state = APP_EXITED;
	s->st->apps[app].code = code == EXIT_ENGINE ? s->args->engine_status : code;
	s->st->apps[app].finished_ns = unix_ns();
	if (s->first_failed < 0 && !s->st->message[0])
		snprintf(s->st->message, sizeof(s->st->message), "app %s: %s",
			 s->args->manifest->apps[app].name, msg);
	note_failure(s, app, code);
	log_error("app %s: %s", s->args->manifest->apps[app].name, msg);
}

static void ev_output(void *ctx, unsigned app, enum proto_stream stream, const void *p, size_t n)
{
	struct supervisor *s = ctx;

	applog_write(&s->apps[app].log, stream, p, n);
	out_write(&s->apps[app].out[stream].out, p, n);
}

static void ev_output_eof(void *ctx, unsigned app, enum proto_stream stream)
{
	(void)ctx;
	(void)app;
	(void)stream;
}

static void ev_stdin_room(void *ctx, unsigned app)
{
	struct supervisor *s = ctx;

	if (s->apps[app].has_in)
		in_resume(&s->apps[app].in.in);
}

static void ev_stdin_closed(void *ctx, unsigned app)
{
	struct supervisor *s = ctx;

	if (s->apps[app].has_in)
		in_close(&s->apps[app].in.in);
}

static void ev_done(void *ctx)
{
	struct supervisor *s = ctx;

	s->args->timing->done = now_ns();
	s->is_done = true;
	supervise_kill_vm(s);
}

/* End of file comes when the VM dies, which the pidfd tells better; but not for ever. */
static void ev_broken(void *ctx, const char *why)
{
	struct supervisor *s = ctx;

	if (!why) {
		timer_arm(&s->kill, 3000000000);
		return;
	}
	if (s->is_done)
		return;
	verdict_set(s, REASON_GUEST_PANIC, "the guest broke the protocol: %s", why);
	supervise_kill_vm(s);
}

const struct guest_events supervise_guest_events = {
	.hello = ev_hello,
	.ready = ev_ready,
	.app_started = ev_started,
	.app_exited = ev_exited,
	.failed = ev_failed,
	.output = ev_output,
	.output_eof = ev_output_eof,
	.stdin_room = ev_stdin_room,
	.stdin_closed = ev_stdin_closed,
	.conn_open = supervise_conn_open,
	.conn_data = supervise_conn_data,
	.conn_eof = supervise_conn_eof,
	.conn_room = supervise_conn_room,
	.conn_gone = supervise_conn_gone,
	.done = ev_done,
	.broken = ev_broken,
};
