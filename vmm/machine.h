/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The machine
 *
 * Threads: the main thread runs the event loop, in which every device lives; each vCPU has a thread
 * that does nothing but KVM_RUN and answer port and register accesses.  A block device without
 * io_uring has worker threads.  Each field below names its owner.
 *
 * Order of making, machine_make(): memory slots before the interrupt controller, since a slot set
 * later waits out a grace period of the host's kernel; then devices, kernel, vCPUs.  Nothing of the
 * guest has run until machine_run(), which takes the last rights away first (sandbox.h).
 *
 * The end: whoever sees it first calls machine_end(); the loop returns, the report is written, the
 * process exits.  The destruction of the VM happens in exit(2), after the report.
 */
#ifndef VPOD_VMM_MACHINE_H
#define VPOD_VMM_MACHINE_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "vmm/halt.h"
#include "vmm/mem.h"
#include "vmm/spec.h"
#include "vmm/uart.h"
#include "vmm/virtio/virtio.h"

/* Where things are for the guest; boot_*.c and acpi.c tell it. */
#define VIRTIO_BASE 0xd0000000ull
#define VIRTIO_STRIDE 0x1000u
#define VIRTIO_FIRST_GSI 5
#define VIRTIO_NR_GSI 19 /* lines 5 to 23; more devices share them */
#define MACHINE_MAX_DEVS 32
#define UART_PORT 0x3f8
#define UART_GSI 4
#define I8042_PORT 0x64
#define PANIC_PORT 0x505 /* as QEMU's pvpanic */
#define SLEEP_PORT 0x600 /* ACPI sleep control and status, hardware-reduced */

#define VIRTIO_INT_QUEUE 1u  /* VIRTIO_MMIO_INT_VRING */
#define VIRTIO_INT_CONFIG 2u /* VIRTIO_MMIO_INT_CONFIG */

enum machine_end {
	END_NONE,
	END_RESET,	  /* the guest asked for a reset */
	END_POWEROFF,	  /* the guest powered off */
	END_HALT,	  /* all vCPUs halted with interrupts off */
	END_TRIPLE_FAULT, /* a vCPU shut down */
	END_PANIC,	  /* the guest told of its panic */
	END_STOPPED,	  /* the control socket or a signal asked for it */
	END_VIOLATION,	  /* the guest broke a rule of a device; text: "V01 blk: why" */
	END_FAILED,	  /* KVM or the VMM could not go on; text: why */
};

/* "reset", "poweroff", ... as the report says it. */
const char *machine_end_name(enum machine_end end);

struct io_engine;
struct vcpu;
struct machine_call;

struct machine {
	struct vmm_spec *spec; /* the caller's; machine_run() closes what is not needed any more */
	int kvm_fd;
	int vm_fd;
	struct guest_mem mem; /* constant once the machine is made */
	struct loop loop;
	struct virtio_dev *devs[MACHINE_MAX_DEVS];
	unsigned nr_devs;
	struct io_engine *engine; /* of the disks; NULL without */
	struct vcpu *vcpus;
	unsigned nr_vcpus;
	struct uart uart;
	uint64_t entry; /* of the kernel */
	bool is_pvh;
	uint64_t rsdp; /* 0: no ACPI */

	struct { /* calls into the loop */
		pthread_mutex_t lock;
		struct machine_call *first;
		struct source wake;
	} calls;

	bool is_running;      /* constant once the vCPUs run */
	pthread_mutex_t gate; /* held, by the loop, while the vCPUs may not run */
	bool is_paused;	      /* atomic; owner: loop */
	unsigned nr_parked;   /* vCPUs that wait at the gate; atomic, a futex */
	struct halt_watch halt_watch;
	pid_t pid; /* as this process sees it */
	int end;   /* enum machine_end, atomic: the first one stays */
	char end_text[200];
	struct source end_source;
	struct source stop_source; /* of who started us, confine.h */
	sem_t ready;		   /* posted by each vCPU that waits to be let go */
};

/* Makes the machine but for the kernel and the first vCPU's registers. */
int machine_make_devices(struct machine *m, struct vmm_spec *spec, struct err *e);

/* Makes the whole machine, up to its first instruction. On failure machine_free() cleans up. */
int machine_make(struct machine *m, struct vmm_spec *spec, struct err *e);

/* Ends the machine when @fd becomes readable; it stays the caller's. */
int machine_watch_stop(struct machine *m, int fd, struct err *e);

/* Takes @d. To be called before the vCPUs run. */
int machine_add(struct machine *m, struct virtio_dev *d, struct err *e);

/* devices.c: all that the description names, in the order in which QEMU has them too. */
int devices_add(struct machine *m, struct err *e);
void devices_free(struct machine *m);

/* Runs until the end; returns 0 and m->end says how, or -1. */
int machine_run(struct machine *m, struct err *e);
void machine_free(struct machine *m);

/* Ends the machine; the first call counts. Any thread. */
void machine_end(struct machine *m, enum machine_end end, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Says that this vCPU is set up, and returns when guest code may run. vCPU threads, once. */
void machine_wait_release(struct machine *m);

/* At the gate, until the vCPUs may run. vCPU threads. */
void machine_park(struct machine *m);

/*
 * No vCPU enters the guest any more; false: it was so before.  Some may still be in it until
 * machine_wait_paused(), which is for any thread but the loop.
 */
bool machine_pause(struct machine *m);
void machine_wait_paused(struct machine *m);
void machine_resume(struct machine *m);

/* For a thread that has nothing left to do, and no right to end. */
void machine_rest(struct machine *m);

/* Runs fn(arg) in the loop and waits for it. vCPU threads; without machine_run(), as in tests, at
 * once. */
void machine_call(struct machine *m, void (*fn)(void *arg), void *arg);

/* An eventfd that raises @gsi when written; the caller owns it. */
int machine_irqfd(struct machine *m, unsigned gsi, struct err *e);

/* @fd is written when the guest writes @value, 32 bits, to @gpa. */
int machine_ioeventfd(struct machine *m, uint64_t gpa, uint32_t value, int fd, struct err *e);

/* From the loop: what @bits of the device's ISR say, and the interrupt. */
void virtio_interrupt(struct virtio_dev *d, uint32_t bits);

/* The transport of device @d: registers at its slot. */
int virtio_mmio_attach(struct machine *m, struct virtio_dev *d, struct err *e);
void virtio_mmio_detach(struct virtio_dev *d);

/* An access of a vCPU to [VIRTIO_BASE, ...). False: no device is there. vCPU threads. */
bool virtio_mmio_access(struct machine *m, uint64_t gpa, void *data, unsigned len, bool is_write);

#endif
