/* SPDX-License-Identifier: Apache-2.0 */
#include "shutdown.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mounts.h"
#include "say.h"

static void kill_all(void)
{
	if (kill(-1, SIGKILL) < 0)
		return; /* nobody is left */
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/*
 * Blocking, so that virtio_console returns when the hypervisor has taken the bytes: after that the
 * machine may vanish.
 */
static void tell_host(struct mux *m)
{
	mux_send(m, PROTO_DONE, PROTO_POD, 0, NULL, 0);
	if (fcntl(m->fd, F_SETFL, 0) < 0 || mux_flush(m) < 0)
		say("cannot tell the host that the pod is done");
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
