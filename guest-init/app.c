/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: How an app starts
 *
 * clone3(2) makes the child in its cgroup and in a copy of our mount namespace and suspends us
 * until it has called execve(2) or ended.  What went wrong in it stands in a page that both share.
 * Its memory is a copy, not ours (no CLONE_VM): it reads the image's files, and whatever those do
 * to it must not happen to PID 1.
 *
 * The order in app_become() matters: volumes, users and the working directory come before /proc
 * exists in the app's root, so that no link of the image leads to init's world through it.
 */
#include "app.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "appfs.h"
#include "base/cleanup.h"
#include "caps.h"
#include "cgroup.h"
#include "exec.h"
#include "netfiles.h"
#include "say.h"
#include "sys.h"
#include "user.h"
#include "volumes.h"

#define NOFILE_MAX 524288 /* hard limit, as systemd gives it; the soft one stays 1024 */

struct report {
	bool is_set;
	struct err err;
};

static int open_stdio(const struct streams *s, int fds[3], struct err *e)
{
	char path[32];
	int fd;

	if (s->is_tty) {
		snprintf(path, sizeof(path), "/dev/pts/%d", s->pty);
		fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			return err_set(e, errno, "cannot open the app's terminal");
		fds[0] = fds[1] = fds[2] = fd;
		return 0;
	}
	memcpy(fds, s->child, sizeof(s->child));
	if (fds[0] < 0)
		fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fds[0] < 0)
		return err_set(e, errno, "cannot open /dev/null");
	return 0;
}

/* The user's own, so that /dev/stdout and its kind can be opened again. */
static int own_stdio(const struct streams *s, const struct user *u, struct err *e)
{
	for (int fd = 0; fd < 3; fd++) {
		if (fd == 0 && !s->is_tty && s->child[0] < 0)
			continue; /* /dev/null stays root's */
		if (u->uid && fchown(fd, u->uid, s->is_tty ? (gid_t)-1 : u->gid) < 0)
			return err_set(e, errno, "cannot give the app its standard streams");
	}
	return 0;
}

static int take_stdio(const struct streams *s, const struct user *u, struct err *e)
{
	int fds[3];

	if (open_stdio(s, fds, e) < 0)
		return -1;
	/* all are above 2: init holds the console there */
	for (int fd = 0; fd < 3; fd++) {
		if (dup2(fds[fd], fd) < 0)
			return err_set(e, errno, "cannot set the app's standard streams");
	}
	if (setsid() < 0 || (s->is_tty && ioctl(0, TIOCSCTTY, 0) < 0))
		return err_set(e, errno, "cannot make a session for the app");
	return own_stdio(s, u, e);
}

static int set_rlimits(const struct app *app, struct err *e)
{
	struct rlimit files = { .rlim_cur = 1024, .rlim_max = NOFILE_MAX };

	(void)setrlimit(RLIMIT_NOFILE, &files); /* a kernel with a lower fs.nr_open keeps its own */
	for (unsigned i = 0; i < app->nr_rlimits; i++) {
		if (setrlimit(app->rlimits[i].resource, &app->rlimits[i].limit) < 0)
			return err_set(e, errno, "cannot set resource limit %d",
				       app->rlimits[i].resource);
	}
	return 0;
}

/* Groups, user and capabilities, in the only order in which each step is still allowed. */
static int set_credentials(const struct app *app, const struct user *u, struct err *e)
{
	if (caps_bound(app->caps, e) < 0)
		return -1;
	if (setgroups(u->nr_groups, u->groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
	    setresuid(u->uid, u->uid, u->uid) < 0)
		return err_set(e, errno, "cannot become user %u, group %u", u->uid, u->gid);
	if (u->uid == 0)
		return caps_keep(app->caps, e);
	/* setresuid() took the capabilities; this keeps setuid programs from giving them back */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "cannot forbid new privileges");
	return 0;
}

static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int make_root(const struct app *app, unsigned i, const struct streams *s, struct user *u,
		     struct err *e)
{
	umask(022);
	if (appfs_enter(i, e) < 0 || volumes_mount(app, false, e) < 0 ||
	    user_lookup(u, app, e) < 0 || sys_mkdir_p(app->cwd, 0755, e) < 0)
		return -1;
	netfiles_bind(app);
	say_leave(); /* before /proc/self/fd is there, which an image's paths may name */
	if (cgroup_is_there() && unshare(CLONE_NEWCGROUP) < 0)
		return err_set(e, errno, "cannot make a cgroup namespace");
	if (appfs_mount_kernel(app, i, s->pty, e) < 0 || volumes_mount(app, true, e) < 0)
		return -1;
	return appfs_seal(app, i, e);
}

/* In the child: becomes the app, or returns. */
static int app_become(const struct app *app, unsigned i, const struct streams *s, struct err *e)
{
	static struct user u;
	char **env;

	if (make_root(app, i, s, &u, e) < 0 || take_stdio(s, &u, e) < 0 || set_rlimits(app, e) < 0)
		return -1;
	env = env_make(app, &u);
	if (!env)
		return err_set(e, 0, "cannot make the environment: too many variables");
	if (set_credentials(app, &u, e) < 0)
		return -1;
	if (chdir(app->cwd) < 0)
		return err_set(e, errno, "cannot change to directory %s", app->cwd);
	reset_signals();
	return exec_app(app->argv, env, e);
}

static pid_t clone_child(unsigned i, struct err *e)
{
	cleanup_close int group = cgroup_open(i);
	struct clone_args args = {
		.flags = CLONE_VFORK | CLONE_NEWNS | (group >= 0 ? CLONE_INTO_CGROUP : 0),
		.exit_signal = SIGCHLD,
		.cgroup = group >= 0 ? (uint64_t)group : 0,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid >= 0)
		return (pid_t)pid;
	/* before Linux 5.7 */
	pid = syscall(SYS_clone, CLONE_VFORK | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return err_set(e, errno, "cannot make a process for the app");
	if (pid == 0 && cgroup_join(i) < 0)
		_exit(125);
	return (pid_t)pid;
}

pid_t app_start(const struct app *app, unsigned i, const struct streams *s, struct err *e)
{
	static struct report *report;
	pid_t pid;

	if (!report) {
		report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (report == MAP_FAILED) {
			report = NULL;
			return err_set(e, errno, "cannot share memory with the app's process");
		}
	}
	report->is_set = false;
	pid = clone_child(i, e);
	if (pid == 0) {
		(void)app_become(app, i, s, &report->err);
		report->is_set = true;
		_exit(125);
	}
	if (pid < 0 || !report->is_set)
		return pid;
	(void)waitpid(pid, NULL, 0);
	*e = report->err;
	e->msg[sizeof(e->msg) - 1] = '\0';
	return -1;
}
