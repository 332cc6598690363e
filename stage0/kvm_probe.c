/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe's guest is in long mode at ring 0: it counts a loop down, executes cmpxchg16b (which
 * the emulator of kvm_pvm lacks) and halts.  On hardware the loop of 20,000 instructions takes some
 * microseconds; emulated, about 20 ms.
 *
 * It runs several times and the fastest counts: in the first run KVM fills its tables, a page fault
 * of the guest each, which takes 10 ms where KVM itself runs on an emulated AMD-V (tools/rig), and
 * in any other the host may have taken the CPU away.
 */
#include "stage0/kvm_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/loop.h"

#define MEM_SIZE 0x10000u
#define PML4 0x1000u
#define PDPT 0x2000u
#define CODE 0x4000u
#define DATA 0x5000u
#define LOOPS 10000u
#define RUNS 4

static const uint8_t guest_code[] = {
	0xb9, LOOPS & 0xff, LOOPS >> 8, 0x00, 0x00, /* mov ecx, LOOPS */
	0xff, 0xc9,				    /* 1: dec ecx */
	0x75, 0xfc,				    /* jnz 1b */
	0xbf, 0x00,	    0x50,	0x00, 0x00, /* mov edi, DATA */
	0x31, 0xc0,	    0x31,	0xd2,	    /* xor eax, eax; xor edx, edx */
	0x31, 0xdb,	    0x31,	0xc9,	    /* xor ebx, ebx; xor ecx, ecx */
	0xf0, 0x48,	    0x0f,	0xc7, 0x0f, /* lock cmpxchg16b [rdi] */
	0xf4,					    /* hlt */
};

struct probe {
	int kvm, vm, vcpu;
	uint8_t *mem;
	struct kvm_run *run;
	size_t run_size;
};

static void set_segment(struct kvm_segment *s, uint16_t selector, int is_code)
{
	*s = (struct kvm_segment){ .selector = selector,
				   .limit = 0xffffffff,
				   .type = is_code ? 11 : 3,
				   .present = 1,
				   .s = 1,
				   .g = 1,
				   .l = (uint8_t)is_code,
				   .db = (uint8_t)!is_code };
}

/* Identity-mapped first GiB by one 1-GiB page would need a CPU feature; 2-MiB pages do not. */
static void make_tables(uint8_t *mem)
{
	uint64_t pml4 = PDPT | 3, pdpt = 0x3000 | 3, pd = 0x83;

	memcpy(mem + PML4, &pml4, 8);
	memcpy(mem + PDPT, &pdpt, 8);
	memcpy(mem + 0x3000, &pd, 8);
	memcpy(mem + CODE, guest_code, sizeof(guest_code));
}

static int set_start(int vcpu)
{
	struct kvm_regs r = { .rip = CODE, .rsp = 0x8000, .rflags = 2 };

	return ioctl(vcpu, KVM_SET_REGS, &r);
}

static int set_registers(int vcpu)
{
	struct kvm_sregs s;

	if (ioctl(vcpu, KVM_GET_SREGS, &s) < 0)
		return -1;
	set_segment(&s.cs, 8, 1);
	set_segment(&s.ds, 16, 0);
	s.es = s.fs = s.gs = s.ss = s.ds;
	s.cr3 = PML4;
	s.cr4 = 1u << 5;		 /* PAE */
	s.cr0 = 1u | 1u << 31 | 1u << 5; /* PE, PG, NE */
	s.efer = 1u << 8 | 1u << 10;	 /* LME, LMA */
	if (ioctl(vcpu, KVM_SET_SREGS, &s) < 0)
		return -1;
	return set_start(vcpu);
}

/* The CPU's own features; without them cmpxchg16b is not in the guest's CPUID. */
static int set_cpuid(const struct probe *p)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[100];
	} c = { .head = { .nent = 100 } };

	if (ioctl(p->kvm, KVM_GET_SUPPORTED_CPUID, &c) < 0)
		return -1;
	return ioctl(p->vcpu, KVM_SET_CPUID2, &c);
}

