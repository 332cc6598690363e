/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vcpu.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/boot.h"
#include "vmm/event.h"
#include "vmm/ports.h"
#include "vmm/sandbox.h"

/* Intel SDM volume 3, section 11.5.1: LINT0 takes the PIC's interrupts, LINT1 is the NMI pin. */
#define APIC_LVT0 0x350
#define APIC_LVT1 0x360
#define APIC_MODE_EXTINT 0x700u
#define APIC_MODE_NMI 0x400u

#define MSR_IA32_MISC_ENABLE 0x1a0u
#define MISC_ENABLE_FAST_STRING 1u

static int set_apic(struct vcpu *v)
{
	struct kvm_lapic_state s;
	uint32_t lvt0 = APIC_MODE_EXTINT, lvt1 = APIC_MODE_NMI;

	if (ioctl(v->fd, KVM_GET_LAPIC, &s) < 0)
		return -1;
	memcpy(s.regs + APIC_LVT0, &lvt0, sizeof(lvt0));
	memcpy(s.regs + APIC_LVT1, &lvt1, sizeof(lvt1));
	return ioctl(v->fd, KVM_SET_LAPIC, &s);
}

static int set_msrs(struct vcpu *v)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[1];
	} msrs = { .head.nmsrs = 1,
		   .entries = {
			   { .index = MSR_IA32_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING } } };

	return ioctl(v->fd, KVM_SET_MSRS, &msrs) < 0 ? -1 : 0;
}

/* In the guest only the kick comes through, and it brings it out. */
static int set_signals(struct vcpu *v)
{
	struct {
		struct kvm_signal_mask head;
		uint64_t blocked;
	} __attribute__((packed)) mask = { { .len = 8 }, ~(1ull << (VCPU_KICK - 1)) };

	return ioctl(v->fd, KVM_SET_SIGNAL_MASK, &mask);
}

static void count(struct vcpu *v, enum vcpu_exit kind)
{
	__atomic_store_n(&v->exits[kind], v->exits[kind] + 1, __ATOMIC_RELAXED);
}

