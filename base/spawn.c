/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "jail.h"
#include "loop.h"

void spawn_free(struct spawn *s)
{
	unsigned i;

	for (i = 0; i < s->nr_owned; i++)
		close(s->owned[i]);
	s->nr_owned = 0;
	strv_free(&s->argv);
	strv_free(&s->env);
}

void spawn_add_owned_fd(struct spawn *s, int fd, int as)
{
	spawn_add_fd(s, fd, as);
	spawn_own_fd(s, fd);
}

void spawn_own_fd(struct spawn *s, int fd)
{
	if (s->nr_owned == SPAWN_MAX_FDS)
		abort(); /* a programming error: callers bound what they add */
	s->owned[s->nr_owned++] = fd;
}

void spawn_add_fd(struct spawn *s, int fd, int as)
{
	if (s->nr_fds == SPAWN_MAX_FDS)
		abort(); /* a programming error: callers bound what they add */
	s->fds[s->nr_fds++] = (struct spawn_fd){ fd, as };
}

/* What a child that cannot start its program tells its parent over the status socket. */
struct start_report {
	int num;
	char msg[1024];
};

static void child_fail(int status_fd, const struct err *e)
{
	struct start_report r = { .num = e->num };

	snprintf(r.msg, sizeof(r.msg), "%s", e->msg);
	if (send(status_fd, &r, sizeof(r), MSG_NOSIGNAL) < 0)
		_exit(126);
	_exit(125);
}

/*
 * Moves the named fds to their numbers and closes all others but @keep.  Two rounds: first all go
 * above every target, so that no move overwrites one that is still to be moved.
 */
static int place_fds(const struct spawn *s, int *keep)
{
	int high[SPAWN_MAX_FDS], base = 3, null, i;

	for (i = 0; i < (int)s->nr_fds; i++) {
		if (s->fds[i].as >= base)
			base = s->fds[i].as + 1;
	}
	*keep = fcntl(*keep, F_DUPFD_CLOEXEC, base);
	if (*keep < 0)
		return -1;
	for (i = 0; i < (int)s->nr_fds; i++) {
		high[i] = fcntl(s->fds[i].fd, F_DUPFD_CLOEXEC, base);
		if (high[i] < 0)
			return -1;
	}
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		return -1;
	for (i = 3; i < base; i++)
		close(i);
	for (i = 0; i < (int)s->nr_fds; i++) {
		if (dup2(high[i], s->fds[i].as) < 0)
			return -1;
	}
	for (i = 0; i < (int)s->nr_fds; i++)
		close(high[i]);
	/* Everything above the named ones is CLOEXEC or closed here, but for the status socket. */
	if (*keep > base && syscall(SYS_close_range, base, *keep - 1, 0) < 0)
		return -1;
	return (int)syscall(SYS_close_range, *keep + 1, ~0U, 0);
}

