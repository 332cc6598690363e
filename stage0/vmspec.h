/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole contract between a pod and a hypervisor.  A backend is two pure functions; spawning,
 * jailing, waiting and killing are common code (supervise.c).  The machine ends when the guest
 * powers off or resets; what the apps did comes over the guest channel, never as the hypervisor's
 * status.
 *
 * The guest meets the devices in this order under every hypervisor: console, entropy, disks, NICs;
 * the disks and the NICs each in the order that they have here.  Their fds are numbered alike.
 */
#ifndef VPOD_STAGE0_VMSPEC_H
#define VPOD_STAGE0_VMSPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/spawn.h"

struct config;
struct host;
struct jail;

#define VM_MAX_DISKS 64
#define VM_MAX_NICS 8
#define VM_MAX_PARTS 256

/* A file that is part of a disk; several are shown one behind the other, each padded to 4 KiB. */
struct vm_part {
	int fd;
	uint64_t size; /* bytes */
};

struct vm_disk {
	const char *serial; /* what the guest finds it by, at most 20 characters */
	bool readonly;
	struct vm_part *parts;
	unsigned nr_parts;
};

/*
 * A network interface.  The other end of the stream speaks QEMU's protocol, as passt does: frames,
 * each behind its length as 4 bytes, the highest first.
 */
struct vm_nic {
	uint8_t mac[6];
	unsigned mtu;	/* the guest is told; 0: it is not */
	bool is_stream; /* else fd is a tap, one queue, IFF_VNET_HDR and IFF_NO_PI */
	int fd;		/* of a stream: a connected AF_UNIX socket */
};

enum accel { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG };

struct vm_spec {
	const char *name;
	enum accel accel; /* not ACCEL_AUTO */
	unsigned cpus;
	uint64_t memory;    /* bytes */
	const char *kernel; /* path of an ELF vmlinux */
	const char *initrd; /* path, when the VM starts */
	int initrd_fd;	    /* the same file, to read */
	bool has_acpi;	    /* devices are found by ACPI; else on the kernel command line */
	unsigned tsc_khz;   /* of the host; 0 unknown */
	const char *cmdline;
	struct vm_disk disks[VM_MAX_DISKS];
	unsigned nr_disks;
	struct vm_nic nics[VM_MAX_NICS];
	unsigned nr_nics;
	int control_fd; /* stream socket: the guest channel */
	int console_fd; /* stream socket: the boot console */
	int lock_fd;	/* the pod's lock, to be held while the machine lives */
};

struct hv_caps {
	unsigned max_cpus;
	unsigned max_disks;
	unsigned max_nics;
	unsigned max_devices; /* disks and NICs together */
	unsigned max_devices_without_acpi;
	bool kvm; /* can run guest kernels with hardware virtualization */
};

struct hypervisor {
	const char *name; /* "kvm", "qemu" */
	/* What it can do on this host; fails when it cannot run at all. */
	int (*probe)(const struct config *cfg, struct hv_caps *caps, struct err *e);
	/* Host files and devices that it opens, for its jail. */
	int (*files)(const struct config *cfg, const struct vm_spec *vm, struct jail *jail,
		     struct err *e);
	/* The command. What it makes (memfds) is listed in spawn.owned and closed by spawn_free().
	 */
	int (*command)(const struct config *cfg, const struct vm_spec *vm, struct spawn *out,
		       struct err *e);
	/* What --dry-run shows beside the command; NULL: the command says all. */
	void (*describe)(const struct vm_spec *vm, struct strbuf *out);
};

extern const struct hypervisor hv_kvm;
extern const struct hypervisor hv_qemu;

/* Refuses a name that is none, and one that cannot do what was @asked. */
int hv_check(const char *name, enum accel asked, struct err *e);

/*
 * By a name that hv_check() took.  "auto" and NULL choose: our own monitor where KVM runs guest
 * kernels and @asked allows it, else QEMU.
 */
const struct hypervisor *hv_select(const char *name, enum accel asked, const struct host *host);

int accel_parse(const char *s, enum accel *out, struct err *e);

/* Whether the guest must find its devices by ACPI: they are more than a command line takes. */
bool vmspec_needs_acpi(const struct vm_spec *vm, const struct hv_caps *caps);

/* Refuses a spec that the backend cannot run. The only check of its kind. */
int vmspec_check(const struct vm_spec *vm, const struct hv_caps *caps, struct err *e);

/* Closes what the disks and NICs have open. */
void vmspec_free_devices(struct vm_spec *vm);

#endif
