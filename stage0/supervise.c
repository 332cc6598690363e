/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/num.h"
#include "stage0/pod.h"
#include "stage0/supervisor.h"
#include "stage0/tty.h"

#define KILL_SLACK_NS 2000000000ull /* for the guest's own kill and power-off, beyond its grace */
#define STOP_MAX_NS (UINT32_MAX * 1000000ull) /* what a frame can tell */
#define INT_TWICE_NS 2000000000ull

#define from_member(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

void supervise_kill_vm(struct supervisor *s)
{
	s->phase = ENDING;
	if (!s->is_done)
		s->was_killed = true;
	child_signal(&s->vm, SIGKILL);
}

/* The end: the VM is reaped and all output is delivered. */
void supervise_maybe_end(struct supervisor *s)
{
	if (s->phase == ENDING && !s->vm.pid && supervise_output_is_idle(s))
		loop_stop(&s->loop);
}

static void vm_exited(struct source *src, uint32_t events)
{
	struct supervisor *s = from_member(src, struct supervisor, vm_src);
	struct err e;
	int status;

	(void)events;
	loop_remove(&s->vm_src);
	status = child_wait(&s->vm, &e);
	console_drain(&s->console);
	if (status >= 0)
		verdict_vm_exited(s, status);
	s->phase = ENDING;
	supervise_maybe_end(s);
}

static void stop_apps(struct supervisor *s, uint64_t grace_ns)
{
	if (s->phase == ENDING)
		return;
	if (grace_ns > STOP_MAX_NS)
		grace_ns = STOP_MAX_NS;
	if (s->phase == BOOTING) { /* nothing runs that could be asked */
		supervise_kill_vm(s);
		return;
	}
	s->phase = STOPPING;
	guest_stop(s->guest, (uint32_t)(grace_ns / 1000000));
	timer_arm(&s->kill, grace_ns + KILL_SLACK_NS);
}

static void timeout_expired(struct timer *t)
{
	struct supervisor *s = from_member(t, struct supervisor, timeout);

	verdict_set(s, REASON_TIMEOUT, "the pod ran into its time-out");
	stop_apps(s, 1000000000);
	timer_arm(&s->kill, 2000000000);
}

static void boot_expired(struct timer *t)
{
	struct supervisor *s = from_member(t, struct supervisor, boot);
	char time[32];

	verdict_set(s, REASON_BOOT_FAILED, "the guest was not ready in %s",
		    num_format_duration(s->args->boot_timeout_ns, time));
	supervise_kill_vm(s);
}

static void kill_expired(struct timer *t)
{
	struct supervisor *s = from_member(t, struct supervisor, kill);

	verdict_set(s, REASON_VMM_CRASH, "the guest channel was lost");
	supervise_kill_vm(s);
}

static void control_stop(void *ctx, uint32_t grace_ms)
{
	struct supervisor *s = ctx;

	verdict_set(s, REASON_STOPPED, "stopped by vpod stop");
	stop_apps(s, grace_ms * 1000000ull);
}

static void control_kill(void *ctx)
{
	struct supervisor *s = ctx;

	verdict_set(s, REASON_STOPPED, "killed by vpod stop --force");
	supervise_kill_vm(s);
}

/* Before the apps run a deadly signal ends vpod as it would end the app. */
static void deadly_signal(struct supervisor *s, int signo)
{
	uint64_t now = now_ns();
	bool twice = signo == SIGINT && s->last_int && now - s->last_int < INT_TWICE_NS;

	if (signo == SIGINT)
		s->last_int = now;
	if (s->phase == ENDING) { /* a reader that never reads: the user has had enough */
		loop_stop(&s->loop);
		s->st->code = 128 + signo;
	} else if (s->phase == BOOTING || twice) {
		verdict_set(s, REASON_STOPPED, "stopped by signal %d", signo);
		s->st->code = 128 + signo;
		supervise_kill_vm(s);
	} else if (signo == SIGTERM) {
		verdict_set(s, REASON_STOPPED, "stopped by signal %d", signo);
		stop_apps(s, s->args->stop_timeout_ns);
	} else {
		guest_signal(s->guest, PROTO_POD, signo);
	}
}

static void window_changed(struct supervisor *s)
{
	uint16_t rows, cols;

	if (s->args->tty && s->phase != BOOTING && tty_size(s->args->tty, &rows, &cols))
		guest_winsize(s->guest, 0, rows, cols);
}

/* The shell's view: a stopped job gives the terminal back, a continued one takes it again. */
static void suspend_ourselves(struct supervisor *s)
{
	if (s->args->tty)
		tty_restore(s->args->tty);
	raise(SIGSTOP);
	if (s->args->tty)
		tty_raw(s->args->tty);
	window_changed(s);
}

