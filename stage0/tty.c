/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Ends when the write end of @lifeline is closed: "x" came first if all was in order. */
static _Noreturn void guard_main(int lifeline, int tty_fd, const struct termios *saved)
{
	char c;
	ssize_t n;

	setsid(); /* no ^C, no group kill, and tcsetattr() from outside the session is allowed */
	signal(SIGTTOU, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	do
		n = read(lifeline, &c, 1);
	while (n < 0 && errno == EINTR);
	if (!n)
		tcsetattr(tty_fd, TCSAFLUSH, saved);
	_exit(0);
}

/* Double fork: the guard is nobody's child, so nobody has to wait for it. */
static int start_guard(struct tty *t, struct err *e)
{
	cleanup_close int rd = -1;
	int p[2], high;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot guard the terminal");
	rd = p[0];
	t->guard = p[1];
	pid = fork();
	if (pid < 0)
		return err_set(e, errno, "cannot guard the terminal");
	if (!pid) {
		if (fork())
			_exit(0);
		/* Holds nothing of ours: neither the pod's lock nor anybody's pipe. */
		dup2(t->fd, 0);
		high = dup2(rd, 1);
		syscall(SYS_close_range, 2, ~0U, 0);
		guard_main(high, 0, &t->saved);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

int tty_open(struct tty *t, struct err *e)
{
	*t = (struct tty)TTY_INIT;
	if (tcgetattr(STDIN_FILENO, &t->saved) < 0) {
		err_setk(e, ERR_USAGE, 0, "cannot use -t: standard input is not a terminal");
		return err_hint(e, "leave -t out; -i alone passes a pipe or file on");
	}
	t->fd = STDIN_FILENO;
	return start_guard(t, e);
}

void tty_raw(struct tty *t)
{
	struct termios raw = t->saved;

	if (t->fd < 0)
		return;
	cfmakeraw(&raw);
	(void)tcsetattr(t->fd, TCSANOW, &raw); /* a terminal that hung up */
}

void tty_restore(struct tty *t)
{
	if (t->fd >= 0)
		(void)tcsetattr(t->fd, TCSADRAIN, &t->saved); /* a terminal that hung up */
}

void tty_close(struct tty *t)
{
	if (t->fd < 0)
		return;
	tty_restore(t);
	if (t->guard >= 0 && write(t->guard, "x", 1) < 0)
		errno = 0; /* the guard was killed: nothing is left for it to do */
	close_p(&t->guard);
	t->fd = -1;
}

bool tty_size(const struct tty *t, uint16_t *rows, uint16_t *cols)
{
	struct winsize w;

	if (t->fd < 0 || ioctl(t->fd, TIOCGWINSZ, &w) < 0 || !w.ws_row || !w.ws_col)
		return false;
	*rows = w.ws_row;
	*cols = w.ws_col;
	return true;
}