static void reset_signals(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		sigaction(i, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Returns on failure. A program by fd needs no name in the jail's root. */
static void execute(const struct spawn *s)
{
	char *const none[] = { NULL };
	char *const *env = s->env.v ? s->env.v : none;

	if (!s->program_fd)
		execve(s->argv.v[0], s->argv.v, env);
	else if (fcntl(s->program_fd, F_SETFD, FD_CLOEXEC) == 0)
		syscall(SYS_execveat, s->program_fd, "", s->argv.v, env, AT_EMPTY_PATH);
}

static _Noreturn void child_main(const struct spawn *s, int status_fd)
{
	struct err e = { 0 };
	char go;

	if (s->jail && recv(status_fd, &go, 1, 0) != 1)
		_exit(125);
	reset_signals();
	if (s->own_group)
		setpgid(0, 0);
	if (place_fds(s, &status_fd) < 0) {
		err_set(&e, errno, "cannot set up files of %s", s->argv.v[0]);
		child_fail(status_fd, &e);
	}
	if (s->jail && jail_enter(s->jail, &e) < 0)
		child_fail(status_fd, &e);
	/* After the identity changed: a change of credentials clears it. */
	if (s->dies_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The parent may have died just before; its end of the socket tells. */
		if (!recv(status_fd, &go, 1, MSG_DONTWAIT))
			_exit(125);
	}
	execute(s);
	err_set(&e, errno, "cannot execute %s", s->argv.v[0]);
	child_fail(status_fd, &e);
	_exit(125);
}

/* A child in a jail: a copy of us, which waits for its ids. */
static pid_t fork_child(const struct spawn *s, int status_fd, int *pidfd)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} args = {
		.flags = CLONE_PIDFD | (s->jail ? jail_clone_flags(s->jail) : 0),
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (!pid)
		child_main(s, status_fd);
	return pid;
}

/* A sanitizer does not know the borrowed stack. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SPAWN_COPIES true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SPAWN_COPIES true
#endif
#endif
#ifndef SPAWN_COPIES
#define SPAWN_COPIES false
#endif

#define CHILD_STACK (256u << 10)

struct child_start {
	const struct spawn *spawn;
	int status_fd;
};

static int child_entry(void *arg)
{
	const struct child_start *c = arg;

	child_main(c->spawn, c->status_fd);
}

/*
 * Without a jail there is nothing to wait for: the child runs in our memory, on a stack of its own,
 * while we stand still until it executes its program (as posix_spawn() does it).  Copying the page
 * tables and then the pages would take three times as long.  Its handlers and fds are its own; no
 * signal may reach it before they are the default ones, for ours would run in our memory.
 */
static pid_t vfork_child(const struct spawn *s, int status_fd, int *pidfd)
{
	struct child_start c = { s, status_fd };
	sigset_t all, before;
	char *stack;
	pid_t pid;

	stack = mmap(NULL, CHILD_STACK, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = clone(child_entry, stack + CHILD_STACK,
		    CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &c, pidfd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	munmap(stack, CHILD_STACK);
	return pid;
}

static pid_t clone_child(const struct spawn *s, int status_fd, int *pidfd)
{
	fflush(NULL);
	return s->jail || SPAWN_COPIES ? fork_child(s, status_fd, pidfd)
				       : vfork_child(s, status_fd, pidfd);
}

/* Reads the report of a failed start, or the end of file that exec's CLOEXEC makes. */
static int await_exec(int fd, struct err *e)
{
	struct start_report r;
	ssize_t n;

	do
		n = recv(fd, &r, sizeof(r), 0);
	while (n < 0 && errno == EINTR);
	if (!n)
		return 0;
	if (n != (ssize_t)sizeof(r))
		return err_set(e, n < 0 ? errno : EPROTO, "cannot learn whether a child started");
	r.msg[sizeof(r.msg) - 1] = '\0';
	err_set(e, 0, "%s", r.msg);
	e->num = r.num;
	return -1;
}

int spawn_start(const struct spawn *s, struct child *out, struct err *e)
{
	cleanup_close int ours = -1, theirs = -1;
	int sv[2];

	*out = (struct child){ 0, -1 };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return err_set(e, errno, "cannot start %s", s->argv.v[0]);
	ours = sv[0];
	theirs = sv[1];
	out->pid = clone_child(s, theirs, &out->pidfd);
	if (out->pid < 0) {
		out->pid = 0;
		err_set(e, errno, "cannot start %s", s->argv.v[0]);
		return s->jail ? err_hint(e, "the jail needs user namespaces: see 'vpod doctor'")
			       : -1;
	}
	close_p(&theirs);
	if (s->jail && (jail_map_ids(s->jail, out->pid, e) < 0 ||
			(send(ours, "g", 1, MSG_NOSIGNAL) < 0 &&
			 err_set(e, errno, "cannot start %s", s->argv.v[0])))) {
		child_kill(out);
		return -1;
	}
	if (await_exec(ours, e) < 0) {
		child_kill(out);
		return -1;
	}
	return 0;
}

int child_wait(struct child *c, struct err *e)
{
	int status;

	while (waitpid(c->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return err_set(e, errno, "cannot wait for process %d", (int)c->pid);
	}
	close_p(&c->pidfd);
	c->pid = 0;
	return status;
}

void child_signal(const struct child *c, int sig)
{
	if (c->pid)
		syscall(SYS_pidfd_send_signal, c->pidfd, sig, NULL, 0);
}

void child_kill(struct child *c)
{
	struct err ignored;

	if (!c->pid)
		return;
	child_signal(c, SIGKILL);
	(void)child_wait(c, &ignored); /* it is gone either way */
}

/* Reads until the end of file, the bound, or the deadline. */
static int collect(int fd, size_t max, unsigned timeout_ms, struct strbuf *out, const char *what,
		   struct err *e)
{
	uint64_t end = now_ns() + timeout_ms * 1000000ull;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	for (;;) {
		uint64_t now = now_ns();
		int left = timeout_ms ? (int)((end > now ? end - now : 0) / 1000000) : -1;
		int r = poll(&p, 1, left);

		if (r < 0 && errno == EINTR)
			continue;
		if (!r)
			return err_set(e, ETIMEDOUT, "cannot run %s: no answer in %u ms", what,
				       timeout_ms);
		sb_reserve(out, 65536);
		n = read(fd, out->buf + out->len, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "cannot read from %s", what);
		if (!n)
			return 0;
		out->len += (size_t)n;
		out->buf[out->len] = '\0';
		if (out->len > max)
			return err_set(e, EFBIG, "cannot run %s: it printed over %zu bytes", what,
				       max);
	}
}

int spawn_capture(struct spawn *s, size_t max, unsigned timeout_ms, struct strbuf *out,
		  struct err *e)
{
	cleanup_close int rd = -1, wr = -1;
	struct child c;
	int p[2], status;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot make a pipe");
	rd = p[0];
	wr = p[1];
	spawn_add_fd(s, wr, 1);
	if (spawn_start(s, &c, e) < 0)
		return -1;
	close_p(&wr);
	if (collect(rd, max, timeout_ms, out, s->argv.v[0], e) < 0) {
		child_kill(&c);
		return -1;
	}
	status = child_wait(&c, e);
	if (status < 0)
		return -1;
	if (WIFSIGNALED(status))
		return err_set(e, 0, "cannot run %s: killed by signal %d", s->argv.v[0],
			       WTERMSIG(status));
	if (WEXITSTATUS(status))
		return err_set(e, 0, "cannot run %s: exit status %d", s->argv.v[0],
			       WEXITSTATUS(status));
	return 0;
}
