/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The QEMU backend: -M microvm, virtio-mmio, an ELF vmlinux booted by PVH.  QEMU gets no path but
 * of its own files, the kernel and the initrd; disks and sockets are inherited fds.
 *
 * A disk of several parts is a VMDK descriptor with flat extents, the one concatenation that QEMU's
 * block layer knows; the descriptor is ours, its extents are fds.  No format is ever detected.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cidr.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/jail.h"
#include "stage0/config.h"
#include "stage0/qemu.h"
#include "stage0/vmspec.h"

/* fd numbers in QEMU: 3 the lock, then the sockets, then the parts of the disks, then the NICs. */
enum { LOCK_FD = 3, CONTROL_FD, CONSOLE_FD, FIRST_DISK_FD = 16 };

/* virtio-mmio slots of microvm: 8 without the second IOAPIC, one is the console's, one the rng's.
 */
#define QEMU_MAX_DEVICES_CMDLINE 6
#define QEMU_MAX_DEVICES 22

static int qemu_probe(const struct config *cfg, struct hv_caps *caps, struct err *e)
{
	cleanup_free char *path = qemu_path(e);

	(void)cfg;
	if (!path)
		return -1;
	*caps = (struct hv_caps){ .max_cpus = 16,
				  .max_disks = QEMU_MAX_DEVICES,
				  .max_nics = VM_MAX_NICS,
				  .max_devices = QEMU_MAX_DEVICES,
				  .max_devices_without_acpi = QEMU_MAX_DEVICES_CMDLINE };
	return 0;
}

static void arg(struct spawn *s, const char *option, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void arg(struct spawn *s, const char *option, const char *fmt, ...)
{
	char text[8192];
	va_list ap;

	strv_add(&s->argv, option);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	strv_add(&s->argv, text);
}

static uint64_t padded(uint64_t size)
{
	return (size + 4095) & ~4095ull;
}

/* Text of a VMDK descriptor whose extents are fd sets first, first+1, …; sizes in 512-byte sectors.
 */
static void vmdk_text(const struct vm_disk *d, int first, struct strbuf *b)
{
	unsigned i;

	sb_adds(b, "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
		   "createType=\"twoGbMaxExtentFlat\"\n\n# Extent description\n");
	for (i = 0; i < d->nr_parts; i++)
		sb_addf(b, "RW %llu FLAT \"/dev/fdset/%d\" 0\n",
			(unsigned long long)(padded(d->parts[i].size) / 512), first + (int)i);
}

/* Opened anew to read: an fd set serves only the access mode that its fd has. */
static int vmdk_memfd(const struct vm_disk *d, int first, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	cleanup_close int fd = memfd_create("vpod-disk", MFD_CLOEXEC);
	char path[32];
	int ro = -1;

	vmdk_text(d, first, &b);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd >= 0 && fs_write_all(fd, b.buf, b.len) == 0)
		ro = open(path, O_RDONLY | O_CLOEXEC);
	return ro < 0 ? err_set(e, errno, "cannot make a disk descriptor") : ro;
}

static void add_fdset(struct spawn *s, int fd)
{
	arg(s, "-add-fd", "fd=%d,set=%d", fd, fd);
}

static int add_disk(struct spawn *s, const struct vm_disk *d, unsigned index, int *next,
		    struct err *e)
{
	const char *ro = d->readonly ? "on" : "off";
	int first = *next, desc, n = first;
	unsigned i;

	for (i = 0; i < d->nr_parts; i++) {
		spawn_add_fd(s, d->parts[i].fd, n);
		add_fdset(s, n++);
	}
	if (d->nr_parts > 1) {
		desc = vmdk_memfd(d, first, e);
		if (desc < 0)
			return -1;
		spawn_add_owned_fd(s, desc, n);
		add_fdset(s, n);
		arg(s, "-blockdev",
		    "driver=vmdk,node-name=disk%u,read-only=on,file.driver=file,"
		    "file.filename=/dev/fdset/%d,file.locking=off,file.read-only=on",
		    index, n++);
	} else {
		arg(s, "-blockdev",
		    "driver=raw,node-name=disk%u,read-only=%s,discard=unmap,file.driver=file,"
		    "file.filename=/dev/fdset/%d,file.locking=off,file.read-only=%s,"
		    "file.discard=unmap",
		    index, ro, first, ro);
	}
	arg(s, "-device", "virtio-blk-device,drive=disk%u,serial=%s", index, d->serial);
	*next = n;
	return 0;
}

