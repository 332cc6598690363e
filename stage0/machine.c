/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/helper.h"
#include "base/log.h"
#include "images/image.h"
#include "stage0/config.h"
#include "stage0/host.h"
#include "stage0/initrd.h"
#include "stage0/manifest.h"
#include "stage0/pod.h"
#include "stage0/runopts.h"
#include "stage0/scratch.h"
#include "stage0/uids.h"

#define SCRATCH_SERIAL "scratch"
#define DEFAULT_MEMORY (512ull << 20)
#define MEMORY_BESIDE_APPS (128ull << 20)

void machine_init(struct machine *m)
{
	*m = (struct machine){
		.uid_lock = -1, .control_fd = -1, .console_fd = -1, .message_fd = -1
	};
	m->vm.initrd_fd = m->vm.control_fd = m->vm.console_fd = m->vm.lock_fd = -1;
}

void machine_release(struct machine *m)
{
	unsigned i;

	for (i = 0; i < m->nr_image_locks; i++)
		close_p(&m->image_locks[i]);
	vmspec_free_devices(&m->vm);
	spawn_free(&m->command);
	jail_free(&m->jail);
	kernel_free(&m->kernel);
	free(m->cmdline);
	free(m->initrd);
	close_p(&m->uid_lock);
	close_p(&m->control_fd);
	close_p(&m->console_fd);
	close_p(&m->message_fd);
	close_p(&m->vm.control_fd);
	close_p(&m->vm.console_fd);
	close_p(&m->vm.initrd_fd);
}

/* What "auto" means on this host, and whether what was asked for can be had. */
static int choose_accel(const struct host *h, enum accel asked, enum accel *out, struct err *e)
{
	if (asked == ACCEL_KVM && h->kvm != KVM_WORKS) {
		err_setk(e, ERR_USAGE, 0, "cannot use --accel=kvm: %s", h->kvm_why);
		return err_hint(e, "--accel=auto falls back to software; 'vpod doctor' tells more");
	}
	*out = asked == ACCEL_AUTO ? (h->kvm == KVM_WORKS ? ACCEL_KVM : ACCEL_TCG) : asked;
	return 0;
}

int machine_choose(const struct config *cfg, const struct run_args *r, const char *kernel,
		   struct machine *m, struct err *e)
{
	enum accel asked;
	struct host host;

	if (accel_parse(r->accel, &asked, e) < 0 ||
	    kernel_find(cfg, kernel && kernel[0] ? kernel : NULL, &m->kernel, e) < 0 ||
	    kernel_check(&m->kernel, e) < 0)
		return -1;
	if (host_probe(cfg, 0, &host, e) < 0)
		return -1;
	m->hv = hv_select(r->hypervisor, asked, &host);
	if (m->hv->probe(cfg, &m->caps, e) < 0 || choose_accel(&host, asked, &m->vm.accel, e) < 0)
		return -1;
	m->vm.tsc_khz = host.tsc_khz;
	if (asked == ACCEL_AUTO && m->vm.accel == ACCEL_TCG)
		snprintf(m->why_slow, sizeof(m->why_slow), "%s", host.kvm_why);
	return 0;
}

void machine_warn(const struct machine *m)
{
	if (m->why_slow[0])
		log_warn("no hardware virtualization (%s): the pod runs in software (TCG), slowly; "
			 "--accel=tcg silences this",
			 m->why_slow);
}

static int add_part(struct vm_disk *d, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_set(e, errno, "cannot open root file system %s", path);
		close_p(&fd);
		return err_hint(e, "'vpod fetch' makes it anew");
	}
	if (!st.st_size) { /* a layer without any file content */
		close(fd);
		return 0;
	}
	d->parts = xrealloc(d->parts, (d->nr_parts + 1) * sizeof(*d->parts));
	d->parts[d->nr_parts++] = (struct vm_part){ .fd = fd, .size = (uint64_t)st.st_size };
	return 0;
}

static struct vm_disk *add_disk(struct machine *m, const char *serial)
{
	struct vm_disk *d = &m->vm.disks[m->vm.nr_disks];

	snprintf(m->serials[m->vm.nr_disks], sizeof(m->serials[0]), "%s", serial);
	*d = (struct vm_disk){ .serial = m->serials[m->vm.nr_disks] };
	m->vm.nr_disks++;
	return d;
}

/* Holds the image for as long as the VM runs, and makes it a disk. */
static int add_image(const struct config *cfg, const struct app *a, struct machine *m,
		     struct err *e)
{
	cleanup_image struct image img = { 0 };
	cleanup_free char *id = xasprintf("sha256:%s", a->image_id.hex);
	struct vm_disk *d;
	char serial[8];
	size_t i;

	if (image_hold(cfg->dir, id, &img, &m->image_locks[m->nr_image_locks], e) < 0)
		return err_wrap(e, "cannot use the image of app %s", a->name);
	m->nr_image_locks++;
	if (img.rootfs_files.nr_v > VM_MAX_PARTS)
		return err_set(e, 0, "cannot use image %s: %zu layers, at most %d", a->image_name,
			       img.rootfs_files.nr_v, VM_MAX_PARTS - 1);
	snprintf(serial, sizeof(serial), "img%u", m->vm.nr_disks);
	d = add_disk(m, serial);
	d->readonly = true;
	for (i = 0; i < img.rootfs_files.nr_v; i++) {
		if (add_part(d, img.rootfs_files.v[i], e) < 0)
			return -1;
	}
	return 0;
}

