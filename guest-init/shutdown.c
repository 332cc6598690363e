/* SPDX-License-Identifier: Apache-2.0 */
#include "shutdown.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mounts.h"
#include "say.h"

#define HOST_DEADLINE_S 5

static void kill_all(void)
{
	if (kill(-1, SIGKILL) < 0)
		return; /* nobody is left */
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void on_alarm(int signo)
{
	(void)signo; /* it is here to interrupt a write */
}

/* A host that does not read must not keep the machine. */
static void set_deadline(void)
{
	struct sigaction act = { .sa_handler = on_alarm };
	sigset_t alarm_only;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	(void)sigaction(SIGALRM, &act, NULL); /* both fail for bad arguments only */
	(void)sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
	alarm(HOST_DEADLINE_S);
}

/*
 * Blocking, so that virtio_console returns when the hypervisor has taken the bytes: after that the
 * machine may vanish.
 */
static void tell_host(struct mux *m)
{
	struct pollfd p = { .fd = m->fd };

	if (poll(&p, 1, 0) == 1 && p.revents & POLLHUP)
		return; /* nobody is there */
	mux_send(m, PROTO_DONE, PROTO_POD, 0, NULL, 0);
	set_deadline();
	if (fcntl(m->fd, F_SETFL, 0) < 0 || mux_flush(m) < 0)
		say("cannot tell the host that the pod is done: %s", strerror(errno));
}

_Noreturn void shutdown_guest(struct mux *m)
{
	kill_all();
	mounts_end();
	if (m)
		tell_host(m);
	say_step("the end");
	(void)reboot(RB_AUTOBOOT); /* the hypervisor exits instead of booting again */
	for (;;)
		pause();
}
