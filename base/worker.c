/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/jail.h"
#include "base/strbuf.h"

#define WORKER_ID 65534 /* nobody: owns nothing, and non-dumpable ones cannot be traced by it */

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* What the worker sends, in one write that a pipe takes whole. */
struct report {
	uint32_t ok;
	int32_t num;
	uint32_t kind;
	char msg[1024];
	char hint[256];
	unsigned char result[WORKER_MAX_RESULT];
};
_Static_assert(sizeof(struct report) <= 4096, "PIPE_BUF: one write is one message");

/* The system calls of a worker, each with its reason. Everything else kills it. */
static const struct {
	int nr;
	bool sanitizer; /* only in builds with a sanitizer */
} allowed[] = {
	{ SCMP_SYS(read), false },	      /* the blob */
	{ SCMP_SYS(pread64), false },	      /* the superblock's block, for its checksum */
	{ SCMP_SYS(write), false },	      /* the report; abort() messages of libc */
	{ SCMP_SYS(pwrite64), false },	      /* data, index, meta */
	{ SCMP_SYS(sync_file_range), false }, /* begins to write them out */
	{ SCMP_SYS(ftruncate), false },	      /* their sizes, when they end in a hole */
	{ SCMP_SYS(brk), false },	      /* malloc */
	{ SCMP_SYS(mmap), false },	      /* malloc; without PROT_EXEC, see below */
	{ SCMP_SYS(munmap), false },	      /* malloc */
	{ SCMP_SYS(mremap), false },	      /* realloc of what is large */
	{ SCMP_SYS(madvise), false },	      /* malloc gives memory back */
	{ SCMP_SYS(futex), false },	      /* locks of libc and libcrypto */
	{ SCMP_SYS(rt_sigreturn), false },    /* signals that the caller handles */
	{ SCMP_SYS(rt_sigprocmask), false },  /* abort() */
	{ SCMP_SYS(restart_syscall), false }, /* after SIGSTOP and SIGCONT */
	{ SCMP_SYS(exit_group), false },      /* the end */
	{ SCMP_SYS(sigaltstack), true },      /* ASAN's thread end */
	{ SCMP_SYS(sched_yield), true },      /* ASAN's locks */
	{ SCMP_SYS(getpid), true },	      /* ASAN's messages */
	{ SCMP_SYS(gettid), true },	      /* ASAN's messages */
};

static int load_filter(struct err *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int r = f ? 0 : -ENOMEM;
	unsigned i;

	for (i = 0; r == 0 && i < nitems(allowed); i++) {
		if (allowed[i].sanitizer && !SANITIZED)
			continue;
		if (allowed[i].nr == SCMP_SYS(mmap))
			r = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, allowed[i].nr, 1, &no_exec);
		else
			r = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i].nr, 0);
	}
	if (r == 0)
		r = seccomp_load(f);
	if (f)
		seccomp_release(f);
	return r == 0 ? 0 : err_set(e, -r, "cannot confine the worker with seccomp");
}

static bool is_kept(const struct worker_job *job, int report, int fd)
{
	unsigned i;

	for (i = 0; i < job->nr_fds; i++) {
		if (job->fds[i] == fd)
			return true;
	}
	/* A sanitizer's report is worth a standard error; what ships is built without. */
	return fd == report || (SANITIZED && fd == STDERR_FILENO);
}

static int close_others(const struct worker_job *job, int report, struct err *e)
{
	int fd, last = report;
	unsigned i;

	for (i = 0; i < job->nr_fds; i++)
		last = job->fds[i] > last ? job->fds[i] : last;
	for (fd = 0; fd < last; fd++) {
		if (!is_kept(job, report, fd))
			close(fd);
	}
	if (close_range((unsigned)last + 1, ~0u, 0) < 0)
		return err_set(e, errno, "cannot close the worker's other files");
	return 0;
}

/* Root only: one that may not is confined by seccomp like an ordinary user. */
static int leave_root(struct err *e)
{
	if (geteuid() != 0)
		return 0;
	(void)unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
	if (setgroups(0, NULL) < 0 || setresgid(WORKER_ID, WORKER_ID, WORKER_ID) < 0 ||
	    setresuid(WORKER_ID, WORKER_ID, WORKER_ID) < 0)
		return err_set(e, errno, "cannot become uid %d in the worker", WORKER_ID);
	return 0;
}