/* One disk for each different image. */
static int add_images(const struct config *cfg, const struct manifest *man, struct machine *m,
		      struct err *e)
{
	unsigned i, j;

	for (i = 0; i < man->nr_apps; i++) {
		for (j = 0; j < i; j++) {
			if (digest_equal(&man->apps[i].image_id, &man->apps[j].image_id))
				break;
		}
		m->app_disk[i] = j < i ? m->app_disk[j] : m->vm.nr_disks;
		if (j == i && add_image(cfg, &man->apps[i], m, e) < 0)
			return -1;
	}
	return 0;
}

static int add_scratch(const struct config *cfg, const struct manifest *man, const struct pod *p,
		       struct machine *m, struct err *e)
{
	uint64_t size = man->scratch_size ? man->scratch_size : SCRATCH_DEFAULT;
	struct vm_disk *d;
	int fd;

	if (man->scratch == SCRATCH_TMPFS)
		return 0;
	fd = scratch_create(cfg, p->dirfd, "scratch.img", size, e);
	if (fd < 0)
		return -1;
	d = add_disk(m, SCRATCH_SERIAL);
	d->parts = xcalloc(1, sizeof(*d->parts));
	d->parts[0] = (struct vm_part){ .fd = fd, .size = size & ~4095ull };
	d->nr_parts = 1;
	return 0;
}

/* Size of the machine: what the user said, else what the apps' limits add up to. */
static void size_vm(const struct run_args *r, const struct manifest *man, struct vm_spec *vm)
{
	uint64_t memory = MEMORY_BESIDE_APPS, milli = 0;
	unsigned i;

	for (i = 0; i < man->nr_apps; i++) {
		memory += man->apps[i].memory;
		milli += man->apps[i].cpu_milli;
	}
	vm->memory = r->vm_memory	       ? r->vm_memory
		     : memory > DEFAULT_MEMORY ? memory
					       : DEFAULT_MEMORY;
	vm->memory = (vm->memory + (1u << 20) - 1) & ~((1ull << 20) - 1);
	vm->cpus = r->vm_cpus	  ? (unsigned)r->vm_cpus
		   : milli > 1000 ? (unsigned)((milli + 999) / 1000)
				  : 1;
}

/* More than the host's memory and swap: QEMU would fail later, and say less about it. */
static int check_memory(uint64_t memory, struct err *e)
{
	struct sysinfo si;
	uint64_t most;

	if (sysinfo(&si) < 0)
		return 0; /* unknown: the hypervisor finds out */
	most = ((uint64_t)si.totalram + si.totalswap) * si.mem_unit;
	if (memory <= most)
		return 0;
	err_setk(e, ERR_USAGE, 0, "cannot run a VM with %llu MiB of memory: this host has %llu MiB",
		 (unsigned long long)(memory >> 20), (unsigned long long)(most >> 20));
	return err_hint(e, "lower --vm-memory, or the apps' --memory whose sum it is");
}

/*
 * Values from outside never get here: names, arguments and environment travel in the pod spec.
 * --kernel-append is the user's own word to the kernel.
 */
static void make_cmdline(const struct config *cfg, const struct run_args *r, struct machine *m)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	/* QEMU has no reset line that is nearer than a triple fault; ours tells them apart. */
	sb_addf(&b, "console=ttyS0 reboot=%s panic=-1", m->hv == &hv_kvm ? "k" : "t");
	sb_adds(&b, cfg->debug ? " loglevel=7" : " quiet loglevel=4");
	/* Under TCG the kernel's own calibration fails on a busy host, and the guest then hangs. */
	if (m->vm.accel == ACCEL_TCG && m->vm.tsc_khz)
		sb_addf(&b, " tsc_early_khz=%u", m->vm.tsc_khz);
	/* kernel-config/patches: without a PIT nothing else tells the APIC timer's frequency. */
	if (m->kernel.is_tuned)
		sb_adds(&b, " lapic_timer_khz=1000000 noreplace-smp");
	if (!m->vm.has_acpi)
		sb_adds(&b, " acpi=off");
	if (r->append)
		sb_addf(&b, " %s", r->append);
	m->cmdline = sb_take(&b);
	m->vm.cmdline = m->cmdline;
}

static int write_initrd(const struct config *cfg, const struct manifest *man, const struct pod *p,
			struct machine *m, struct err *e)
{
	struct pod running = *p;
	cleanup_free char *init = helper_path("vpod-init", e), *dir = NULL;
	cleanup_sb struct strbuf spec = STRBUF_INIT;
	const char *rootfs[PROTO_MAX_APPS];
	cleanup_close int fd = -1;
	unsigned i;

