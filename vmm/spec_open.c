/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that the machine needs of the host's names is opened here, once, before the jail. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "vmm/spec.h"

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
		if (open_file(&s->nics[i].file, O_RDWR, "tap", e) < 0)
			return -1;
	}
	return 0;
}