/* Bytes that this process has mapped. */
static uint64_t mapped_bytes(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f) {
		if (fscanf(f, "%lu", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int enter_jail(const struct worker_job *job, int report, pid_t parent, struct err *e)
{
	struct jail j = { .max_file = job->max_file, .extra_gid = (gid_t)-1 };

	if (!SANITIZED && job->max_memory)
		j.max_memory = job->max_memory + mapped_bytes();
	if (close_others(job, report, e) < 0 || leave_root(e) < 0)
		return -1;
	if (jail_drop_rights(&j, e) < 0)
		return -1;
	/* After the change of uid, which clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		return err_set(e, 0, "cannot go on without the process that asked");
	return load_filter(e);
}

static void reset_signals(void)
{
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL); /* EINVAL for those that cannot be */
	(void)signal(SIGPIPE, SIG_IGN);	    /* nobody waits: write fails, we end */
	(void)signal(SIGXFSZ, SIG_IGN);	    /* write fails with EFBIG, which we can tell */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_main(const struct worker_job *job, int report, pid_t parent)
{
	struct report r = { 0 };
	struct err e = { 0 };

	reset_signals();
	r.ok = job->prepare(job->ctx, &e) == 0 && enter_jail(job, report, parent, &e) == 0 &&
	       job->run(job->ctx, &e) == 0;
	if (r.ok) {
		memcpy(r.result, job->result, job->result_len);
	} else {
		r.num = e.num;
		r.kind = e.kind;
		memcpy(r.msg, e.msg, sizeof(r.msg));
		memcpy(r.hint, e.hint, sizeof(r.hint));
	}
	_exit(fs_write_all(report, &r, sizeof(r)) < 0);
}

int worker_start(const struct worker_job *job, struct worker *w, struct err *e)
{
	pid_t parent = getpid();
	int fds[2];

	if (job->result_len > WORKER_MAX_RESULT || job->nr_fds > WORKER_MAX_FDS)
		return err_set(e, EINVAL, "cannot %s", job->what);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot %s: cannot make a pipe", job->what);
	w->pid = fork();
	if (w->pid == 0)
		child_main(job, fds[1], parent);
	close(fds[1]);
	w->report_fd = fds[0];
	if (w->pid < 0) {
		err_set(e, errno, "cannot %s: cannot start its worker", job->what);
		close(w->report_fd);
		return -1;
	}
	return 0;
}

static size_t read_report(int fd, struct report *r)
{
	size_t have = 0;

	while (have < sizeof(*r)) {
		ssize_t n = read(fd, (char *)r + have, sizeof(*r) - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	return have;
}

/* The worker's own words: bounded, terminated and escaped, since a stranger may speak by them. */
static int take_error(struct report *r, const char *what, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;

	r->msg[sizeof(r->msg) - 1] = '\0';
	r->hint[sizeof(r->hint) - 1] = '\0';
	sb_add_printable(&text, r->msg, strlen(r->msg));
	err_setk(e, r->kind <= ERR_GUEST ? (enum err_kind)r->kind : ERR_ENGINE, 0,
		 "cannot %s: %.900s", what, text.buf);
	e->num = r->num;
	if (r->hint[0]) {
		sb_reset(&text);
		sb_add_printable(&text, r->hint, strlen(r->hint));
		err_hint(e, "%s", text.buf);
	}
	return -1;
}

static int tell_death(int status, const char *what, struct err *e)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (sig == SIGSYS)
		return err_setk(e, ERR_DENIED, 0,
				"cannot %s: its worker tried a forbidden system call", what);
	if (sig)
		return err_set(e, 0, "cannot %s: its worker was killed by signal %d (%s)", what,
			       sig, strsignal(sig));
	return err_set(e, 0, "cannot %s: its worker ended without a report", what);
}

int worker_wait(struct worker *w, const char *what, void *result, size_t len, struct err *e)
{
	struct report r = { 0 };
	size_t have = read_report(w->report_fd, &r);
	int status = 0;
	pid_t pid;

	close(w->report_fd);
	do
		pid = waitpid(w->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	if (pid < 0)
		return err_set(e, errno, "cannot %s: cannot wait for its worker", what);
	if (have != sizeof(r) || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return tell_death(status, what, e);
	if (!r.ok)
		return take_error(&r, what, e);
	memcpy(result, r.result, len);
	return 0;
}

void worker_cancel(struct worker *w)
{
	pid_t pid;

	close(w->report_fd);
	kill(w->pid, SIGKILL);
	do
		pid = waitpid(w->pid, NULL, 0);
	while (pid < 0 && errno == EINTR);
}
