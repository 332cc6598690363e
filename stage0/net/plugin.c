/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a plugin is that of its process, not of its output: a daemon that it left holds the
 * pipe open for ever.  So what is awaited is the pidfd, and what stands in the pipes then is all
 * that there is.
 */
#include "stage0/net/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"
#include "base/num.h"
#include "base/spawn.h"

/* Ours of the pipes are non-blocking, the child's are as programs expect them. */
struct pipes {
	int in, out, out_child, err, err_child;
};

static void pipes_close(struct pipes *p)
{
	close_p(&p->in);
	close_p(&p->out);
	close_p(&p->out_child);
	close_p(&p->err);
	close_p(&p->err_child);
}

/* A file, not a pipe: nothing to pump, and a plugin that does not read it harms nobody. */
static int make_input(const struct strbuf *text)
{
	cleanup_close int fd = memfd_create("cni-config", MFD_CLOEXEC);

	if (fd < 0 || fs_write_all(fd, text->buf, text->len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return take_fd(&fd);
}

static int make_pipe(int *ours, int *theirs)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	*ours = p[0];
	*theirs = p[1];
	return fcntl(p[0], F_SETFL, O_NONBLOCK);
}

static int pipes_open(struct pipes *p, const struct plugin_run *r, struct err *e)
{
	p->in = make_input(r->input);
	if (p->in < 0 || make_pipe(&p->out, &p->out_child) < 0 ||
	    make_pipe(&p->err, &p->err_child) < 0)
		return err_set(e, errno, "cannot make the pipes of %s", r->path);
	return 0;
}

/*
 * Reads what is there now, at most 64 KiB; keeps at most @max bytes in all.  Returns 1 when there
 * may be more, 0 when there is none for now, -1 at the end.
 */
static int drain(int fd, struct strbuf *b, size_t max)
{
	char buf[65536];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR ? 1 : errno == EAGAIN ? 0 : -1;
	if (!n)
		return -1;
	sb_add(b, buf, (size_t)n < max - b->len ? (size_t)n : max - b->len);
	return 1;
}

/* The rest of a pipe whose program has ended; a pipe holds 1 MiB at most. */
static void drain_rest(int fd, struct strbuf *b, size_t max)
{
	unsigned i;

	for (i = 0; fd >= 0 && i < 64 && drain(fd, b, max) > 0; i++)
		;
}

static int too_much(const struct plugin_run *r, struct err *e)
{
	return err_set(e, EFBIG, "it printed over %zu bytes, and was killed", r->max_output);
}

static int out_of_time(const struct plugin_run *r, struct err *e)
{
	char text[32];

	return err_set(e, ETIMEDOUT, "it did not end in %s, and was killed",
		       num_format_duration(r->timeout_ns, text));
}

/* Until the process has ended, which is not yet reaped. */
static int await_end(struct plugin_run *r, struct pipes *p, const struct child *c, uint64_t end,
		     struct err *e)
{
	struct pollfd fds[] = { { c->pidfd, POLLIN, 0 },
				{ p->out, POLLIN, 0 },
				{ p->err, POLLIN, 0 },
				{ r->cancel_fd > 0 ? r->cancel_fd : -1, POLLIN, 0 } };

	for (;;) {
		uint64_t now = now_ns(), left = end > now ? end - now : 0;
		struct timespec t = { (time_t)(left / 1000000000), (long)(left % 1000000000) };
		int n = ppoll(fds, nitems(fds), &t, NULL);

		if (n < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait for it");
		if (n < 0)
			continue;
		if (!n || !left)
			return out_of_time(r, e);
		if (fds[0].revents)
			return 0;
		if (fds[3].revents)
			return err_set(e, ECANCELED, "it was not awaited, and was killed");
		/* One byte more than is allowed tells that it was too much. */
		if (fds[1].revents && drain(p->out, &r->out, r->max_output + 1) < 0)
			fds[1].fd = -1;
		if (fds[2].revents && drain(p->err, &r->err, PLUGIN_MAX_STDERR) < 0)
			fds[2].fd = -1;
		if (r->out.len > r->max_output)
			return too_much(r, e);
	}
}

/*
 * The group first: while its leader is not reaped, the number cannot be another's.  Killing what is
 * dead already changes nothing.
 */
static int reap(struct child *c, struct err *e)
{
	pid_t pid = c->pid;

	kill(-pid, SIGKILL);
	child_signal(c, SIGKILL);
	return child_wait(c, e);
}

static int judge(struct plugin_run *r, int status, struct err *e)
{
	if (status < 0)
		return -1;
	if (r->out.len > r->max_output)
		return too_much(r, e);
	if (WIFSIGNALED(status))
		return err_set(e, 0, "it was killed by signal %d", WTERMSIG(status));
	r->status = WEXITSTATUS(status);
	return 0;
}

static int start(const struct plugin_run *r, struct pipes *p, struct child *c, struct err *e)
{
	struct spawn s = { .dies_with_parent = true, .own_group = true };
	int rc;

	strv_add(&s.argv, r->path);
	strv_copy(&s.env, r->env);
	spawn_add_fd(&s, p->in, 0);
	spawn_add_fd(&s, p->out_child, 1);
	spawn_add_fd(&s, p->err_child, 2);
	rc = spawn_start(&s, c, e);
	spawn_free(&s);
	close_p(&p->in);
	close_p(&p->out_child);
	close_p(&p->err_child);
	return rc;
}

int plugin_run(struct plugin_run *r, struct err *e)
{
	__attribute__((__cleanup__(pipes_close))) struct pipes p = { -1, -1, -1, -1, -1 };
	struct err ignored;
	struct child c;
	uint64_t began;
	int rc, status;

	sb_init(&r->out);
	sb_init(&r->err);
	r->status = -1;
	if (pipes_open(&p, r, e) < 0 || start(r, &p, &c, e) < 0)
		return -1;
	began = now_ns();
	rc = await_end(r, &p, &c, began + r->timeout_ns, e);
	r->ns = now_ns() - began;
	status = reap(&c, rc < 0 ? &ignored : e);
	drain_rest(p.err, &r->err, PLUGIN_MAX_STDERR);
	if (rc < 0)
		return -1;
	drain_rest(p.out, &r->out, r->max_output + 1);
	return judge(r, status, e);
}
