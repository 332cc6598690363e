/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The life of an app in the guest
 *
 *	WAITING		not started; signals for it are kept
 *	RUNNING		its program runs
 *	DRAINING	its main process is reaped, the rest of its cgroup killed; output still
 *flows OVER		the host has been told how it ended
 *
 * The pod ends when all its apps are OVER.  It begins to end when one fails or the host says STOP:
 * apps that wait stay so for good, those that run get their stop signal and, after the grace, are
 * killed.
 */
#include "supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app.h"
#include "base/cleanup.h"
#include "base/loop.h"
#include "cgroup.h"
#include "metadata.h"
#include "say.h"
#include "streams.h"

#define GRACE_NS 10000000000u

enum run_state { RUN_WAITING, RUN_RUNNING, RUN_DRAINING, RUN_OVER };

struct run {
	const struct app *app;
	struct keeper *keeper;
	unsigned id;
	enum run_state state;
	pid_t pid;
	struct proto_exited exited;
	uint64_t signals; /* asked for before it ran, bit n-1 for signal n */
	struct streams io;
};

struct keeper {
	const struct pod *pod;
	struct mux *mux;
	struct loop loop;
	struct source port, children;
	struct timer grace;
	bool is_stopping;
	bool has_failed; /* the host is gone or broke the protocol: e says how */
	struct err err;
	struct run runs[PROTO_MAX_APPS];
};

static struct keeper keeper;

void supervise_report(struct mux *m, unsigned session, const struct err *e)
{
	struct proto_failed f = {
		.code = e->kind == ERR_NOT_FOUND ? 127
			: e->kind == ERR_DENIED	 ? 126
						 : 125,
		.num = (uint32_t)e->num,
	};

	snprintf(f.msg, sizeof(f.msg), "%s", e->msg);
	mux_send(m, PROTO_FAILED, session, 0, &f, sizeof(f));
}

static void fail(struct keeper *k, const struct err *e)
{
	if (!k->has_failed)
		k->err = *e;
	k->has_failed = true;
	loop_stop(&k->loop);
}

static void check_end(struct keeper *k)
{
	for (unsigned i = 0; i < k->pod->nr_apps; i++) {
		enum run_state s = k->runs[i].state;

		if (s == RUN_RUNNING || s == RUN_DRAINING || (s == RUN_WAITING && !k->is_stopping))
			return;
	}
	loop_stop(&k->loop);
}

static void stop_all(struct keeper *k, uint64_t grace_ns)
{
	k->is_stopping = true;
	for (unsigned i = 0; i < k->pod->nr_apps; i++) {
		if (k->runs[i].state == RUN_RUNNING)
			kill(k->runs[i].pid, k->runs[i].app->stop_signal);
	}
	timer_arm(&k->grace, grace_ns ? grace_ns : 1);
	check_end(k);
}

static void app_kill(struct run *r)
{
	cgroup_kill(r->id);
	if (r->state == RUN_RUNNING)
		kill(-r->pid, SIGKILL); /* it leads a session: what there is without cgroups */
}

static void grace_over(struct timer *t)
{
	struct keeper *k = (void *)((char *)t - offsetof(struct keeper, grace));

	for (unsigned i = 0; i < k->pod->nr_apps; i++) {
		if (k->runs[i].state == RUN_RUNNING)
			app_kill(&k->runs[i]);
	}
}

static void app_over(struct run *r, bool has_failed)
{
	struct keeper *k = r->keeper;

	r->state = RUN_OVER;
	if (has_failed && !k->is_stopping)
		stop_all(k, GRACE_NS);
	check_end(k);
}

/* All its output is queued. */
static void output_ended(void *ctx)
{
	struct run *r = ctx;

	if (r->state != RUN_DRAINING)
		return;
	mux_send(r->keeper->mux, PROTO_APP_EXITED, r->id, 0, &r->exited, sizeof(r->exited));
	app_over(r, r->exited.code || r->exited.signal);
}

static void app_exited(struct run *r, int status)
{
	say_step("%s exited, status %#x", r->app->name, (unsigned)status);
	app_kill(r);
	r->state = RUN_DRAINING;
	if (WIFSIGNALED(status))
		r->exited.signal = (uint32_t)WTERMSIG(status);
	else
		r->exited.code = (uint32_t)WEXITSTATUS(status);
	if (cgroup_had_oom(r->id, WIFSIGNALED(status) ? WTERMSIG(status) : 0))
		r->exited.flags |= PROTO_EXIT_OOM;
	streams_app_gone(&r->io, cgroup_is_there());
	if (streams_have_ended(&r->io))
		output_ended(r);
	else
		streams_service(&r->io);
}

