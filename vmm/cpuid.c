/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a vCPU says of itself: what KVM supports, filtered through the tables below, with the
 * vCPU's number put in.  Leaves are of Intel SDM volume 2 (CPUID) and AMD APM volume 3, appendix E.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "vmm/vcpu.h"

#define MAX_ENTRIES 256

enum reg { EAX, EBX, ECX, EDX };

struct feature {
	const char *name;
	uint32_t leaf, subleaf;
	enum reg reg;
	unsigned bit;
};

/* Those that can be taken away by name, as /proc/cpuinfo spells them. */
static const struct feature features[] = {
	{ "pclmulqdq", 1, 0, ECX, 1 },
	{ "vmx", 1, 0, ECX, 5 },
	{ "fma", 1, 0, ECX, 12 },
	{ "pcid", 1, 0, ECX, 17 },
	{ "x2apic", 1, 0, ECX, 21 },
	{ "tsc_deadline_timer", 1, 0, ECX, 24 },
	{ "aes", 1, 0, ECX, 25 },
	{ "avx", 1, 0, ECX, 28 },
	{ "f16c", 1, 0, ECX, 29 },
	{ "rdrand", 1, 0, ECX, 30 },
	{ "fsgsbase", 7, 0, EBX, 0 },
	{ "bmi1", 7, 0, EBX, 3 },
	{ "hle", 7, 0, EBX, 4 },
	{ "avx2", 7, 0, EBX, 5 },
	{ "smep", 7, 0, EBX, 7 },
	{ "bmi2", 7, 0, EBX, 8 },
	{ "erms", 7, 0, EBX, 9 },
	{ "invpcid", 7, 0, EBX, 10 },
	{ "rtm", 7, 0, EBX, 11 },
	{ "mpx", 7, 0, EBX, 14 },
	{ "avx512f", 7, 0, EBX, 16 },
	{ "avx512dq", 7, 0, EBX, 17 },
	{ "rdseed", 7, 0, EBX, 18 },
	{ "adx", 7, 0, EBX, 19 },
	{ "smap", 7, 0, EBX, 20 },
	{ "clflushopt", 7, 0, EBX, 23 },
	{ "avx512cd", 7, 0, EBX, 28 },
	{ "sha_ni", 7, 0, EBX, 29 },
	{ "avx512bw", 7, 0, EBX, 30 },
	{ "avx512vl", 7, 0, EBX, 31 },
	{ "umip", 7, 0, ECX, 2 },
	{ "pku", 7, 0, ECX, 3 },
	{ "waitpkg", 7, 0, ECX, 5 },
	{ "gfni", 7, 0, ECX, 8 },
	{ "vaes", 7, 0, ECX, 9 },
	{ "vpclmulqdq", 7, 0, ECX, 10 },
	{ "la57", 7, 0, ECX, 16 },
	{ "rdpid", 7, 0, ECX, 22 },
	{ "fsrm", 7, 0, EDX, 4 },
	{ "amx_bf16", 7, 0, EDX, 22 },
	{ "amx_tile", 7, 0, EDX, 24 },
	{ "amx_int8", 7, 0, EDX, 25 },
	{ "svm", 0x80000001, 0, ECX, 2 },
	{ "sse4a", 0x80000001, 0, ECX, 6 },
	{ "pdpe1gb", 0x80000001, 0, EDX, 26 },
	{ "rdtscp", 0x80000001, 0, EDX, 27 },
};

/* Never shown: nested virtualization, performance counters and debug facilities of the host. */
static const struct feature hidden[] = {
	{ "vmx", 1, 0, ECX, 5 },	  { "dtes64", 1, 0, ECX, 2 },
	{ "ds_cpl", 1, 0, ECX, 4 },	  { "pdcm", 1, 0, ECX, 15 },
	{ "svm", 0x80000001, 0, ECX, 2 }, { "perfctr_core", 0x80000001, 0, ECX, 23 },
	{ "mpx", 7, 0, EBX, 14 },
};

struct cpuid {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[MAX_ENTRIES];
};

/*
 * KVM's answer, which takes it 0.4 ms in a virtual machine, where each CPUID instruction goes to
 * the host: asked by a thread of its own while the jail is made.  Shared, since the machine is a
 * child.
 */
struct answer {
	int is_there; /* futex */
	int error;    /* errno, or 0 */
	int kvm_fd;
	struct cpuid c;
};

static struct answer *answer;

static uint32_t *reg_of(struct kvm_cpuid_entry2 *c, enum reg r)
{
	return r == EAX ? &c->eax : r == EBX ? &c->ebx : r == ECX ? &c->ecx : &c->edx;
}

static const struct feature *find(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < nitems(features); i++) {
		if (strlen(features[i].name) == len && !memcmp(features[i].name, name, len))
			return &features[i];
	}
	return NULL;
}

static void take_away(struct cpuid *c, const struct feature *f)
{
	uint32_t i;

	for (i = 0; i < c->head.nent; i++) {
		if (c->entries[i].function == f->leaf && c->entries[i].index == f->subleaf)
			*reg_of(&c->entries[i], f->reg) &= ~(1u << f->bit);
	}
}

