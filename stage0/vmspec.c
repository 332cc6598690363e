/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/vmspec.h"

#include <stdlib.h>
#include <string.h>

#include "base/cidr.h"
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

static int check_nic(const struct vm_spec *vm, unsigned i, struct err *e)
{
	const struct vm_nic *n = &vm->nics[i];
	static const uint8_t none[6];
	char mac[18];
	unsigned j;

	mac_text(n->mac, mac);
	if (n->mac[0] & 1 || !memcmp(n->mac, none, sizeof(none)))
		return err_set(e, 0, "cannot run the VM: NIC %u: %s is no station's address", i,
			       mac);
	for (j = 0; j < i; j++) {
		if (!memcmp(vm->nics[j].mac, n->mac, sizeof(n->mac)))
			return err_set(e, 0, "cannot run the VM: NICs %u and %u both have %s", j, i,
				       mac);
	}
	if (n->mtu && (n->mtu < 68 || n->mtu > 65535))
		return err_set(e, 0, "cannot run the VM: NIC %u: an MTU of %u, not 68 to 65535", i,
			       n->mtu);
	return n->fd < 0 ? err_set(e, 0, "cannot run the VM: NIC %u is not open", i) : 0;
}

static int check_devices(const struct vm_spec *vm, const struct hv_caps *caps, struct err *e)
{
	unsigned i;

	if (vm->nr_disks > caps->max_disks) {
		err_setk(e, ERR_USAGE, 0, "cannot run a VM with %u disks: at most %u", vm->nr_disks,
			 caps->max_disks);
		return err_hint(e,
				"each different image of the pod is a disk, the scratch disk too");
	}
	if (vm->nr_nics > caps->max_nics)
		return err_setk(e, ERR_USAGE, 0, "cannot run a VM with %u NICs: at most %u",
				vm->nr_nics, caps->max_nics);
	if (vm->nr_disks + vm->nr_nics > caps->max_devices)
		return err_setk(e, ERR_USAGE, 0,
				"cannot run a VM with %u disks and %u NICs: at most %u together",
				vm->nr_disks, vm->nr_nics, caps->max_devices);
	if (!vm->has_acpi && vmspec_needs_acpi(vm, caps))
		return err_set(e, 0,
			       "cannot run the VM: %u disks and %u NICs without ACPI, at most %u "
			       "together",
			       vm->nr_disks, vm->nr_nics, caps->max_devices_without_acpi);
	for (i = 0; i < vm->nr_disks; i++) {
		if (check_disk(&vm->disks[i], e) < 0)
			return -1;
	}
	for (i = 0; i < vm->nr_nics; i++) {
		if (check_nic(vm, i, e) < 0)
			return -1;
	}
	return 0;
}

bool vmspec_needs_acpi(const struct vm_spec *vm, const struct hv_caps *caps)
{
	return vm->nr_disks + vm->nr_nics > caps->max_devices_without_acpi;
}

int vmspec_check(const struct vm_spec *vm, const struct hv_caps *caps, struct err *e)
{
	if (!vm->cpus || vm->cpus > caps->max_cpus) {
		err_setk(e, ERR_USAGE, 0, "cannot run a VM with %u CPUs: 1 to %u", vm->cpus,
			 caps->max_cpus);
		return err_hint(e, "it has as many as the apps' --cpu add up to, or --vm-cpus");
	}
	if (vm->memory < (64ull << 20))
		return err_setk(e, ERR_USAGE, 0, "cannot run a VM with less than 64 MiB of memory");
	return check_devices(vm, caps, e);
}

void vmspec_free_devices(struct vm_spec *vm)
{
	unsigned i, j;

	for (i = 0; i < vm->nr_disks; i++) {
		for (j = 0; j < vm->disks[i].nr_parts; j++)
			close_p(&vm->disks[i].parts[j].fd);
		free(vm->disks[i].parts);
	}
	for (i = 0; i < vm->nr_nics; i++)
		close_p(&vm->nics[i].fd);
	vm->nr_disks = vm->nr_nics = 0;
}
