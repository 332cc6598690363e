/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/jail.h"
#include "base/loop.h"
#include "vmm/jailed.h"
#include "vmm/sandbox.h"
#include "vmm/uart.h"

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ull
#endif

#define PATIENCE_MS 5000 /* with a machine that was asked to stop */
#define MAX_FDS 4096	 /* while the machine is made */
#define MAX_KEPT (SPEC_MAX_PARTS * SPEC_MAX_DISKS + 64)
#define FILE_SLACK 65536u /* of messages, beyond what files hold already */

static struct {
	int answer; /* socket to the starter, -1: there is none */
	unsigned nr_stages;
	struct {
		const char *name;
		uint64_t ns;
	} stages[16];
} state = { .answer = -1 };

void confine_stage(const char *name)
{
	if (state.nr_stages < nitems(state.stages)) {
		state.stages[state.nr_stages].name = name;
		state.stages[state.nr_stages++].ns = now_ns();
	}
}

void confine_print_stages(void)
{
	unsigned i;

	for (i = 1; i < state.nr_stages; i++) {
		uint64_t ns = state.stages[i].ns - state.stages[i - 1].ns;

		(void)dprintf(STDERR_FILENO, "timing: %-8s %6llu us\n", state.stages[i].name,
			      (unsigned long long)(ns / 1000)); /* nobody may listen */
	}
}

/* Stage 1. */

struct kept {
	int fds[MAX_KEPT];
	unsigned nr;
};

static void keep(struct kept *k, int fd)
{
	unsigned i;

	for (i = k->nr; i > 0 && k->fds[i - 1] > fd; i--)
		k->fds[i] = k->fds[i - 1];
	k->fds[i] = fd;
	k->nr++;
}

static void keep_numbered(struct spec_file *f, const char *what, void *arg)
{
	struct kept *k = arg;

	(void)what;
	if (f->number >= 0 && k->nr < nitems(k->fds))
		keep(k, f->number);
}

/* Closes what lies between the kept ones, which are sorted. */
static int close_others(const struct kept *k, struct err *e)
{
	unsigned i, from = 0;

	for (i = 0; i < k->nr; i++) {
		unsigned fd = (unsigned)k->fds[i];

		if (fd > from && syscall(SYS_close_range, from, fd - 1, 0) < 0)
			return err_set(e, errno, "cannot close files that were not declared");
		from = fd + 1;
	}
	if (syscall(SYS_close_range, from, ~0u, 0) < 0)
		return err_set(e, errno, "cannot close files that were not declared");
	return 0;
}

/* Whoever made the jail gave it to us: an empty root has no name for it. */
static bool is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

int confine_close(const struct vmm_spec *s, bool has_output, struct err *e)
{
	cleanup_free struct kept *k = xcalloc(1, sizeof(*k));
	int null; /* closed with the others */
	bool is_std[2] = { false, has_output };
	unsigned i;

	keep(k, STDERR_FILENO);
	if (has_output)
		keep(k, STDOUT_FILENO);
	spec_each_file((struct vmm_spec *)s, keep_numbered, k);
	for (i = 0; i < k->nr; i++) {
		if (k->fds[i] < 2)
			is_std[k->fds[i]] = true;
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; i < 2; i++) {
		if (is_std[i])
			continue;
		if (!is_null((int)i) && (null < 0 || dup2(null, (int)i) < 0))
			return err_set(e, errno, "cannot use /dev/null");
		keep(k, (int)i);
	}
	return close_others(k, e);
}

/* Stage 2. */

static bool is_cgroup2(int dir)
{
	struct statfs st;

	return fstatfs(dir, &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC;
}

/* The directory of the one cgroup of version 2, to be cloned into, or -1. */
static int open_cgroup2(const struct confine *c, struct err *e)
{
	size_t i;

	for (i = 0; i < c->cgroups.nr_v; i++) {
		int fd = open(c->cgroups.v[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0) {
			err_set(e, errno, "cannot open cgroup %s", c->cgroups.v[i]);
			return -2;
		}
		if (is_cgroup2(fd))
			return fd;
		close(fd);
	}
	return -1;
}

/* Cgroups of version 1, one for each hierarchy. */
static int join_cgroups1(const struct confine *c, pid_t pid, struct err *e)
{
	char path[4096], text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)pid);
	size_t i;

	for (i = 0; i < c->cgroups.nr_v; i++) {
		cleanup_close int fd = -1;
		cleanup_close int dir = open(c->cgroups.v[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (dir >= 0 && is_cgroup2(dir))
			continue;
		snprintf(path, sizeof(path), "%s/cgroup.procs", c->cgroups.v[i]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, text, (size_t)n) != n)
			return err_set(e, errno, "cannot enter cgroup %s", c->cgroups.v[i]);
	}
	return 0;
}

static pid_t clone_machine(const struct confine *c, const struct jail *j, struct err *e)
{
	int cgroup = open_cgroup2(c, e);
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
		uint64_t set_tid, set_tid_size, cgroup;
	} args = { .flags = jail_clone_flags(j), .exit_signal = SIGCHLD };
	pid_t pid;

	if (cgroup == -2)
		return -1;
	if (cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	close_p(&cgroup);
	if (pid >= 0)
		return pid;
	err_set(e, errno, "cannot make the machine's process in namespaces of its own");
	return err_hint(e, "'vpod doctor' tells whether namespaces work here");
}

/* *max becomes what @fd, if it is a regular file, may grow to, unless it is more already. */
static void grow(uint64_t *max, int fd, uint64_t more)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	if ((uint64_t)st.st_size + more > *max)
		*max = (uint64_t)st.st_size + more;
}