	if (!init)
		return -1;
	running.phase = POD_RUN; /* where it will be when the hypervisor opens it */
	dir = pod_path(cfg, &running);
	for (i = 0; i < man->nr_apps; i++)
		rootfs[i] = m->serials[m->app_disk[i]];
	manifest_spec(man, rootfs, man->scratch == SCRATCH_DISK ? SCRATCH_SERIAL : NULL, cfg->debug,
		      &spec);
	/* Readable by the hypervisor's uid through its jail; nobody else gets into the directory.
	 */
	fd = openat(p->dirfd, "initrd", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);
	if (fd < 0)
		return err_set(e, errno, "cannot create the initrd of pod %s", p->uuid);
	if (fchmod(fd, 0444) < 0)
		return err_set(e, errno, "cannot create the initrd of pod %s", p->uuid);
	m->initrd = fs_join(dir, "initrd");
	m->vm.initrd = m->initrd;
	if (initrd_write(fd, init, &m->kernel, spec.buf, spec.len, e) < 0)
		return -1;
	m->vm.initrd_fd = openat(p->dirfd, "initrd", O_RDONLY | O_CLOEXEC);
	if (m->vm.initrd_fd < 0)
		return err_set(e, errno, "cannot open the initrd of pod %s", p->uuid);
	return 0;
}

static int make_pair(int *ours, int *theirs, const char *what, struct err *e)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return err_set(e, errno, "cannot make the %s socket", what);
	*ours = sv[0];
	*theirs = sv[1];
	if (fcntl(sv[0], F_SETFL, O_NONBLOCK) < 0)
		return err_set(e, errno, "cannot make the %s socket", what);
	return 0;
}

static int make_jail(const struct config *cfg, struct machine *m, struct err *e)
{
	m->jail.extra_gid = (gid_t)-1;
	m->jail.max_fds = SPAWN_MAX_FDS + 64;
	if (m->hv->files(cfg, &m->vm, &m->jail, e) < 0)
		return -1;
	m->uid_lock = uid_take(cfg, &m->jail.uid, e);
	m->jail.gid = m->jail.uid;
	return m->uid_lock < 0 ? -1 : 0;
}

/* The hypervisor's own words go to a socket of ours; it has no standard input. */
static int make_command(const struct config *cfg, struct machine *m, struct err *e)
{
	int theirs = -1;
	unsigned i;

	if (m->hv->command(cfg, &m->vm, &m->command, e) < 0)
		return -1;
	if (make_pair(&m->message_fd, &theirs, "message", e) < 0)
		return -1;
	spawn_add_owned_fd(&m->command, theirs, 2);
	strv_add(&m->command.env, "LC_ALL=C");
	m->command.dies_with_parent = true;
	m->command.own_group = true;
	m->command.jail = &m->jail;
	/* Handed over: they are closed here when the VM has started. */
	spawn_own_fd(&m->command, take_fd(&m->vm.control_fd));
	spawn_own_fd(&m->command, take_fd(&m->vm.console_fd));
	for (i = 0; i < m->vm.nr_nics; i++)
		spawn_own_fd(&m->command, take_fd(&m->vm.nics[i].fd));
	return 0;
}

int machine_build(const struct config *cfg, const struct run_args *r, const struct pod *p,
		  const struct manifest *man, struct machine *m, struct err *e)
{
	m->vm.name = p->uuid;
	m->vm.kernel = m->kernel.vmlinux;
	m->vm.lock_fd = p->lockfd;
	size_vm(r, man, &m->vm);
	if (check_memory(m->vm.memory, e) < 0 || add_images(cfg, man, m, e) < 0 ||
	    add_scratch(cfg, man, p, m, e) < 0)
		return -1;
	m->vm.has_acpi = !m->kernel.is_tuned || !m->kernel.has_cmdline_mmio || m->vm.cpus > 1 ||
			 vmspec_needs_acpi(&m->vm, &m->caps);
	make_cmdline(cfg, r, m);
	if (write_initrd(cfg, man, p, m, e) < 0 || vmspec_check(&m->vm, &m->caps, e) < 0)
		return -1;
	if (make_pair(&m->control_fd, &m->vm.control_fd, "control", e) < 0 ||
	    make_pair(&m->console_fd, &m->vm.console_fd, "console", e) < 0)
		return -1;
	return make_jail(cfg, m, e) < 0 ? -1 : make_command(cfg, m, e);
}

void machine_undo(const struct pod *p)
{
	(void)unlinkat(p->dirfd, "initrd", 0); /* absent when it was not written */
	(void)unlinkat(p->dirfd, "scratch.img", 0);
}

void machine_print(const struct machine *m)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	size_t i;

	for (i = 0; i < m->command.argv.nr_v; i++) {
		const char *a = m->command.argv.v[i];

		if (i)
			sb_adds(&b, a[0] == '-' ? " \\\n\t" : " ");
		sb_add_shell(&b, a);
	}
	if (m->hv->describe) {
		sb_adds(&b, "\n\n");
		m->hv->describe(&m->vm, &b);
	}
	sb_addf(&b, "\n\nkernel: %s\ncommand line: %s\n", m->vm.kernel, m->vm.cmdline);
	fputs(b.buf, stdout);
}
