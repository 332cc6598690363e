/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's devices, made from its description. */
#include "vmm/machine.h"
#include "vmm/virtio/balloon.h"
#include "vmm/virtio/blk.h"
#include "vmm/virtio/console.h"
#include "vmm/virtio/fs.h"
#include "vmm/virtio/net.h"
#include "vmm/virtio/rng.h"

int machine_add(struct machine *m, struct virtio_dev *d, struct err *e)
{
	if (m->nr_devs == MACHINE_MAX_DEVS) {
		d->ops->destroy(d);
		return err_set(e, 0, "cannot give the machine more than %d devices",
			       MACHINE_MAX_DEVS);
	}
	d->slot = m->nr_devs;
	m->devs[m->nr_devs++] = d;
	return virtio_mmio_attach(m, d, e);
}

/* Takes what *_new() made, if it could. */
static int add_made(struct machine *m, struct virtio_dev *d, struct err *e)
{
	return d ? machine_add(m, d, e) : -1;
}

static int add_uart(struct machine *m, struct err *e)
{
	const struct vmm_spec *s = m->spec;
	int irq = machine_irqfd(m, UART_GSI, e);

	return irq < 0 ? -1 : uart_init(&m->uart, &m->loop, s->serial.fd, s->serial_max, irq, e);
}

static int add_disks(struct machine *m, struct err *e)
{
	const struct vmm_spec *s = m->spec;
	unsigned i;

	if (!s->nr_disks)
		return 0;
	m->engine = io_engine_new(&m->loop, s->nr_disks * BLK_MAX_IN_FLIGHT);
	for (i = 0; i < s->nr_disks; i++) {
		if (add_made(m, blk_new(m->engine, &m->loop, &s->disks[i], e), e) < 0)
			return -1;
	}
	return io_engine_start(m->engine, s->io, e);
}

static int add_net(struct machine *m, const struct spec_nic *nic, struct err *e)
{
	int fd = nic->file.fd;
	struct net_peer *p = nic->is_stream ? net_stream_new(fd, e) : tap_new(fd, e);

	return p ? add_made(m, net_new(nic, p, &m->loop, e), e) : -1;
}

static int add_nets(struct machine *m, struct err *e)
{
	unsigned i;

	for (i = 0; i < m->spec->nr_nics; i++) {
		if (add_net(m, &m->spec->nics[i], e) < 0)
			return err_wrap(e, "cannot make network interface %u", i);
	}
	return 0;
}

static int add_shares(struct machine *m, struct err *e)
{
	unsigned i;

	for (i = 0; i < m->spec->nr_fs; i++) {
		if (add_made(m, fs_new(&m->spec->fs[i], e), e) < 0)
			return err_wrap(e, "cannot share directory %s", m->spec->fs[i].tag);
	}
	return 0;
}

int devices_add(struct machine *m, struct err *e)
{
	const struct vmm_spec *s = m->spec;

	if (add_uart(m, e) < 0)
		return -1;
	if (s->has_console && add_made(m, console_new(s->ports, s->nr_ports, e), e) < 0)
		return -1;
	if (s->has_rng && add_made(m, rng_new(&m->loop, &s->rng, e), e) < 0)
		return -1;
	if (add_disks(m, e) < 0)
		return -1;
	if (s->has_balloon && machine_add(m, balloon_new(&s->balloon), e) < 0)
		return -1;
	return add_nets(m, e) < 0 || add_shares(m, e) < 0 ? -1 : 0;
}

void devices_free(struct machine *m)
{
	unsigned i;

	for (i = 0; i < m->nr_devs; i++) {
		virtio_mmio_detach(m->devs[i]);
		m->devs[i]->ops->destroy(m->devs[i]);
	}
	io_engine_free(m->engine);
	uart_free(&m->uart);
}