/* Calls fn for each name of "-avx,-rdrand" or "avx,rdrand". Returns -1 for one that is unknown. */
static int each_name(const char *off, struct cpuid *c, struct err *e)
{
	while (*off) {
		size_t len = strcspn(off, ",");
		const char *name = off + (*off == '-');
		const struct feature *f = find(name, len - (size_t)(name - off));

		if (!f)
			return err_setk(e, ERR_USAGE, 0,
					"cannot take away CPU feature '%.*s': no such feature",
					(int)(len - (size_t)(name - off)), name);
		if (c)
			take_away(c, f);
		off += len + (off[len] == ',');
	}
	return 0;
}

int cpuid_check(const char *off, struct err *e)
{
	return each_name(off, NULL, e);
}

/* One package, one die, @cpus cores of one thread; APIC number = vCPU number. */
static void set_topology(struct kvm_cpuid_entry2 *c, unsigned index, unsigned cpus)
{
	unsigned bits = 0;

	while (1u << bits < cpus)
		bits++;
	switch (c->function) {
	case 1:
		c->ebx = (c->ebx & 0xff00u) | (cpus & 0xff) << 16 | index << 24;
		c->edx = cpus > 1 ? c->edx | 1u << 28 : c->edx & ~(1u << 28); /* HTT */
		c->ecx |= 1u << 31;					      /* hypervisor */
		break;
	case 4: /* caches: shared by one thread; cores of the package */
		if (c->eax & 0x1f)
			c->eax = (c->eax & 0x3fffu) | (cpus - 1) << 26;
		break;
	case 0xb:
	case 0x1f:
		c->edx = index;
		if (c->index == 0) { /* threads of a core */
			c->eax = 0;
			c->ebx = 1;
			c->ecx = 0x100;
		} else if (c->index == 1) { /* cores of the package */
			c->eax = bits;
			c->ebx = cpus;
			c->ecx = 0x201;
		} else {
			c->eax = c->ebx = 0;
			c->ecx = c->index;
		}
		break;
	case 0x80000008:
		c->ecx = (c->ecx & ~0xf0ffu) | bits << 12 | (cpus - 1);
		break;
	case 0x8000001e: /* AMD: extended APIC number, one thread per core */
		c->eax = index;
		c->ebx = index;
		c->ecx = 0;
		break;
	default:
		break;
	}
}

/* KVM emulates the deadline timer and x2APIC, but old kernels do not list the former. */
static void add_features(int kvm_fd, struct kvm_cpuid_entry2 *c)
{
	if (c->function == 1 && ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		c->ecx |= 1u << 24;
	if (c->function == 0xa) /* performance counters: none */
		c->eax = c->ebx = c->ecx = c->edx = 0;
}

/* Its thread is none that the C library knows: it has no thread-local storage of its own. */
static int ask(void *arg)
{
	struct answer *a = arg;

	a->c.head.nent = MAX_ENTRIES;
	if (ioctl(a->kvm_fd, KVM_GET_SUPPORTED_CPUID, &a->c) < 0)
		a->error = errno;
	__atomic_store_n(&a->is_there, 1, __ATOMIC_RELEASE);
	(void)syscall(SYS_futex, &a->is_there, FUTEX_WAKE, INT32_MAX, NULL); /* nobody may wait */
	return 0;
}

static bool ask_in_thread(struct answer *a)
{
#ifdef __SANITIZE_ADDRESS__ /* which must know of every thread */
	(void)a;
	return false;
#else
	/* With files of its own: ours are closed soon. */
	static char stack[16384] __attribute__((aligned(16)));

	return clone(ask, stack + sizeof(stack),
		     CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, a) > 0;
#endif
}

int cpuid_prepare(int kvm_fd, struct err *e)
{
	void *p = mmap(NULL, sizeof(*answer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		return err_set(e, errno, "cannot ask KVM for its CPUID");
	answer = p;
	answer->kvm_fd = kvm_fd;
	if (!ask_in_thread(answer))
		(void)ask(answer);
	return 0;
}

/* A copy of KVM's answer. */
static int supported(int kvm_fd, struct cpuid *c, struct err *e)
{
	if (!answer && cpuid_prepare(kvm_fd, e) < 0)
		return -1;
	while (!__atomic_load_n(&answer->is_there, __ATOMIC_ACQUIRE))
		(void)syscall(SYS_futex, &answer->is_there, FUTEX_WAIT, 0, NULL);
	if (answer->error)
		return err_set(e, answer->error, "cannot ask KVM for its CPUID");
	*c = answer->c;
	return 0;
}

int cpuid_set(int kvm_fd, const struct vcpu *v, const char *off, struct err *e)
{
	cleanup_free struct cpuid *c = xcalloc(1, sizeof(*c));
	uint32_t i;
	size_t f;

	if (supported(kvm_fd, c, e) < 0)
		return -1;
	for (i = 0; i < c->head.nent; i++) {
		add_features(kvm_fd, &c->entries[i]);
		set_topology(&c->entries[i], v->index, v->m->spec->cpus);
	}
	for (f = 0; f < nitems(hidden); f++)
		take_away(c, &hidden[f]);
	if (each_name(off, c, e) < 0)
		return -1;
	if (ioctl(v->fd, KVM_SET_CPUID2, c) < 0)
		return err_set(e, errno, "cannot set the CPUID of vCPU %u", v->index);
	return 0;
}