/* That a tap's frames have headers, QEMU finds out itself. */
static void add_nic(struct spawn *s, const struct vm_nic *n, unsigned index, int fd)
{
	char mac[18], mtu[32] = "";

	spawn_add_fd(s, n->fd, fd);
	if (n->is_stream)
		arg(s, "-netdev", "stream,id=net%u,server=off,addr.type=fd,addr.str=%d", index, fd);
	else
		arg(s, "-netdev", "tap,id=net%u,fd=%d,vhost=off", index, fd);
	if (n->mtu)
		snprintf(mtu, sizeof(mtu), ",host_mtu=%u", n->mtu);
	arg(s, "-device", "virtio-net-device,netdev=net%u,mac=%s%s", index, mac_text(n->mac, mac),
	    mtu);
}

static void add_machine(struct spawn *s, const struct vm_spec *vm)
{
	const char *accel = vm->accel == ACCEL_KVM ? "kvm" : "tcg";

	arg(s, "-name", "%s,process=vpod-qemu", vm->name);
	strv_add(&s->argv, "-nodefaults");
	strv_add(&s->argv, "-no-user-config");
	strv_add(&s->argv, "-no-reboot");
	arg(s, "-display", "none");
	arg(s, "-monitor", "none");
	/* Many vCPUs on few cores: one thread is faster, and multi-threaded TCG was seen to crash.
	 */
	arg(s, "-accel", "%s%s", accel,
	    vm->accel == ACCEL_TCG && vm->cpus > 2 ? ",thread=single" : "");
	/* Without ACPI the devices stand on the command line, which QEMU completes itself. */
	arg(s, "-machine", "microvm,acpi=%s,pit=off,pic=off,rtc=on,isa-serial=on",
	    vm->has_acpi ? "on" : "off");
	arg(s, "-global", "virtio-mmio.force-legacy=false");
	arg(s, "-cpu", vm->accel == ACCEL_KVM ? "host" : "max");
	arg(s, "-smp", "%u", vm->cpus);
	arg(s, "-m", "%lluM", (unsigned long long)(vm->memory >> 20));
	arg(s, "-kernel", "%s", vm->kernel);
	arg(s, "-initrd", "%s", vm->initrd);
	arg(s, "-append", "%s", vm->cmdline);
	arg(s, "-sandbox",
	    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

static void add_channels(struct spawn *s)
{
	arg(s, "-chardev", "socket,id=console,fd=%d", CONSOLE_FD);
	arg(s, "-serial", "chardev:console");
	arg(s, "-device", "virtio-serial-device,max_ports=2");
	arg(s, "-chardev", "socket,id=control,fd=%d", CONTROL_FD);
	arg(s, "-device", "virtserialport,chardev=control,name=vpod.control");
	arg(s, "-object", "rng-builtin,id=rng0");
	arg(s, "-device", "virtio-rng-device,rng=rng0");
}

static int qemu_command(const struct config *cfg, const struct vm_spec *vm, struct spawn *out,
			struct err *e)
{
	cleanup_free char *path = qemu_path(e);
	int next = FIRST_DISK_FD;
	unsigned i;

	(void)cfg;
	if (!path)
		return -1;
	if (strchr(vm->kernel, ',') || strchr(vm->initrd, ','))
		return err_set(e, 0, "cannot run QEMU: a path with a comma (%s, %s)", vm->kernel,
			       vm->initrd);
	strv_add(&out->argv, path);
	add_machine(out, vm);
	spawn_add_fd(out, vm->lock_fd, LOCK_FD);
	spawn_add_fd(out, vm->control_fd, CONTROL_FD);
	spawn_add_fd(out, vm->console_fd, CONSOLE_FD);
	add_channels(out);
	for (i = 0; i < vm->nr_disks; i++) {
		if (add_disk(out, &vm->disks[i], i, &next, e) < 0)
			return -1;
	}
	for (i = 0; i < vm->nr_nics; i++)
		add_nic(out, &vm->nics[i], i, next++);
	return 0;
}

static int qemu_jail_files(const struct config *cfg, const struct vm_spec *vm, struct jail *jail,
			   struct err *e)
{
	struct stat kvm;

	if (qemu_files(cfg, &jail->files, e) < 0)
		return -1;
	strv_add(&jail->files, vm->kernel);
	strv_add(&jail->files, vm->initrd);
	/* It tries locks on it, and complains in front of what it has to say. */
	strv_add(&jail->devices, "/dev/null");
	if (vm->accel != ACCEL_KVM)
		return 0;
	strv_add(&jail->devices, "/dev/kvm");
	if (stat("/dev/kvm", &kvm) == 0 && kvm.st_gid) /* never the group of root */
		jail->extra_gid = kvm.st_gid;
	return 0;
}

const struct hypervisor hv_qemu = {
	.name = "qemu",
	.probe = qemu_probe,
	.files = qemu_jail_files,
	.command = qemu_command,
};