/* Other children are orphans of apps: reaped, and that is all. */
static void reaped(struct keeper *k, pid_t pid, int status)
{
	for (unsigned i = 0; i < k->pod->nr_apps; i++) {
		if (k->runs[i].state == RUN_RUNNING && k->runs[i].pid == pid) {
			app_exited(&k->runs[i], status);
			return;
		}
	}
}

static void flush(struct keeper *k)
{
	struct err e;

	if (mux_flush(k->mux) < 0) {
		err_set(&e, errno, "cannot write to the host");
		fail(k, &e);
	}
}

static void children_ready(struct source *src, uint32_t events)
{
	struct keeper *k = (void *)((char *)src - offsetof(struct keeper, children));
	struct signalfd_siginfo si;
	int status;
	pid_t pid;

	(void)events;
	while (read(src->fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		reaped(k, pid, status);
	flush(k);
}

static void start_all(struct keeper *k);

static void app_signal(struct run *r, uint32_t signo)
{
	if (r->state == RUN_RUNNING)
		kill(r->pid, (int)signo);
	else if (r->state == RUN_WAITING)
		r->signals |= 1ull << (signo - 1);
}

static int host_signal(struct keeper *k, const struct proto_hdr *h, const uint8_t *p)
{
	struct proto_signal s;

	memcpy(&s, p, sizeof(s));
	if (s.signo < 1 || s.signo > 64)
		return -1;
	for (unsigned i = 0; i < k->pod->nr_apps; i++) {
		if (h->session == PROTO_POD || h->session == i)
			app_signal(&k->runs[i], s.signo);
	}
	return 0;
}

static int host_stop(struct keeper *k, const uint8_t *p)
{
	struct proto_stop s;

	memcpy(&s, p, sizeof(s));
	stop_all(k, (uint64_t)s.grace_ms * 1000000);
	return 0;
}

static int host_stream(struct run *r, const struct proto_hdr *h, const uint8_t *p, struct err *e)
{
	struct proto_credit c;
	struct proto_winsize w;

	/* what was on its way when the app ended, or could not start */
	if (r->state == RUN_OVER)
		return 0;
	switch (h->type) {
	case PROTO_DATA:
		return streams_data(&r->io, p, h->len, e);
	case PROTO_EOF:
		streams_eof(&r->io);
		return 0;
	case PROTO_CREDIT:
		memcpy(&c, p, sizeof(c));
		return streams_credit(&r->io, h->stream, c.bytes, e);
	case PROTO_CLOSE:
		streams_close(&r->io, h->stream);
		if (r->state == RUN_DRAINING && streams_have_ended(&r->io))
			output_ended(r);
		return 0;
	default:
		memcpy(&w, p, sizeof(w));
		streams_winsize(&r->io, w.rows, w.cols);
		return 0;
	}
}

/* What the host may send: the length of each type, and which streams it is for. */
static bool is_legal(const struct keeper *k, const struct proto_hdr *h)
{
	bool is_app = h->session < k->pod->nr_apps;
	bool is_out = h->stream == PROTO_STDOUT || h->stream == PROTO_STDERR;

	switch (h->type) {
	case PROTO_DATA:
		return is_app && h->stream == PROTO_STDIN && h->len > 0;
	case PROTO_EOF:
		return is_app && h->stream == PROTO_STDIN && h->len == 0;
	case PROTO_CREDIT:
		return is_app && is_out && h->len == sizeof(struct proto_credit);
	case PROTO_CLOSE:
		return is_app && is_out && h->len == 0;
	case PROTO_STOP:
		return h->session == PROTO_POD && h->len == sizeof(struct proto_stop);
	case PROTO_SIGNAL:
		return (is_app || h->session == PROTO_POD) && h->len == sizeof(struct proto_signal);
	case PROTO_WINSIZE:
		return is_app && h->len == sizeof(struct proto_winsize);
	default:
		return false;
	}
}

static void host_frame(void *ctx, const struct proto_hdr *h, const uint8_t *p)
{
	struct keeper *k = ctx;
	struct err e;
	int r;

	err_set(&e, 0, "cannot take a frame of type %u, session %u, %u bytes from the host",
		h->type, h->session, h->len);
	if (h->session >= PROTO_CONN && h->session != PROTO_POD)
		r = metadata_frame(h, p, &e);
	else if (!is_legal(k, h))
		r = -1;
	else if (h->type == PROTO_STOP)
		r = host_stop(k, p);
	else if (h->type == PROTO_SIGNAL)
		r = host_signal(k, h, p);
	else
		r = host_stream(&k->runs[h->session], h, p, &e);
	if (r < 0)
		fail(k, &e);
}

static void serve_all(struct keeper *k)
{
	for (unsigned i = 0; i < k->pod->nr_apps; i++) {
		enum run_state s = k->runs[i].state;

		if (s == RUN_RUNNING || s == RUN_DRAINING)
			streams_service(&k->runs[i].io);
	}
	metadata_service();
}

static void port_ready(struct source *src, uint32_t events)
{
	struct keeper *k = (void *)((char *)src - offsetof(struct keeper, port));
	struct err e;

	if (events & EPOLLOUT)
		flush(k);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && mux_receive(k->mux, &e) < 0)
		fail(k, &e);
	if (k->has_failed)
		return;
	serve_all(k);
	flush(k);
}

static void app_failed(struct run *r, const struct err *e)
{
	say("app %s: %s", r->app->name, e->msg);
	streams_abort(&r->io);
	supervise_report(r->keeper->mux, r->id, e);
	app_over(r, true);
}

static void app_launch(struct run *r)
{
	struct keeper *k = r->keeper;
	struct proto_started started = { 0 };
	struct err e;

	if (cgroup_make(r->app, r->id, &e) < 0) {
		app_failed(r, &e);
		return;
	}
	r->pid = app_start(r->app, r->id, &r->io, &e);
	if (r->pid < 0) {
		app_failed(r, &e);
		return;
	}
	r->state = RUN_RUNNING;
	started.pid = (uint32_t)r->pid;
	mux_send(k->mux, PROTO_APP_STARTED, r->id, 0, &started, sizeof(started));
	say_step("%s runs", r->app->name);
	if (streams_start(&r->io, &e) < 0)
		fail(k, &e);
	for (int n = 1; n <= 64; n++) {
		if (r->signals & (1ull << (n - 1)))
			kill(r->pid, n);
	}
}

static void start_all(struct keeper *k)
{
	for (unsigned i = 0; i < k->pod->nr_apps && !k->is_stopping && !k->has_failed; i++)
		app_launch(&k->runs[i]);
	flush(k);
}

static int watch_children(struct keeper *k, struct err *e)
{
	sigset_t all;
	int fd;

	/* all blocked: what apps send to PID 1 waits for ever */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	fd = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "cannot watch children");
	return loop_add(&k->loop, &k->children, fd, EPOLLIN, children_ready, e);
}

