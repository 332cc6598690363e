/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One fact per line, its sort first, for people and for tests: tests/vmm/sweep.t compares the ports
 * and windows with what a guest finds, tests/vmm/confine.t the files with /proc.
 */
#include "vmm/surface.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/sandbox.h"
#include "vmm/vcpu.h"

const char surface_default_spec[] =
	"vpod-vmm 1\nmachine cpus=1 memory=16777216\nkernel path=/dev/null\n"
	"serial path=/dev/null\nrng\n";

static const struct {
	unsigned first, last;
	const char *what;
} ports[] = {
	{ UART_PORT, UART_PORT + 7, "vmm serial port, interrupt 4" },
	{ I8042_PORT, I8042_PORT, "vmm keyboard controller: reset only" },
	{ PANIC_PORT, PANIC_PORT, "vmm panic signal" },
	{ SLEEP_PORT, SLEEP_PORT + 1, "vmm sleep control and status" },
	{ 0x20, 0x21, "kvm interrupt controller" },
	{ 0xa0, 0xa1, "kvm interrupt controller" },
	{ 0x4d0, 0x4d1, "kvm interrupt controller, edge or level" },
};

static const char *const rules[] = {
	"uid one of its own, of root's machine; none of the groups",
	"capabilities none, bounding set empty, no new privileges, not dumpable",
	"namespaces mount pid net ipc uts user, of its own; the user namespace has no mappings",
	"root an empty directory, read-only, nosuid, nodev",
	"landlock nothing allowed, where the host's kernel has it",
	"limit files 0 more",
	"limit threads 0 more, without disks; io_uring has workers of its own",
	"limit core 0",
	"limit file-size what the disks and logs may grow to",
};

static void print_ports(void)
{
	size_t i;

	for (i = 0; i < nitems(ports); i++)
		printf("port 0x%03x-0x%03x %s\n", ports[i].first, ports[i].last, ports[i].what);
}

static void print_windows(const struct machine *m)
{
	unsigned i;

	for (i = 0; m && i < m->nr_devs; i++) {
		unsigned long long at = VIRTIO_BASE + (unsigned long long)i * VIRTIO_STRIDE;

		printf("mmio 0x%08llx-0x%08llx vmm virtio %s, device %u, %u queues, interrupt %u\n",
		       at, at + VIRTIO_STRIDE - 1, m->devs[i]->ops->name, m->devs[i]->ops->id,
		       m->devs[i]->nr_queues, VIRTIO_FIRST_GSI + i % VIRTIO_NR_GSI);
	}
	printf("mmio 0xfec00000-0xfec000ff kvm I/O interrupt controller\n");
	printf("mmio 0xfee00000-0xfee00fff kvm local interrupt controller\n");
}

static void print_calls(void)
{
	const struct sandbox_call *c;
	unsigned kind;
	size_t i;

	for (kind = 0; kind < SANDBOX_NR; kind++) {
		for (i = 0; (c = sandbox_call(i)); i++) {
			if (c->kinds >> kind & 1)
				printf("call %s %s %s: %s\n", sandbox_kind_name(kind), c->name,
				       c->condition, c->reason);
		}
	}
}

/* Files. */

struct search {
	int fd;
	const char *what;
};

static void match(struct spec_file *f, const char *what, void *arg)
{
	struct search *s = arg;

	if (f->fd == s->fd && f->fd >= 0)
		s->what = what;
}

static void name_file(const struct machine *m, int fd, char *out, size_t size)
{
	struct search s = { fd, NULL };
	unsigned i, q;

	spec_each_file(m->spec, match, &s);
	snprintf(out, size, "%s",
		 s.what				    ? s.what
		 : fd == STDERR_FILENO		    ? "messages"
		 : fd < STDERR_FILENO		    ? "nothing"
		 : fd == m->vm_fd		    ? "the VM; no thread may use it"
		 : fd == m->loop.epfd		    ? "the event loop"
		 : fd == m->calls.wake.fd	    ? "calls into the loop"
		 : fd == m->end_source.fd	    ? "the end"
		 : fd == m->halt_watch.timer.src.fd ? "the watch for halted guests"
		 : fd == m->uart.irq_fd		    ? "interrupt of the serial port"
		 : fd == m->uart.wake.fd	    ? "output of the serial port"
						    : "of a device");
	for (i = 0; i < m->nr_vcpus; i++) {
		if (fd == m->vcpus[i].fd)
			snprintf(out, size, "vCPU %u", i);
	}
	for (i = 0; i < m->nr_devs; i++) {
		if (fd == m->devs[i]->irq_fd)
			snprintf(out, size, "interrupt of %s", m->devs[i]->ops->name);
		for (q = 0; q < m->devs[i]->nr_queues; q++) {
			if (fd == m->devs[i]->vq[q].kick.fd)
				snprintf(out, size, "queue %u of %s", q, m->devs[i]->ops->name);
		}
	}
}

static bool is_closed_before_run(const struct vmm_spec *s, int fd)
{
	return fd == s->kvm.fd || fd == s->kernel.fd || fd == s->initrd.fd;
}

static void print_files(const struct machine *m)
{
	char path[32], target[128], what[64];
	ssize_t n;
	int fd;

	for (fd = 0; m && fd < 1024; fd++) {
		if (fcntl(fd, F_GETFD) < 0 || is_closed_before_run(m->spec, fd))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		name_file(m, fd, what, sizeof(what));
		if (!strcmp(what, "nothing")) /* not our output: confine_close() */
			snprintf(target, sizeof(target), "/dev/null");
		printf("file %s %s\n", target[strcspn(target, " ")] ? "?" : target, what);
	}
	printf("file socket: stop, and the answer to who started it\n");
}

void surface_print(const struct machine *m)
{
	size_t i;

	print_ports();
	print_windows(m);
	print_files(m);
	print_calls();
	for (i = 0; i < nitems(rules); i++)
		puts(rules[i]);
	fflush(stdout);
}
