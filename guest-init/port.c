/* SPDX-License-Identifier: Apache-2.0 */
#include "port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "proto.h"
#include "sys.h"

#define PORTS "/sys/class/virtio-ports"

struct search {
	char node[64];
	int fd;
};

static bool is_ours(const char *device)
{
	char path[sizeof(PORTS) + 80], name[64];

	snprintf(path, sizeof(path), PORTS "/%.60s/name", device);
	return sys_read(path, name, sizeof(name)) > 0 && !strcmp(name, PROTO_PORT_NAME);
}

static int find(void *ctx)
{
	struct search *s = ctx;
	cleanup_closedir DIR *d = opendir(PORTS);
	struct dirent *ent;

	while (d && (ent = readdir(d))) {
		if (ent->d_name[0] == '.' || !is_ours(ent->d_name))
			continue;
		snprintf(s->node, sizeof(s->node), "/dev/%.40s", ent->d_name);
		s->fd = open(s->node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		return s->fd >= 0;
	}
	return 0;
}

/* The kernel learns by a message that the host is there; until then reads look like its end. */
static int is_connected(void *ctx)
{
	struct pollfd p = { .fd = *(int *)ctx, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && !(p.revents & POLLHUP) && (p.revents & POLLOUT);
}

int port_open(struct err *e)
{
	struct search s = { .fd = -1 };

	if (!sys_wait_for(find, &s)) {
		if (s.node[0])
			return err_set(e, errno, "cannot open %s, the way to the host", s.node);
		return err_set(
			e, 0,
			"cannot find the way to the host: no virtio-console port is named " PROTO_PORT_NAME);
	}
	if (!sys_wait_for(is_connected, &s.fd)) {
		close(s.fd);
		return err_set(e, 0,
			       "cannot speak to the host: nobody listens at " PROTO_PORT_NAME);
	}
	return s.fd;
}