int vcpu_make(struct machine *m, struct vcpu *v, unsigned index, struct err *e)
{
	int size = ioctl(m->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	*v = (struct vcpu){ .m = m, .index = index };
	v->fd = ioctl(m->vm_fd, KVM_CREATE_VCPU, index);
	if (v->fd < 0 || size < 0)
		return err_set(e, errno, "cannot make vCPU %u", index);
	v->run_size = (size_t)size;
	v->run = mmap(NULL, v->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED) {
		v->run = NULL;
		return err_set(e, errno, "cannot map vCPU %u", index);
	}
	if (cpuid_set(m->kvm_fd, v, m->spec->cpuid_off, e) < 0)
		return -1;
	if (set_msrs(v) < 0 || set_apic(v) < 0 || set_signals(v) < 0)
		return err_set(e, errno, "cannot set up vCPU %u", index);
	return 0;
}

static struct kvm_segment segment(uint16_t selector, bool is_code, bool is_64)
{
	return (struct kvm_segment){ .selector = selector,
				     .limit = 0xffffffff,
				     .type = is_code ? 11 : 3,
				     .present = 1,
				     .s = 1,
				     .g = 1,
				     .l = is_code && is_64,
				     .db = !(is_code && is_64) };
}

/* Documentation/arch/x86/boot.rst, "64-bit boot protocol"; the PVH start of xen/x86/HVM. */
int vcpu_set_entry(struct vcpu *v, struct err *e)
{
	const struct machine *m = v->m;
	struct kvm_regs r = { .rip = m->entry, .rflags = 2, .rsp = BOOT_STACK, .rbp = BOOT_STACK };
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
		return err_set(e, errno, "cannot read the registers of vCPU 0");
	s.cs = segment(BOOT_CS, true, !m->is_pvh);
	s.ds = s.es = s.fs = s.gs = s.ss = segment(BOOT_DS, false, !m->is_pvh);
	s.tr = (struct kvm_segment){
		.selector = BOOT_TSS, .limit = 0x67, .type = 11, .present = 1
	};
	s.gdt.base = BOOT_GDT;
	s.gdt.limit = BOOT_GDT_SIZE - 1;
	s.cr0 = 1u | 1u << 4; /* PE, ET */
	s.cr4 = 0;
	s.efer = 0;
	if (m->is_pvh) {
		r.rbx = BOOT_PVH_INFO;
	} else {
		r.rsi = BOOT_PARAMS;
		s.cr3 = BOOT_PML4;
		s.cr4 = 1u << 5;	     /* PAE */
		s.cr0 |= 1u << 31;	     /* PG */
		s.efer = 1u << 8 | 1u << 10; /* LME, LMA */
	}
	if (ioctl(v->fd, KVM_SET_SREGS, &s) < 0 || ioctl(v->fd, KVM_SET_REGS, &r) < 0)
		return err_set(e, errno, "cannot set the registers of vCPU 0");
	return 0;
}

static void handle_io(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint32_t i;

	for (i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			ports_write(v->m, run->io.port, data, run->io.size);
		else
			ports_read(v->m, run->io.port, data, run->io.size);
	}
}

/* What no device claims reads as ones, as on a bus that nobody drives. */
static void handle_mmio(struct vcpu *v)
{
	struct kvm_run *run = v->run;

	if (!virtio_mmio_access(v->m, run->mmio.phys_addr, run->mmio.data, run->mmio.len,
				run->mmio.is_write) &&
	    !run->mmio.is_write)
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
}

/* False when the machine has ended. */
static bool handle_exit(struct vcpu *v)
{
	const struct kvm_run *run = v->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		count(v, VCPU_EXIT_IO);
		handle_io(v);
		return true;
	case KVM_EXIT_MMIO:
		count(v, VCPU_EXIT_MMIO);
		handle_mmio(v);
		return true;
	case KVM_EXIT_INTR:
		return true;
	case KVM_EXIT_SHUTDOWN:
		machine_end(v->m, END_TRIPLE_FAULT, "vCPU %u", v->index);
		return false;
	case KVM_EXIT_HLT: /* only without an interrupt controller in the kernel */
		machine_end(v->m, END_HALT, "vCPU %u", v->index);
		return false;
	case KVM_EXIT_SYSTEM_EVENT:
		machine_end(v->m, END_POWEROFF, "event %u", run->system_event.type);
		return false;
	case KVM_EXIT_FAIL_ENTRY:
		machine_end(v->m, END_FAILED, "vCPU %u could not be entered: reason 0x%llx",
			    v->index,
			    (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		return false;
	case KVM_EXIT_INTERNAL_ERROR:
		machine_end(v->m, END_FAILED, "KVM internal error %u on vCPU %u",
			    run->internal.suberror, v->index);
		return false;
	default:
		machine_end(v->m, END_FAILED, "KVM exit %u on vCPU %u", run->exit_reason, v->index);
		return false;
	}
}

void vcpu_kick(struct vcpu *v)
{
	(void)syscall(SYS_tgkill, v->m->pid, v->tid, VCPU_KICK);
}

/* While it is blocked the signal stays pending, and no KVM_RUN enters the guest: it is taken here.
 */
static void interrupted(struct vcpu *v)
{
	const struct timespec now = { 0 };
	sigset_t kick;
	int asked = VCPU_ASKED;

	count(v, VCPU_EXIT_INTERRUPTED);
	sigemptyset(&kick);
	sigaddset(&kick, VCPU_KICK);
	(void)sigtimedwait(&kick, NULL, &now);
	(void)__atomic_compare_exchange_n(
		&v->probe, &asked, v->run->if_flag ? VCPU_INTERRUPTS_ON : VCPU_INTERRUPTS_OFF,
		false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&v->m->is_paused, __ATOMIC_SEQ_CST))
		machine_park(v->m);
}

static void run(struct vcpu *v)
{
	for (;;) {
		if (ioctl(v->fd, KVM_RUN, 0) == 0) {
			if (!handle_exit(v))
				return;
		} else if (errno == EINTR) {
			interrupted(v);
		} else if (errno != EAGAIN) {
			machine_end(v->m, END_FAILED, "vCPU %u: %s", v->index, strerror(errno));
			return;
		}
	}
}

/* Linux makes a thread of its own for the VM at the first KVM_RUN: now, while threads may be made.
 */
static void warm_up(struct vcpu *v)
{
	v->run->immediate_exit = 1;
	if (ioctl(v->fd, KVM_RUN, 0) < 0 && errno != EINTR)
		machine_end(v->m, END_FAILED, "vCPU %u: %s", v->index, strerror(errno));
	v->run->immediate_exit = 0;
}

/* Does not return: the end of a thread takes system calls that it does not have. */
static void *run_vcpu(void *arg)
{
	struct vcpu *v = arg;
	struct err e;

	v->tid = (pid_t)syscall(SYS_gettid);
	if (sandbox_enter(SANDBOX_VCPU, &e) < 0)
		machine_end(v->m, END_FAILED, "%s", e.msg);
	warm_up(v);
	machine_wait_release(v->m);
	run(v);
	machine_rest(v->m);
	return NULL;
}

int vcpu_start(struct vcpu *v, struct err *e)
{
	int r = thread_start(&v->thread, run_vcpu, v);

	if (r)
		return err_set(e, r, "cannot start vCPU %u", v->index);
	return 0;
}

void vcpu_free(struct vcpu *v)
{
	if (v->run)
		(void)munmap(v->run, v->run_size);
	close_p(&v->fd);
}