static int prepare(struct keeper *k, struct err *e)
{
	if (loop_init(&k->loop, e) < 0 || watch_children(k, e) < 0 ||
	    timer_init(&k->loop, &k->grace, grace_over, e) < 0 ||
	    loop_add(&k->loop, &k->port, k->mux->fd, EPOLLIN, port_ready, e) < 0 ||
	    metadata_start(&k->loop, k->mux, e) < 0)
		return -1;
	k->mux->port = &k->port;
	for (unsigned i = 0; i < k->pod->nr_apps; i++) {
		struct run *r = &k->runs[i];

		*r = (struct run){ .app = &k->pod->apps[i], .keeper = k, .id = i };
		if (streams_open(&r->io, k->mux, &k->loop, r->app, i, output_ended, r, e) < 0)
			return -1;
	}
	return 0;
}

int supervise(const struct pod *pod, struct mux *m, struct err *e)
{
	struct keeper *k = &keeper;

	k->pod = pod;
	k->mux = m;
	m->frame = host_frame;
	m->ctx = k;
	if (prepare(k, e) < 0)
		return -1;
	mux_send(m, PROTO_READY, PROTO_POD, 0, NULL, 0);
	start_all(k);
	if (loop_run(&k->loop, e) < 0)
		return -1;
	if (k->has_failed)
		*e = k->err;
	return k->has_failed ? -1 : 0;
}
