/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "stage0/cmd.h"
#include "stage0/control.h"
#include "stage0/pod.h"
#include "stage0/status.h"
#include "stage0/uuidarg.h"

#define STOP_DEFAULT_NS 10000000000ull
#define STOP_SLACK_NS 15000000000ull /* for the supervisor to end after the VM was killed */

struct stop_args {
	bool force;
	uint64_t time_ns;
	const char *uuid_file;
};

#define S(f) offsetof(struct stop_args, f)
static const struct opt stop_opts[] = {
	{ "force", 0, OPT_BOOL, S(force), NULL, NULL, "end the VM at once", NULL },
	{ "time", 0, OPT_DURATION, S(time_ns), "TIME", NULL,
	  "how long the apps may take before the kill (10s)", NULL },
	{ "uuid-file", 0, OPT_STR, S(uuid_file), "FILE", NULL, "read the UUID from a file", NULL },
	OPT_END,
};

/* The supervisor's end of the connection closes when it has written the pod's status. */
static int await_end(int fd, const struct pod *p, uint64_t most_ns, struct err *e)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int r;

	do
		r = poll(&pfd, 1, (int)(most_ns / 1000000));
	while (r < 0 && errno == EINTR);
	if (!r)
		return err_set(e, ETIMEDOUT, "cannot stop pod %s: it still runs", p->uuid),
		       err_hint(e, "'vpod stop --force' ends the VM at once");
	return 0;
}

/* It is not to be reached, but it lives: hung, or just about to end. Never a pid alone. */
static int kill_supervisor(const struct pod *p, struct err *e)
{
	struct pod_status st;

	if (status_read(p->dirfd, &st, e) < 0)
		return -1;
	if (!st.pid || process_start(st.pid) != st.pid_start)
		return 0;
	if (kill(st.pid, SIGKILL) < 0 && errno != ESRCH)
		return err_set(e, errno, "cannot kill the supervisor of pod %s", p->uuid);
	return 0;
}

/* The directory's lock is free when the last process of the pod has gone. */
static int await_unlock(struct pod *p, struct err *e)
{
	struct timespec pause = { .tv_nsec = 10000000 };
	uint64_t start = now_ns();

	for (;;) {
		pod_refresh(p);
		if (!p->is_locked)
			return 0;
		if (now_ns() - start > STOP_SLACK_NS)
			return err_set(e, ETIMEDOUT, "cannot stop pod %s: something holds its lock",
				       p->uuid);
		nanosleep(&pause, NULL);
	}
}

static int stop_running(struct pod *p, const struct stop_args *a, struct err *e)
{
	uint64_t grace = a->time_ns;
	cleanup_close int fd = -1;
	struct err asked = { 0 };
	char req[64];

	snprintf(req, sizeof(req), a->force ? "kill" : "stop %llu",
		 (unsigned long long)(grace / 1000000));
	fd = control_ask(p, req, &asked);
	pod_refresh(p);
	if (fd < 0 && !p->is_locked)
		return 0; /* it ended just now */
	if (fd < 0 && !a->force) {
		*e = asked;
		return -1;
	}
	if (fd < 0 && kill_supervisor(p, e) < 0)
		return -1;
	if (fd >= 0 && await_end(fd, p, grace + STOP_SLACK_NS, e) < 0)
		return -1;
	return await_unlock(p, e);
}

static int stop_uuid(const struct config *cfg, const char *uuid, void *ctx, struct err *e)
{
	const struct stop_args *a = ctx;
	cleanup_pod struct pod p = POD_INIT;

	if (pod_open(cfg, uuid, &p, e) < 0)
		return -1;
	if (p.phase == POD_PREPARE || p.phase == POD_PREPARED)
		return err_setk(e, ERR_USAGE, 0, "cannot stop pod %s: it is %s", p.uuid,
				pod_state(&p));
	if (p.phase == POD_RUN && p.is_locked && stop_running(&p, a, e) < 0)
		return -1;
	printf("\"%s\"\n", p.uuid);
	return 0;
}

static int stop(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct stop_args a = { .time_ns = STOP_DEFAULT_NS };
	char uuid[UUID_LEN + 1];
	int i = cmd_parse(&cmd_stop, &a, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (a.uuid_file) {
		if (uuid_argument(&cmd_stop, argc - i, argv + i, a.uuid_file, uuid, e) < 0)
			return -1;
		return stop_uuid(cfg, uuid, &a, e);
	}
	if (cmd_operands(&cmd_stop, argc - i, 1, 0, e) < 0)
		return -1;
	return each_uuid(cfg, argc - i, argv + i, stop_uuid, &a, e);
}

const struct cmd cmd_stop = {
	.name = "stop",
	.args = "UUID…",
	.summary = "stop running pods and wait for their end",
	.opts = stop_opts,
	.run = stop,
};
