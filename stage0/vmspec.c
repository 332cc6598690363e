/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/vmspec.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "stage0/host.h"

static const struct hypervisor *const hypervisors[] = { &hv_kvm, &hv_qemu };

static bool is_auto(const char *name)
{
	return !name || !strcmp(name, "auto");
}

static const struct hypervisor *find(const char *name)
{
	size_t i;

	for (i = 0; i < nitems(hypervisors); i++) {
		if (!strcmp(hypervisors[i]->name, name))
			return hypervisors[i];
	}
	return NULL;
}

int hv_check(const char *name, enum accel asked, struct err *e)
{
	if (is_auto(name))
		return 0;
	if (!find(name)) {
		err_setk(e, ERR_USAGE, 0, "cannot use --hypervisor=%s: no such hypervisor", name);
		return err_hint(e, "use auto, kvm or qemu");
	}
	if (find(name) == &hv_kvm && asked == ACCEL_TCG)
		return err_setk(e, ERR_USAGE, 0,
				"cannot use --accel=tcg with --hypervisor=kvm: only QEMU runs in "
				"software");
	return 0;
}

const struct hypervisor *hv_select(const char *name, enum accel asked, const struct host *host)
{
	if (!is_auto(name))
		return find(name);
	return host->kvm == KVM_WORKS && asked != ACCEL_TCG ? &hv_kvm : &hv_qemu;
}

int accel_parse(const char *s, enum accel *out, struct err *e)
{
	static const char *const names[] = { "auto", "kvm", "tcg" };
	size_t i;

	for (i = 0; i < nitems(names); i++) {
		if (!strcmp(s ? s : "auto", names[i])) {
			*out = (enum accel)i;
			return 0;
		}
	}
	return err_setk(e, ERR_USAGE, 0, "cannot use --accel=%s: it is auto, kvm or tcg", s);
}

static int check_disk(const struct vm_disk *d, struct err *e)
{
	size_t n = strlen(d->serial);

	if (!n || n > 20 || strspn(d->serial, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
		return err_set(e, 0, "cannot run the VM: bad disk serial '%s'", d->serial);
	if (!d->nr_parts || d->nr_parts > VM_MAX_PARTS)
		return err_set(e, 0, "cannot run the VM: disk %s has %u parts, not 1 to %u",
			       d->serial, d->nr_parts, VM_MAX_PARTS);
	if (!d->readonly && d->nr_parts != 1)
		return err_set(e, 0, "cannot run the VM: disk %s is writable and in parts",
			       d->serial);
	return 0;
}

int vmspec_check(const struct vm_spec *vm, const struct hv_caps *caps, struct err *e)
{
	unsigned i;

	if (!vm->cpus || vm->cpus > caps->max_cpus) {
		err_setk(e, ERR_USAGE, 0, "cannot run a VM with %u CPUs: 1 to %u", vm->cpus,
			 caps->max_cpus);
		return err_hint(e, "it has as many as the apps' --cpu add up to, or --vm-cpus");
	}
	if (vm->memory < (64ull << 20))
		return err_setk(e, ERR_USAGE, 0, "cannot run a VM with less than 64 MiB of memory");
	if (vm->nr_disks > caps->max_disks) {
		err_setk(e, ERR_USAGE, 0, "cannot run a VM with %u disks: at most %u", vm->nr_disks,
			 caps->max_disks);
		return err_hint(e,
				"each different image of the pod is a disk, the scratch disk too");
	}
	for (i = 0; i < vm->nr_disks; i++) {
		if (check_disk(&vm->disks[i], e) < 0)
			return -1;
	}
	return 0;
}

void vmspec_free_disks(struct vm_spec *vm)
{
	unsigned i, j;

	for (i = 0; i < vm->nr_disks; i++) {
		for (j = 0; j < vm->disks[i].nr_parts; j++)
			close_p(&vm->disks[i].parts[j].fd);
		free(vm->disks[i].parts);
	}
	vm->nr_disks = 0;
}
