/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmargv HYPERVISOR [acpi] [DEVICE]...: the command of a machine with these devices, as --dry-run
 * shows it, then which file of ours has which number there.  Starts nothing.  A device is
 * disk:SERIAL, tap:MAC:MTU or stream:MAC:MTU, MAC in twelve digits; MTU 0: none is told.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "stage0/config.h"
#include "stage0/vmspec.h"

static struct vm_spec vm = {
	.name = "example",
	.accel = ACCEL_TCG,
	.cpus = 1,
	.memory = 512u << 20,
	.kernel = "/dev/null",
	.initrd = "/dev/null",
	.cmdline = "console=ttyS0",
};
static struct vm_part parts[VM_MAX_DISKS];

static int null_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		perror("vmargv: cannot open /dev/null");
		exit(1);
	}
	return fd;
}

static bool add_nic(const char *text)
{
	struct vm_nic *n = &vm.nics[vm.nr_nics];
	unsigned char *m = n->mac;

	n->is_stream = text[0] == 's';
	n->fd = null_fd();
	vm.nr_nics++;
	return sscanf(strchr(text, ':'), ":%2hhx%2hhx%2hhx%2hhx%2hhx%2hhx:%u", m, m + 1, m + 2,
		      m + 3, m + 4, m + 5, &n->mtu) == 7;
}

static bool add_device(const char *text)
{
	struct vm_part *p = &parts[vm.nr_disks];

	if (!strcmp(text, "acpi"))
		return vm.has_acpi = true;
	if (!strncmp(text, "tap:", 4) || !strncmp(text, "stream:", 7))
		return vm.nr_nics < VM_MAX_NICS && add_nic(text);
	if (strncmp(text, "disk:", 5) != 0 || vm.nr_disks == VM_MAX_DISKS)
		return false;
	*p = (struct vm_part){ .fd = null_fd(), .size = 4096 };
	vm.disks[vm.nr_disks++] = (struct vm_disk){ .serial = text + 5, .parts = p, .nr_parts = 1 };
	return true;
}

/* A file of ours by its number here; what a backend opened itself has no name. */
static void print_file(const struct spawn_fd *f)
{
	unsigned i;

	printf("%d:", f->as);
	if (f->fd == vm.initrd_fd || f->fd == vm.lock_fd || f->fd == vm.control_fd ||
	    f->fd == vm.console_fd)
		printf(" %s", f->fd == vm.initrd_fd    ? "initrd"
			      : f->fd == vm.lock_fd    ? "lock"
			      : f->fd == vm.control_fd ? "control"
						       : "console");
	for (i = 0; i < vm.nr_disks; i++) {
		if (vm.disks[i].parts->fd == f->fd)
			printf(" disk %u", i);
	}
	for (i = 0; i < vm.nr_nics; i++) {
		if (vm.nics[i].fd == f->fd)
			printf(" NIC %u", i);
	}
	putchar('\n');
}

static void print(const struct hypervisor *hv, const struct spawn *s)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	size_t i;

	for (i = 0; i < s->argv.nr_v; i++)
		printf("%s%s", !i ? "" : s->argv.v[i][0] == '-' ? " \\\n\t" : " ", s->argv.v[i]);
	putchar('\n');
	if (hv->describe) {
		hv->describe(&vm, &b);
		printf("\n%s", b.buf);
	}
	printf("\nfiles:\n");
	for (i = 0; i < s->nr_fds; i++)
		print_file(&s->fds[i]);
}

int main(int argc, char **argv)
{
	static struct spawn s;
	const struct hypervisor *hv;
	struct hv_caps caps;
	struct config cfg = { 0 };
	struct err e;
	int i;

	vm.initrd_fd = null_fd();
	vm.lock_fd = null_fd();
	vm.control_fd = null_fd();
	vm.console_fd = null_fd();
	for (i = 2; i < argc; i++) {
		if (!add_device(argv[i]))
			break;
	}
	if (argc < 2 || i < argc || hv_check(argv[1], ACCEL_AUTO, &e) < 0) {
		fprintf(stderr, "usage: vmargv HYPERVISOR [acpi] [DEVICE]...\n");
		return 2;
	}
	hv = hv_select(argv[1], ACCEL_AUTO, NULL);
	/* A host that cannot run it has its limits nevertheless. */
	caps = (struct hv_caps){ 1, VM_MAX_DISKS, VM_MAX_NICS, 30, 30, false };
	if (!strcmp(argv[1], "qemu") && hv->probe(&cfg, &caps, &e) < 0)
		return 77;
	if (vmspec_check(&vm, &caps, &e) < 0 || hv->command(&cfg, &vm, &s, &e) < 0) {
		fprintf(stderr, "vmargv: %s\n", e.msg);
		return 1;
	}
	print(hv, &s);
	spawn_free(&s);
	return 0;
}
