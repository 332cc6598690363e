/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/halt.h"

#include <time.h>

#include "base/cleanup.h"
#include "vmm/machine.h"
#include "vmm/vcpu.h"

#define SECOND 1000000000ull
#define MAX_INTERVAL (16 * SECOND)
#define IDLE_NS 1000000u /* of CPU time between two looks: the looks themselves cost some */

/* CPUCLOCK_SCHED of one thread, as pthread_getcpuclockid(3) makes it. */
static uint64_t cpu_time(const struct vcpu *v)
{
	struct timespec t = { 0 };

	if (clock_gettime((clockid_t)(~(unsigned)v->tid << 3 | 6u), &t) < 0)
		return UINT64_MAX;
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static bool all_idle(struct machine *m)
{
	bool idle = true;
	unsigned i;

	for (i = 0; i < m->nr_vcpus; i++) {
		struct vcpu *v = &m->vcpus[i];
		uint64_t now = cpu_time(v);

		idle &= now - v->cpu_time <= IDLE_NS;
		v->cpu_time = now;
	}
	return idle;
}

static bool all_off(struct machine *m)
{
	unsigned i;

	for (i = 0; i < m->nr_vcpus; i++) {
		if (__atomic_load_n(&m->vcpus[i].probe, __ATOMIC_SEQ_CST) != VCPU_INTERRUPTS_OFF)
			return false;
	}
	return true;
}

static void ask_all(struct machine *m)
{
	unsigned i;

	for (i = 0; i < m->nr_vcpus; i++) {
		__atomic_store_n(&m->vcpus[i].probe, VCPU_ASKED, __ATOMIC_SEQ_CST);
		vcpu_kick(&m->vcpus[i]);
	}
}

static void look(struct timer *t)
{
	struct halt_watch *w = container_of(t, struct halt_watch, timer);
	struct machine *m = container_of(w, struct machine, halt_watch);
	bool idle = all_idle(m) && !m->is_paused;

	if (idle && w->is_suspected && all_off(m)) {
		machine_end(m, END_HALT, "all vCPUs halted with interrupts off");
		return;
	}
	w->interval = w->interval < MAX_INTERVAL ? 2 * w->interval : MAX_INTERVAL;
	/* Suspected and not confirmed: back to the usual pace, until it sleeps through a whole one.
	 */
	w->is_suspected = idle && !w->is_suspected;
	if (w->is_suspected)
		ask_all(m);
	timer_arm(t, w->is_suspected ? SECOND : w->interval);
}

int halt_watch_start(struct machine *m, struct err *e)
{
	m->halt_watch.interval = SECOND;
	if (timer_init(&m->loop, &m->halt_watch.timer, look, e) < 0)
		return -1;
	timer_arm(&m->halt_watch.timer, SECOND);
	return 0;
}