static int make_vm(struct probe *p)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEM_SIZE };
	int size;

	p->vm = ioctl(p->kvm, KVM_CREATE_VM, 0);
	if (p->vm < 0)
		return -1;
	p->mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->mem == MAP_FAILED)
		return -1;
	make_tables(p->mem);
	region.userspace_addr = (uint64_t)(uintptr_t)p->mem;
	if (ioctl(p->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return -1;
	p->vcpu = ioctl(p->vm, KVM_CREATE_VCPU, 0);
	size = ioctl(p->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (p->vcpu < 0 || size < 0)
		return -1;
	p->run_size = (size_t)size;
	p->run = mmap(NULL, p->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, p->vcpu, 0);
	if (p->run == MAP_FAILED)
		return -1;
	return set_cpuid(p) < 0 ? -1 : set_registers(p->vcpu);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Runs until the halt, an error, or a second. Returns the exit reason or -1. */
static int run_guest(const struct probe *p, uint64_t *ns)
{
	struct sigaction sa = { .sa_handler = on_alarm }, old; /* no SA_RESTART: ends KVM_RUN */
	struct itimerval second = { .it_value.tv_sec = 1 }, none = { 0 };
	uint64_t start;
	int r;

	sigaction(SIGALRM, &sa, &old);
	setitimer(ITIMER_REAL, &second, NULL);
	start = now_ns();
	r = ioctl(p->vcpu, KVM_RUN, 0);
	*ns = now_ns() - start;
	setitimer(ITIMER_REAL, &none, NULL);
	sigaction(SIGALRM, &old, NULL);
	return r < 0 ? -1 : (int)p->run->exit_reason;
}

static void say(struct host *h, enum kvm_state s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct host *h, enum kvm_state s, const char *fmt, ...)
{
	va_list ap;

	h->kvm = s;
	va_start(ap, fmt);
	vsnprintf(h->kvm_why, sizeof(h->kvm_why), fmt, ap);
	va_end(ap);
}

static void judge(struct host *h, int reason, uint64_t ns)
{
	h->loop_ns = (unsigned long)(ns * 1000 / (2 * LOOPS));
	if (reason == KVM_EXIT_INTERNAL_ERROR)
		say(h, KVM_EMULATED,
		    "KVM cannot execute cmpxchg16b at ring 0: kernels are emulated");
	else if (reason != KVM_EXIT_HLT)
		say(h, KVM_BROKEN, "the probe's guest ended with KVM exit %d", reason);
	else if (h->loop_ns > 100000)
		say(h, KVM_EMULATED,
		    "KVM takes %lu ns for an instruction at ring 0: kernels are emulated",
		    h->loop_ns / 1000);
	else
		say(h, KVM_WORKS, "guest kernels run on the hardware");
}

static void probe_vm(struct probe *p, struct host *h)
{
	uint64_t ns = 0, fastest = UINT64_MAX;
	int r, i;

	if (make_vm(p) < 0) {
		say(h, KVM_BROKEN, "cannot make a VM: %s", strerror(errno));
		return;
	}
	r = ioctl(p->vcpu, KVM_GET_TSC_KHZ, 0);
	if (r > 0)
		h->tsc_khz = (unsigned)r;
	for (i = 0; i < RUNS; i++) {
		r = run_guest(p, &ns);
		fastest = ns < fastest ? ns : fastest;
		if (r != KVM_EXIT_HLT || set_start(p->vcpu) < 0)
			break;
	}
	judge(h, r, fastest);
}

static void probe_free(struct probe *p)
{
	if (p->run != MAP_FAILED)
		munmap(p->run, p->run_size);
	close_p(&p->vcpu);
	close_p(&p->vm);
	if (p->mem != MAP_FAILED)
		munmap(p->mem, MEM_SIZE);
	close_p(&p->kvm);
}

void kvm_probe(struct host *h)
{
	struct probe p = { .vm = -1, .vcpu = -1, .mem = MAP_FAILED, .run = MAP_FAILED };

	p.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (p.kvm < 0 && errno == ENOENT)
		say(h, KVM_ABSENT, "there is no /dev/kvm");
	else if (p.kvm < 0)
		say(h, KVM_DENIED, "cannot open /dev/kvm: %s", strerror(errno));
	else if (ioctl(p.kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		say(h, KVM_BROKEN, "/dev/kvm does not speak KVM API version 12");
	else
		probe_vm(&p, h);
	probe_free(&p);
}
