/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/machine.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "vmm/boot.h"
#include "vmm/confine.h"
#include "vmm/control.h"
#include "vmm/event.h"
#include "vmm/sandbox.h"
#include "vmm/vcpu.h"

/* Below the BIOS, above all devices: three pages that Intel's real mode needs. */
#define KVM_TSS_ADDR 0xfffbd000ul

struct machine_call {
	void (*fn)(void *arg);
	void *arg;
	struct machine_call *next;
	sem_t done;
};

const char *machine_end_name(enum machine_end end)
{
	static const char *const names[] = {
		[END_NONE] = "none",	     [END_RESET] = "reset",
		[END_POWEROFF] = "poweroff", [END_HALT] = "halt",
		[END_STOPPED] = "stopped",   [END_TRIPLE_FAULT] = "triple-fault",
		[END_PANIC] = "panic",	     [END_VIOLATION] = "guest-violation",
		[END_FAILED] = "failed",
	};

	return names[end];
}

void machine_end(struct machine *m, enum machine_end end, const char *fmt, ...)
{
	int none = END_NONE, claimed = -1;
	va_list ap;

	if (!__atomic_compare_exchange_n(&m->end, &none, claimed, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return;
	va_start(ap, fmt);
	vsnprintf(m->end_text, sizeof(m->end_text), fmt, ap);
	va_end(ap);
	__atomic_store_n(&m->end, (int)end, __ATOMIC_SEQ_CST);
	event_tell(m->end_source.fd);
}

static void ended(struct source *s, uint32_t events)
{
	(void)events;
	loop_stop(s->loop);
}

static void asked_to_stop(struct source *s, uint32_t events)
{
	(void)events;
	machine_end(container_of(s, struct machine, stop_source), END_STOPPED, "by a signal");
	loop_remove(s);
}

int machine_watch_stop(struct machine *m, int fd, struct err *e)
{
	return loop_add(&m->loop, &m->stop_source, fd, EPOLLIN, asked_to_stop, e);
}

void machine_call(struct machine *m, void (*fn)(void *arg), void *arg)
{
	struct machine_call c = { .fn = fn, .arg = arg };

	if (!m->is_running) {
		fn(arg);
		return;
	}
	sem_init(&c.done, 0, 0);
	pthread_mutex_lock(&m->calls.lock);
	c.next = m->calls.first;
	m->calls.first = &c;
	pthread_mutex_unlock(&m->calls.lock);
	event_tell(m->calls.wake.fd);
	while (sem_wait(&c.done) < 0)
		;
}

static void run_calls(struct source *s, uint32_t events)
{
	struct machine *m = container_of(s, struct machine, calls.wake);
	struct machine_call *c, *next;

	(void)events;
	if (!event_take(s))
		return;
	pthread_mutex_lock(&m->calls.lock);
	c = m->calls.first;
	m->calls.first = NULL;
	pthread_mutex_unlock(&m->calls.lock);
	for (; c; c = next) {
		next = c->next; /* *c is gone once it is done */
		c->fn(c->arg);
		sem_post(&c->done);
	}
}

static int set_memory(struct machine *m, struct err *e)
{
	unsigned i;

	for (i = 0; i < m->mem.nr; i++) {
		const struct mem_region *r = &m->mem.regions[i];
		struct kvm_userspace_memory_region region = {
			.slot = i,
			.guest_phys_addr = r->gpa,
			.memory_size = r->size,
			.userspace_addr = (uint64_t)(uintptr_t)r->host,
		};

		if (ioctl(m->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
			return err_set(e, errno, "cannot give the VM its memory");
	}
	return 0;
}

/* Memory first, see machine.h. */
static int make_vm(struct machine *m, struct err *e)
{
	m->vm_fd = ioctl(m->kvm_fd, KVM_CREATE_VM, 0);
	if (m->vm_fd < 0)
		return err_set(e, errno, "cannot make a VM");
	if (set_memory(m, e) < 0)
		return -1;
	if (ioctl(m->vm_fd, KVM_SET_TSS_ADDR, KVM_TSS_ADDR) < 0 ||
	    ioctl(m->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return err_set(e, errno, "cannot make the VM's interrupt controller");
	return 0;
}

int machine_irqfd(struct machine *m, unsigned gsi, struct err *e)
{
	struct kvm_irqfd irq = { .gsi = gsi };
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	irq.fd = (uint32_t)fd;
	if (fd >= 0 && (m->vm_fd < 0 || ioctl(m->vm_fd, KVM_IRQFD, &irq) == 0))
		return fd; /* tests have no VM */
	err_set(e, errno, "cannot make interrupt line %u", gsi);
	close_p(&fd);
	return -1;
}

int machine_ioeventfd(struct machine *m, uint64_t gpa, uint32_t value, int fd, struct err *e)
{
	struct kvm_ioeventfd io = { .datamatch = value,
				    .addr = gpa,
				    .len = 4,
				    .fd = fd,
				    .flags = KVM_IOEVENTFD_FLAG_DATAMATCH };

	if (m->vm_fd >= 0 && ioctl(m->vm_fd, KVM_IOEVENTFD, &io) < 0)
		return err_set(e, errno, "cannot have KVM tell of writes to 0x%llx",
			       (unsigned long long)gpa);
	return 0;
}

static int make_vcpus(struct machine *m, struct err *e)
{
	unsigned i;

	m->vcpus = xcalloc(m->spec->cpus, sizeof(*m->vcpus));
	for (i = 0; i < m->spec->cpus; i++) {
		m->nr_vcpus = i + 1;
		if (vcpu_make(m, &m->vcpus[i], i, e) < 0)
			return -1;
	}
	return 0;
}

int machine_make_devices(struct machine *m, struct vmm_spec *spec, struct err *e)
{
	*m = (struct machine){ .spec = spec, .kvm_fd = spec->kvm.fd, .vm_fd = -1 };
	m->uart.irq_fd = -1;
	pthread_mutex_init(&m->calls.lock, NULL);
	sem_init(&m->ready, 0, 0);
	pthread_mutex_init(&m->gate, NULL);
	pthread_mutex_lock(&m->gate);
	if (loop_init(&m->loop, e) < 0 || event_watch(&m->loop, &m->calls.wake, run_calls, e) < 0 ||
	    event_watch(&m->loop, &m->end_source, ended, e) < 0)
		return -1;
	if (mem_init(&m->mem, spec->memory, spec->nr_fs > 0, e) < 0 || make_vm(m, e) < 0)
		return -1;
	if (devices_add(m, e) < 0 || halt_watch_start(m, e) < 0)
		return -1;
	return make_vcpus(m, e);
}

int machine_make(struct machine *m, struct vmm_spec *spec, struct err *e)
{
	if (machine_make_devices(m, spec, e) < 0 || boot_load(m, e) < 0)
		return -1;
	return vcpu_set_entry(&m->vcpus[0], e);
}

void machine_wait_release(struct machine *m)
{
	sem_post(&m->ready);
	machine_park(m);
}

void machine_park(struct machine *m)
{
	__atomic_add_fetch(&m->nr_parked, 1, __ATOMIC_SEQ_CST);
	(void)syscall(SYS_futex, &m->nr_parked, FUTEX_WAKE_PRIVATE, INT_MAX);
	pthread_mutex_lock(&m->gate);
	__atomic_sub_fetch(&m->nr_parked, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&m->gate);
}

bool machine_pause(struct machine *m)
{
	unsigned i;

	if (m->is_paused)
		return false;
	pthread_mutex_lock(&m->gate);
	__atomic_store_n(&m->is_paused, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < m->nr_vcpus; i++)
		vcpu_kick(&m->vcpus[i]);
	return true;
}

void machine_wait_paused(struct machine *m)
{
	unsigned n;

	while ((n = __atomic_load_n(&m->nr_parked, __ATOMIC_SEQ_CST)) < m->nr_vcpus)
		(void)syscall(SYS_futex, &m->nr_parked, FUTEX_WAIT_PRIVATE, n, NULL);
}

void machine_resume(struct machine *m)
{
	if (!m->is_paused)
		return;
	__atomic_store_n(&m->is_paused, false, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&m->gate);
}

void machine_rest(struct machine *m)
{
	for (;;)
		(void)syscall(SYS_futex, &m->end, FUTEX_WAIT_PRIVATE,
			      __atomic_load_n(&m->end, __ATOMIC_SEQ_CST), NULL);
}

/* What only the set-up needed; afterwards there is no new file and no new thread. */
static int give_up_files(struct machine *m, struct err *e)
{
	struct vmm_spec *s = m->spec;

	close_p(&s->kvm.fd);
	close_p(&s->kernel.fd);
	close_p(&s->initrd.fd);
	return confine_finish(control_is_listening(m) ? 1 : 0, s->nr_disks > 0, e);
}

int machine_run(struct machine *m, struct err *e)
{
	sigset_t kick;
	unsigned i;

	m->pid = getpid();
	sigemptyset(&kick);
	sigaddset(&kick, VCPU_KICK);
	pthread_sigmask(SIG_BLOCK, &kick, NULL);
	if (control_start(m, e) < 0)
		return -1;
	for (i = 0; i < m->nr_vcpus; i++) {
		if (vcpu_start(&m->vcpus[i], e) < 0)
			return -1;
	}
	for (i = 0; i < m->nr_vcpus; i++)
		sem_wait(&m->ready);
	if (give_up_files(m, e) < 0 || sandbox_enter(SANDBOX_LOOP, e) < 0)
		return -1;
	m->is_running = true;
	pthread_mutex_unlock(&m->gate);
	if (loop_run(&m->loop, e) < 0)
		return -1;
	uart_drain(&m->uart);
	return 0;
}

/* Only for a machine without running vCPUs: one that ran ends with its process. */
void machine_free(struct machine *m)
{
	unsigned i;

	for (i = 0; i < m->nr_vcpus; i++)
		vcpu_free(&m->vcpus[i]);
	free(m->vcpus);
	devices_free(m);
	close_p(&m->vm_fd);
	mem_free(&m->mem);
	event_unwatch(&m->calls.wake);
	event_unwatch(&m->end_source);
	loop_close(&m->loop);
}
