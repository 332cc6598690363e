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
#include "vmm/virtio/tap.h"

static int open_file(struct spec_file *f, int flags, const char *what, struct err *e)
{
	if (f->path) {
		f->fd = open(f->path, flags | O_CLOEXEC | O_NOCTTY, 0600);
		if (f->fd < 0)
			return err_set(e, errno, "cannot open %s %s", what, f->path);
	} else if (f->number >= 0) {
		if (fcntl(f->number, F_SETFD, FD_CLOEXEC) < 0)
			return err_set(e, errno, "cannot use file %d as %s", f->number, what);
		f->fd = f->number;
		f->number = -1;
	}
	return 0;
}

static int open_disk(struct spec_disk *d, struct err *e)
{
	unsigned i;

	for (i = 0; i < d->nr_parts; i++) {
		if (open_file(&d->parts[i], d->is_readonly ? O_RDONLY : O_RDWR, "disk", e) < 0)
			return -1;
	}
	return 0;
}

static int open_nic(struct spec_nic *n, struct err *e)
{
	if (open_file(&n->vhost, O_RDWR, "vhost-net", e) < 0)
		return -1;
	if (!n->tap[0])
		return open_file(&n->file, O_RDWR, "tap", e);
	n->file.fd = tap_open(n->tap, e);
	return n->file.fd < 0 ? -1 : 0;
}

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

/* Clients must have our uid, or root's. One that a machine before us left is taken over. */
static int open_control(struct spec_file *f, struct err *e)
{
	struct sockaddr_un at;
	mode_t mask;
	int r;

	if (!f->path)
		return open_file(f, O_RDWR, "control socket", e);
	if (open_socket(f, &at, e) < 0)
		return -1;
	if (connect(f->fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return err_set(e, EADDRINUSE, "cannot make control socket %s", f->path);
	if (errno == ECONNREFUSED)
		(void)unlink(f->path); /* bind() tells */
	mask = umask(0177);
	r = bind(f->fd, (struct sockaddr *)&at, sizeof(at));
	umask(mask);
	if (r < 0 || listen(f->fd, 4) < 0)
		return err_set(e, errno, "cannot make control socket %s", f->path);
	return 0;
}

static int open_fs(struct spec_fs *f, struct err *e)
{
	struct sockaddr_un to;

	if (!f->file.path)
		return open_file(&f->file, O_RDWR, "vhost-user socket", e);
	if (open_socket(&f->file, &to, e) < 0)
		return -1;
	if (connect(f->file.fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return err_set(e, errno, "cannot connect to %s", f->file.path);
	return 0;
}

int spec_open(struct vmm_spec *s, struct err *e)
{
	unsigned i;

	if (open_file(&s->kvm, O_RDWR, "KVM", e) < 0 ||
	    open_file(&s->kernel, O_RDONLY, "kernel", e) < 0 ||
	    open_file(&s->initrd, O_RDONLY, "initrd", e) < 0 ||
	    open_file(&s->serial, O_WRONLY | O_CREAT | O_APPEND, "serial log", e) < 0 ||
	    open_file(&s->hold, O_RDONLY, "file to hold", e) < 0 ||
	    open_file(&s->report, O_WRONLY | O_CREAT | O_TRUNC, "report", e) < 0 ||
	    open_control(&s->control, e) < 0)
		return -1;
	for (i = 0; i < s->nr_disks; i++) {
		if (open_disk(&s->disks[i], e) < 0)
			return err_wrap(e, "cannot use disk %s", s->disks[i].serial);
	}
	for (i = 0; i < s->nr_ports; i++) {
		if (open_file(&s->ports[i].file, O_RDWR, "console port", e) < 0)
			return -1;
	}
	for (i = 0; i < s->nr_nics; i++) {
		if (open_nic(&s->nics[i], e) < 0)
			return -1;
	}
	for (i = 0; i < s->nr_fs; i++) {
		if (open_fs(&s->fs[i], e) < 0)
			return err_wrap(e, "cannot use shared directory %s", s->fs[i].tag);
	}
	return 0;
}
