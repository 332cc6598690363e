/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that the machine needs of the host's names is opened here, once, before the jail. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "vmm/spec.h"
#include "vmm/virtio/net_peer.h"

/* A socket, and @path as its address. */
static int open_socket(struct spec_file *f, struct sockaddr_un *a, struct err *e)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(f->path) >= sizeof(a->sun_path))
		return err_set(e, 0, "cannot use socket %s: the path is too long", f->path);
	memcpy(a->sun_path, f->path, strlen(f->path) + 1);
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return f->fd < 0 ? err_set(e, errno, "cannot make a socket") : 0;
}

static int connect_to(struct spec_file *f, struct err *e)
{
	struct sockaddr_un to;

	if (open_socket(f, &to, e) < 0)
		return -1;
	if (connect(f->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return err_set(e, errno, "cannot connect to %s", f->path);
	return 0;
}

/* Clients must have our uid, or root's. One that a machine before us left is taken over. */
static int listen_at(struct spec_file *f, const char *what, struct err *e)
{
	struct sockaddr_un at;
	mode_t mask;
	int r;

	if (open_socket(f, &at, e) < 0)
		return -1;
	if (connect(f->fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return err_set(e, EADDRINUSE, "cannot make %s %s", what, f->path);
	if (errno == ECONNREFUSED)
		(void)unlink(f->path); /* bind() tells */
	mask = umask(0177);
	r = bind(f->fd, (struct sockaddr *)&at, sizeof(at));
	umask(mask);
	if (r < 0 || listen(f->fd, 4) < 0)
		return err_set(e, errno, "cannot make %s %s", what, f->path);
	return 0;
}

static int open_path(struct spec_file *f, const char *what, struct err *e)
{
	if (f->how == SPEC_CONNECT)
		return connect_to(f, e);
	if (f->how == SPEC_LISTEN)
		return listen_at(f, what, e);
	if (f->how == SPEC_TAP) {
		f->fd = tap_open(f->path, e);
		return f->fd < 0 ? -1 : 0;
	}
	f->fd = open(f->path, f->how | O_CLOEXEC | O_NOCTTY, 0600);
	return f->fd < 0 ? err_set(e, errno, "cannot open %s %s", what, f->path) : 0;
}

struct opening {
	struct err *e;
	int result;
};

static void open_file(struct spec_file *f, const char *what, void *arg)
{
	struct opening *o = arg;

	if (o->result < 0)
		return;
	if (f->path) {
		o->result = open_path(f, what, o->e);
	} else if (f->number >= 0) {
		if (fcntl(f->number, F_SETFD, FD_CLOEXEC) < 0)
			o->result =
				err_set(o->e, errno, "cannot use file %d as %s", f->number, what);
		f->fd = f->number;
		f->number = -1;
	}
}

int spec_open(struct vmm_spec *s, struct err *e)
{
	struct opening o = { e, 0 };

	spec_each_file(s, open_file, &o);
	return o.result;
}
