/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The KVM backend: vpod-vmm, our own monitor.  It gets no path at all: its program, kernel, initrd,
 * disks, sockets and /dev/kvm are inherited fds, so that the root of its jail is empty.  The
 * machine's description is a memfd (vpod-vmm(1)).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cidr.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/helper.h"
#include "stage0/config.h"
#include "stage0/host.h"
#include "stage0/vmspec.h"

/* fd numbers in vpod-vmm: 2 takes its words and its report. */
enum {
	LOCK_FD = 3,
	SPEC_FD,
	PROGRAM_FD,
	KVM_FD,
	KERNEL_FD,
	INITRD_FD,
	CONTROL_FD,
	CONSOLE_FD,
	FIRST_DISK_FD = 16, /* the NICs' come behind the disks' */
};

/*
 * vpod-vmm has 32 device slots, one is the console's, one the rng's.  Without ACPI each takes 40
 * bytes of the kernel's command line.
 */
#define KVM_MAX_DISKS 22
#define KVM_MAX_DEVICES 30
#define KVM_MAX_DEVICES_CMDLINE 16

static int kvm_backend_probe(const struct config *cfg, struct hv_caps *caps, struct err *e)
{
	cleanup_free char *path = helper_path("vpod-vmm", e);
	struct host host;

	if (!path || host_probe(cfg, 0, &host, e) < 0)
		return -1;
	if (host.kvm != KVM_WORKS) {
		err_setk(e, ERR_USAGE, 0, "cannot use --hypervisor=kvm: %s", host.kvm_why);
		return err_hint(e,
				"--hypervisor=auto falls back to QEMU; 'vpod doctor' tells more");
	}
	*caps = (struct hv_caps){ .max_cpus = 16,
				  .max_disks = KVM_MAX_DISKS,
				  .max_nics = VM_MAX_NICS,
				  .max_devices = KVM_MAX_DEVICES,
				  .max_devices_without_acpi = KVM_MAX_DEVICES_CMDLINE,
				  .kvm = true };
	return 0;
}

static int no_files(const struct config *cfg, const struct vm_spec *vm, struct jail *jail,
		    struct err *e)
{
	(void)cfg;
	(void)vm;
	(void)jail;
	(void)e;
	return 0;
}

static void add_disk(struct strbuf *b, const struct vm_disk *d, int *next)
{
	unsigned i;

	sb_addf(b, "disk serial=%s readonly=%s", d->serial, d->readonly ? "on" : "off");
	for (i = 0; i < d->nr_parts; i++)
		sb_addf(b, " fd=%d", (*next)++);
	sb_addc(b, '\n');
}

static void add_nic(struct strbuf *b, const struct vm_nic *n, int fd)
{
	char mac[18];

	sb_addf(b, "net%s fd=%d mac=%s", n->is_stream ? " kind=stream" : "", fd,
		mac_text(n->mac, mac));
	if (n->mtu)
		sb_addf(b, " mtu=%u", n->mtu);
	sb_addc(b, '\n');
}

static void describe(const struct vm_spec *vm, struct strbuf *b)
{
	int next = FIRST_DISK_FD;
	unsigned i;

	sb_addf(b, "vpod-vmm 1\nmachine name=%s cpus=%u memory=%llu acpi=%s\n", vm->name, vm->cpus,
		(unsigned long long)vm->memory, vm->has_acpi ? "on" : "off");
	sb_addf(b, "kvm fd=%d\nkernel fd=%d\ninitrd fd=%d\ncmdline %s\n", KVM_FD, KERNEL_FD,
		INITRD_FD, vm->cmdline);
	sb_addf(b, "serial fd=%d max=%llu\nconsole name=vpod.control fd=%d\nrng\n", CONSOLE_FD,
		1ull << 40, CONTROL_FD);
	for (i = 0; i < vm->nr_disks; i++)
		add_disk(b, &vm->disks[i], &next);
	for (i = 0; i < vm->nr_nics; i++)
		add_nic(b, &vm->nics[i], next++);
	sb_addf(b, "report fd=2\nhold fd=%d\n", LOCK_FD);
}

static int add_path(struct spawn *s, const char *path, int flags, int as, struct err *e)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, "cannot open %s", path);
	spawn_add_owned_fd(s, fd, as);
	return 0;
}

static int add_description(struct spawn *s, const struct vm_spec *vm, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	int fd = memfd_create("vpod-vmm-spec", MFD_CLOEXEC);

	describe(vm, &b);
	if (fd < 0 || fs_write_all(fd, b.buf, b.len) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		err_set(e, errno, "cannot write the machine's description");
		close_p(&fd);
		return -1;
	}
	spawn_add_owned_fd(s, fd, SPEC_FD);
	return 0;
}

static int kvm_command(const struct config *cfg, const struct vm_spec *vm, struct spawn *out,
		       struct err *e)
{
	cleanup_free char *path = helper_path("vpod-vmm", e);
	unsigned i, j;
	int next = FIRST_DISK_FD;

	(void)cfg;
	if (!path)
		return -1;
	strv_add(&out->argv, path);
	strv_addf(&out->argv, "--spec=fd:%d", SPEC_FD);
	strv_add(&out->argv, "--jailed");
	out->program_fd = PROGRAM_FD;
	if (add_path(out, path, O_RDONLY, PROGRAM_FD, e) < 0 ||
	    add_path(out, "/dev/kvm", O_RDWR, KVM_FD, e) < 0 ||
	    add_path(out, vm->kernel, O_RDONLY, KERNEL_FD, e) < 0 ||
	    add_description(out, vm, e) < 0)
		return -1;
	spawn_add_fd(out, vm->initrd_fd, INITRD_FD);
	spawn_add_fd(out, vm->lock_fd, LOCK_FD);
	spawn_add_fd(out, vm->control_fd, CONTROL_FD);
	spawn_add_fd(out, vm->console_fd, CONSOLE_FD);
	for (i = 0; i < vm->nr_disks; i++) {
		for (j = 0; j < vm->disks[i].nr_parts; j++)
			spawn_add_fd(out, vm->disks[i].parts[j].fd, next++);
	}
	for (i = 0; i < vm->nr_nics; i++)
		spawn_add_fd(out, vm->nics[i].fd, next++);
	return 0;
}

const struct hypervisor hv_kvm = {
	.name = "kvm",
	.probe = kvm_backend_probe,
	.files = no_files,
	.command = kvm_command,
	.describe = describe,
};