/* The most that any regular file which is open for writing may grow to; 0: cannot be told. */
static uint64_t max_file(const struct vmm_spec *s)
{
	uint64_t max = FILE_SLACK;
	unsigned i, k;

	grow(&max, STDERR_FILENO, FILE_SLACK);
	grow(&max, s->report.fd, FILE_SLACK);
	grow(&max, s->serial.fd, s->serial_max ? s->serial_max : UART_DEFAULT_MAX);
	for (i = 0; i < s->nr_disks; i++) {
		for (k = 0; k < s->disks[i].nr_parts; k++)
			grow(&max, s->disks[i].parts[k].fd, 0);
	}
	for (i = 0; i < s->nr_ports; i++) {
		struct stat st;

		if (fstat(s->ports[i].file.fd, &st) == 0 && S_ISREG(st.st_mode))
			return 0;
	}
	/* a memfd: shared with the directories' servers */
	return s->nr_fs && s->memory > max ? s->memory : max;
}

/* The starter. */

static void say(int fd, const char *text)
{
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		return; /* nobody listens */
}

/* Its process is gone without an answer. */
static _Noreturn void report_death(pid_t pid, int report)
{
	char text[120];
	int status = 0;

	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		snprintf(text, sizeof(text), "killed by signal %d\n", WTERMSIG(status));
	else
		snprintf(text, sizeof(text), "ended with status %d\n", WEXITSTATUS(status));
	say(STDERR_FILENO, "vpod-vmm: cannot go on: the machine's process was ");
	say(STDERR_FILENO, text);
	say(report, "end failed the machine's process was ");
	say(report, text);
	_exit(1);
}

static _Noreturn void wait_for_machine(pid_t pid, int answer, int signals, int report)
{
	struct pollfd p[2] = { { .fd = answer, .events = POLLIN },
			       { .fd = signals, .events = POLLIN } };
	struct signalfd_siginfo info;
	bool has_asked = false;
	unsigned char status;

	for (;;) {
		int r = poll(p, 2, has_asked ? PATIENCE_MS : -1);

		if ((r < 0 && errno != EINTR) || r == 0)
			_exit(1); /* and the machine dies with us */
		if (p[0].revents)
			break;
		if (!(p[1].revents & POLLIN) || read(signals, &info, sizeof(info)) < 0)
			continue;
		if (has_asked) /* twice: at once; the machine dies with us */
			_exit(128 + (int)info.ssi_signo);
		has_asked = true;
		say(answer, "s");
	}
	if (read(answer, &status, 1) == 1)
		_exit(status);
	report_death(pid, report);
}

/* What it keeps: its own socket, the signals, standard error and the report. */
static int start_waiting(const struct jail *j, int answer, int signals, int report, struct err *e)
{
	struct jail own = *j;
	struct kept k = { .nr = 0 };
	int cap;

	keep(&k, STDERR_FILENO);
	keep(&k, answer);
	keep(&k, signals);
	if (report >= 0)
		keep(&k, report);
	if (close_others(&k, e) < 0)
		return -1;
	/* While it may; jail_drop_rights() cannot once the uid is another. */
	for (cap = 0; j->uid && prctl(PR_CAPBSET_DROP, cap) == 0; cap++)
		;
	if (j->uid &&
	    (setresgid(j->gid, j->gid, j->gid) < 0 || setresuid(j->uid, j->uid, j->uid) < 0))
		return err_set(e, errno, "cannot become uid %u", j->uid);
	own.max_fds = 2; /* as many as poll(2) is given */
	if (jail_drop_rights(&own, e) < 0)
		return -1;
	return sandbox_enter(SANDBOX_STARTER, e);
}

static _Noreturn void be_starter(const struct confine *c, const struct jail *j, pid_t pid,
				 int answer, int signals, int report)
{
	struct err e;

	if (jail_map_ids(j, pid, &e) < 0 || join_cgroups1(c, pid, &e) < 0 ||
	    (send(answer, "g", 1, MSG_NOSIGNAL) < 0 &&
	     err_set(&e, errno, "cannot let the machine go")) ||
	    start_waiting(j, answer, signals, report, &e) < 0) {
		err_print(&e, "vpod-vmm");
		_exit(1); /* and the machine dies with us */
	}
	wait_for_machine(pid, answer, signals, report);
}

