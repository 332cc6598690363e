/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that the machine needs of the host's names is opened here, once, before the jail. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
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
	if (!n->tap[0])
		return open_file(&n->file, O_RDWR, "tap", e);
	n->file.fd = tap_open(n->tap, e);
	return n->file.fd < 0 ? -1 : 0;
}

static int open_fs(struct spec_fs *f, struct err *e)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (!f->file.path)
		return open_file(&f->file, O_RDWR, "vhost-user socket", e);
	if (strlen(f->file.path) >= sizeof(to.sun_path))
		return err_set(e, 0, "cannot connect to %s: the path is too long", f->file.path);
	memcpy(to.sun_path, f->file.path, strlen(f->file.path) + 1);
	f->file.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (f->file.fd < 0 || connect(f->file.fd, (struct sockaddr *)&to, sizeof(to)) < 0)
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
	    open_file(&s->report, O_WRONLY | O_CREAT | O_TRUNC, "report", e) < 0)
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
