/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/num.h"
#include "stage0/pod.h"

/* By the directory's fd: a data directory's path may be longer than a socket address. */
static void address(const struct pod *p, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/control.sock", p->dirfd);
}

static int may_ask(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	       (cred.uid == 0 || cred.uid == geteuid());
}

static void client_close(struct control_client *cl)
{
	int fd = cl->src.fd;

	if (!cl->src.loop)
		return;
	loop_remove(&cl->src);
	close(fd);
}

static void client_ready(struct source *s, uint32_t events)
{
	struct control_client *cl = (struct control_client *)s;
	struct control *c = cl->control;
	const char *answer = "unknown request";
	char req[64];
	ssize_t n = recv(s->fd, req, sizeof(req) - 1, MSG_DONTWAIT);
	uint64_t ms;

	(void)events;
	if (n <= 0) {
		if (!n || (errno != EAGAIN && errno != EINTR))
			client_close(cl);
		return;
	}
	req[n] = '\0';
	if (!strcmp(req, "kill")) {
		c->kill(c->ctx);
		answer = "ok";
	} else if (!strncmp(req, "stop ", 5) && !num_parse_u64(req + 5, 0, UINT32_MAX, &ms)) {
		c->stop(c->ctx, (uint32_t)ms);
		answer = "ok";
	}
	if (send(s->fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		client_close(cl);
}

static void control_ready(struct source *s, uint32_t events)
{
	struct control *c = (struct control *)s;
	cleanup_close int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct err e;
	size_t i;

	(void)events;
	if (fd < 0 || !may_ask(fd))
		return;
	for (i = 0; i < CONTROL_MAX_CLIENTS && c->clients[i].src.loop; i++)
		;
	if (i == CONTROL_MAX_CLIENTS)
		return; /* closed at once: the asker is told to try again */
	c->clients[i].control = c;
	if (loop_add(s->loop, &c->clients[i].src, fd, EPOLLIN, client_ready, &e) == 0) {
		c->clients[i].control = c;
		take_fd(&fd);
	}
}

int control_open(struct control *c, struct loop *l, const struct pod *p, struct err *e)
{
	struct sockaddr_un a;

	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return err_set(e, errno, "cannot make the pod's control socket");
	address(p, &a);
	if (bind(c->fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(c->fd, 16) < 0)
		return err_set(e, errno, "cannot make the pod's control socket");
	return loop_add(l, &c->src, c->fd, EPOLLIN, control_ready, e);
}

void control_close(struct control *c)
{
	size_t i;

	for (i = 0; i < CONTROL_MAX_CLIENTS; i++)
		client_close(&c->clients[i]);
	loop_remove(&c->src);
	close_p(&c->fd);
}

int control_ask(const struct pod *p, const char *request, struct err *e)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = 10 };
	struct sockaddr_un a;
	char answer[64];
	ssize_t n;

	if (fd < 0)
		return err_set(e, errno, "cannot reach pod %s", p->uuid);
	address(p, &a);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		return err_set(e, errno, "cannot reach the supervisor of pod %s", p->uuid);
	n = recv(fd, answer, sizeof(answer) - 1, 0);
	if (n < 0 && errno == EAGAIN) {
		err_set(e, 0, "cannot ask pod %s to '%s': its supervisor does not answer", p->uuid,
			request);
		return err_hint(e, "'vpod stop --force' ends it without asking");
	}
	if (n < 0)
		return err_set(e, errno, "cannot hear from the supervisor of pod %s", p->uuid);
	answer[n] = '\0';
	if (strcmp(answer, "ok"))
		return err_set(e, 0, "cannot ask pod %s to '%s': it answered '%s'", p->uuid,
			       request, answer);
	return take_fd(&fd);
}