/* The machine's process. */

/* Nothing is allowed, by the newest rules that this kernel knows. */
static int deny_all(struct err *e)
{
	struct {
		uint64_t fs, net, scoped;
	} rules = { 0 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	cleanup_close int fd = -1;

	if (abi <= 0)
		return 0; /* not there, or off: seccomp, the empty root and the net namespace are */
	rules.fs = (1ull << (abi >= 5 ? 16 : abi >= 3 ? 15 : abi >= 2 ? 14 : 13)) - 1;
	rules.net = abi >= 4 ? 3 : 0;	 /* bind, connect */
	rules.scoped = abi >= 6 ? 3 : 0; /* abstract sockets, signals */
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules,
			  abi >= 6   ? sizeof(rules)
			  : abi >= 4 ? 2 * sizeof(uint64_t)
				     : sizeof(uint64_t),
			  0);
	if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return err_set(e, errno, "cannot deny file access with Landlock");
	return 0;
}

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static int give_up_rest(struct err *e)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(e, errno, "cannot give up being traced");
	(void)prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0); /* Linux 6.3 */
	return deny_all(e);
}

static int be_machine(const struct jail *j, int answer, struct err *e)
{
	char go;

	state.answer = answer;
	if (recv(answer, &go, 1, 0) != 1)
		_exit(1); /* the starter said why */
	confine_stage("clone");
	if (jail_enter(j, e) < 0)
		return -1;
	/* After the identity changed: a change of credentials clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_set(e, errno, "cannot die with who started the machine");
	if (!recv(answer, &go, 1, MSG_DONTWAIT))
		_exit(1);
	confine_stage("jail");
	if (give_up_rest(e) < 0)
		return -1;
	confine_stage("deny");
	return answer;
}

static unsigned max_fds(void)
{
	struct rlimit r;

	return getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_max < MAX_FDS ? (unsigned)r.rlim_max
									 : MAX_FDS;
}

static int split(const struct confine *c, const struct vmm_spec *s, int signals, struct err *e)
{
	struct jail j = { .extra_gid = (gid_t)-1, .max_file = max_file(s), .max_fds = max_fds() };
	int sv[2];
	pid_t pid;

	if (geteuid() == 0) {
		j.uid = c->uid ? (uid_t)c->uid
			       : CONFINE_UID_FIRST + (uid_t)getpid() % CONFINE_UID_COUNT;
		j.gid = j.uid;
	} else if (c->uid) {
		return err_setk(e, ERR_USAGE, 0, "cannot use --uid: only root may choose it");
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return err_set(e, errno, "cannot make a socket to the machine");
	pid = clone_machine(c, &j, e);
	if (pid < 0)
		return -1;
	if (pid) {
		close(sv[1]);
		be_starter(c, &j, pid, sv[0], signals, s->report.fd);
	}
	close(sv[0]);
	close(signals);
	return be_machine(&j, sv[1], e);
}

/* SIGTERM and SIGINT become a file; a reader that is gone is an error of write(2). */
static int take_signals(struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "cannot watch signals") : fd;
}

int confine_enter(const struct confine *c, const struct vmm_spec *s, struct err *e)
{
	int signals = take_signals(e);

	if (signals < 0)
		return -1;
	if (c->is_open)
		return signals;
	if (!c->is_jailed)
		return split(c, s, signals, e);
	if (jailed_check(e) < 0 || give_up_rest(e) < 0)
		return -1;
	confine_stage("deny");
	return signals;
}

/*
 * With a limit of 0 what is there stays, and nothing joins it.  io_uring's workers are the kernel's
 * to make, but in our name: then that we make no thread is the filters' part alone.
 */
int confine_finish(unsigned more, bool has_io_uring, struct err *e)
{
	struct rlimit none = { 0, 0 }, files = { 0, 0 };

	if (more) {
		int next = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

		if (next < 0)
			return err_set(e, errno, "cannot count the open files");
		close(next);
		files.rlim_cur = files.rlim_max = (rlim_t)next + more;
	}
	if ((!has_io_uring && setrlimit(RLIMIT_NPROC, &none) < 0) ||
	    setrlimit(RLIMIT_NOFILE, &files) < 0)
		return err_set(e, errno, "cannot limit the machine");
	return 0;
}

_Noreturn void confine_exit(int status)
{
	unsigned char answer = (unsigned char)status;

	if (state.answer >= 0 && write(state.answer, &answer, 1) < 0)
		_exit(1); /* the starter is gone */
	_exit(status);	  /* other threads may be in KVM: nothing of theirs is torn down in order */
}