static void signal_came(struct source *src, uint32_t events)
{
	struct supervisor *s = from_member(src, struct supervisor, signal_src);
	struct signalfd_siginfo si;

	(void)events;
	if (read(src->fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	switch (si.ssi_signo) {
	case SIGWINCH:
		window_changed(s);
		break;
	case SIGTSTP:
		suspend_ourselves(s);
		break;
	case SIGUSR1:
	case SIGUSR2:
		if (s->phase == RUNNING)
			guest_signal(s->guest, PROTO_POD, (int)si.ssi_signo);
		break;
	default:
		deadly_signal(s, (int)si.ssi_signo);
	}
}

static int open_signals(struct supervisor *s, struct err *e)
{
	static const int signals[] = { SIGTERM, SIGINT,	 SIGHUP,  SIGQUIT,
				       SIGUSR1, SIGUSR2, SIGTSTP, SIGWINCH };
	sigset_t set;
	size_t i;
	int fd;

	sigemptyset(&set);
	for (i = 0; i < nitems(signals); i++) {
		struct sigaction old;

		/* nohup and shells' background jobs: what was ignored stays ignored */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;
		sigaddset(&set, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_set(e, errno, "cannot watch signals");
	return loop_add(&s->loop, &s->signal_src, fd, EPOLLIN, signal_came, e);
}

static int open_console_log(struct supervisor *s, struct err *e)
{
	int fd = openat(s->args->pod->dirfd, "console.log",
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(e, errno, "cannot create console.log");
	return fd;
}

static int open_sources(struct supervisor *s, struct err *e)
{
	const struct supervise_args *a = s->args;
	int logfd = open_console_log(s, e);

	if (logfd < 0 ||
	    console_open(&s->console, &s->loop, a->console_fd, logfd, a->debug, e) < 0 ||
	    console_open(&s->messages, &s->loop, a->message_fd, -1, a->debug, e) < 0)
		return -1;
	s->control.ctx = s;
	s->control.stop = control_stop;
	s->control.kill = control_kill;
	if (control_open(&s->control, &s->loop, a->pod, e) < 0 || open_signals(s, e) < 0 ||
	    timer_init(&s->loop, &s->timeout, timeout_expired, e) < 0 ||
	    timer_init(&s->loop, &s->boot, boot_expired, e) < 0 ||
	    timer_init(&s->loop, &s->kill, kill_expired, e) < 0 || supervise_open_apps(s, e) < 0)
		return -1;
	s->guest = guest_new(&s->loop, a->control_fd, s->nr_apps, &supervise_guest_events, s, e);
	return s->guest ? supervise_open_metadata(s, e) : -1;
}

static int start_vm(struct supervisor *s, struct err *e)
{
	const struct supervise_args *a = s->args;
	unsigned i;

	a->timing->spawned = now_ns();
	if (spawn_start(a->command, &s->vm, e) < 0)
		return -1;
	/* Our copies of the VM's ends, so that its death is an end of file. */
	spawn_free(a->command);
	if (loop_add(&s->loop, &s->vm_src, s->vm.pidfd, EPOLLIN, vm_exited, e) < 0)
		return -1;
	s->st->pid = getpid();
	s->st->pid_start = process_start(getpid());
	s->st->started_ns = unix_ns();
	if (status_write(a->pod->dirfd, s->st, e) < 0)
		return -1;
	timer_arm(&s->timeout, a->timeout_ns);
	timer_arm(&s->boot, a->boot_timeout_ns);
	for (i = 0; i < s->nr_apps; i++) {
		if (s->apps[i].has_in)
			in_resume(&s->apps[i].in.in);
	}
	return 0;
}

static void close_all(struct supervisor *s)
{
	int sigfd = s->signal_src.fd;
	bool had_signals = s->signal_src.loop != NULL;

	child_kill(&s->vm);
	guest_free(s->guest);
	s->guest = NULL;
	supervise_close_metadata(s);
	supervise_close_apps(s);
	control_close(&s->control);
	console_close(&s->console);
	console_close(&s->messages);
	timer_close(&s->timeout);
	timer_close(&s->boot);
	timer_close(&s->kill);
	loop_remove(&s->signal_src);
	if (had_signals)
		close(sigfd);
	loop_remove(&s->vm_src);
	loop_close(&s->loop);
}

static void tell_console(struct supervisor *s)
{
	const char *tail = console_last(&s->console, 12);
	cleanup_free char *copy = xstrdup(tail);
	char *line, *save = NULL;

	if (s->args->debug)
		return; /* it was shown as it came */
	for (line = strtok_r(copy, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save))
		log_error("console: %s", line);
}

int supervise(const struct supervise_args *args, struct pod_status *out, struct err *e)
{
	struct supervisor s = { .args = args, .st = out, .first_failed = -1 };
	int r = -1;

	s.vm.pidfd = s.control.fd = s.console.fd = s.messages.fd = -1;
	s.console.logfd = s.messages.logfd = -1;
	if (loop_init(&s.loop, e) == 0 && open_sources(&s, e) == 0 && start_vm(&s, e) == 0) {
		if (args->tty)
			tty_raw(args->tty);
		r = loop_run(&s.loop, e);
		if (args->tty)
			tty_restore(args->tty);
	}
	if (!r) {
		verdict_finish(&s);
		if (out->reason == REASON_GUEST_PANIC || out->reason == REASON_BOOT_FAILED ||
		    out->reason == REASON_VIOLATION)
			tell_console(&s);
	}
	close_all(&s);
	return r;
}
