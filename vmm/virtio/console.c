/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The console device with many ports, virtio 1.2 section 5.3
 *
 * A port joins a pair of queues with a stream: a socket, a pipe, a terminal.  Bytes go from guest
 * memory to the stream and back without a copy of ours, so that nothing grows, whoever is slow:
 *
 *   guest -> host   what the stream does not take stays in its queue; p->sent says how much of the
 *                   first request is gone
 *   host -> guest   the stream is read only into buffers that the guest gave, and only while a
 *                   program in the guest holds the port open
 *
 * What is to be told of a port is a set of bits, not a list, and waits for buffers there.
 *
 * Numbers are those of QEMU's virtio-serial: port 0 is for the first port without a name, which is
 * a console (hvc0); others are numbered from 1.
 *
 * The stream's end: end of file stops one direction only; when nobody is left at the other end, the
 * guest reads what is still there, is told PORT_OPEN 0, and its output is thrown away.
 */
#include "vmm/virtio/console.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "vmm/machine.h"

#define MAX_PORTS (SPEC_MAX_PORTS + 1)
enum { CONTROL_IN = 2, CONTROL_OUT = 3 }; /* queues, as the guest sees them */

static_assert(2 * (MAX_PORTS + 1) <= VIRTIO_MAX_QUEUES, "a pair of queues for each port");

/* Of one port in one turn of the loop, so that no port keeps others waiting (V17). */
#define TURN_BYTES 131072u
#define TURN_REQUESTS 256u

/* To be told, in this order. */
enum { TELL_ADD = 1, TELL_CONSOLE = 2, TELL_NAME = 4, TELL_OPEN = 8, TELL_END = 16 };

struct port {
	struct console *c; /* NULL: no such port */
	unsigned id;
	const char *name; /* "": none, a console */
	int fd;
	bool can_read, can_write; /* what the file is open for */
	bool is_connected;	  /* there is a host */

	struct source src; /* watched between activation and reset */
	bool is_hung;	   /* nobody at the other end, but there may be bytes to read */

	/* Until reset. */
	bool is_ready;	   /* the driver knows it */
	bool is_open;	   /* a program in the guest has it open */
	bool wants_buffer; /* the guest has no room for input */
	bool wants_room;   /* the stream has no room for output */
	uint64_t sent;	   /* bytes of the first request in the output queue */
	unsigned tell;
};

struct console {
	struct virtio_dev d;
	struct virtio_console_config config;
	unsigned nr; /* of ports[] in use, holes included */
	struct port ports[MAX_PORTS];
};

static unsigned input_queue(const struct port *p)
{
	return p->id ? 2 * p->id + 2 : 0;
}

static struct port *port_of_queue(struct console *c, unsigned index)
{
	unsigned id = index < 2 ? 0 : index / 2 - 1;

	return id < c->nr && c->ports[id].c ? &c->ports[id] : NULL;
}

/* Leaves of @n buffers the bytes from *skip on, at most @max. Returns how many buffers that are. */
static unsigned clip(struct iovec **iov, unsigned n, uint64_t skip, size_t max)
{
	unsigned i;

	n = iov_skip(iov, n, skip);
	for (i = 0; i < n && max; i++) {
		if ((*iov)[i].iov_len > max)
			(*iov)[i].iov_len = max;
		max -= (*iov)[i].iov_len;
	}
	return i;
}

/* Writes what is to be told next of @p. */
static size_t message(struct port *p, uint8_t *buf)
{
	static const uint16_t events[] = { [TELL_ADD] = VIRTIO_CONSOLE_PORT_ADD,
					   [TELL_CONSOLE] = VIRTIO_CONSOLE_CONSOLE_PORT,
					   [TELL_NAME] = VIRTIO_CONSOLE_PORT_NAME,
					   [TELL_OPEN] = VIRTIO_CONSOLE_PORT_OPEN };
	unsigned bit = p->tell & -p->tell;
	struct virtio_console_control m = { .id = p->id, .event = events[bit], .value = 1 };
	size_t len = sizeof(m);

	if (bit == TELL_OPEN)
		m.value = p->is_connected;
	memcpy(buf, &m, sizeof(m));
	if (bit == TELL_NAME) {
		memcpy(buf + len, p->name, strlen(p->name) + 1); /* QEMU counts the zero byte */
		len += strlen(p->name) + 1;
	}
	p->tell &= ~bit;
	return len;
}

static void tell_all(struct console *c)
{
	struct virtqueue *q = &c->d.vq[CONTROL_IN];
	uint8_t buf[sizeof(struct virtio_console_control) + SPEC_NAME];
	struct vq_chain chain;
	unsigned i;

	if (!virtio_has(&c->d, VIRTIO_CONSOLE_F_MULTIPORT))
		return;
	for (i = 0; i < c->nr; i++) {
		while (c->ports[i].tell && vq_pop_or_wait(q, &chain) > 0) {
			size_t len = message(&c->ports[i], buf);

			vq_push(q, chain.head, (uint32_t)chain_write(&chain, 0, buf, len));
		}
	}
	virtio_signal(q);
}

static void watch(struct port *p)
{
	bool wants_input = p->can_read && p->is_open && !p->wants_buffer;

	loop_set_events(&p->src, (wants_input ? EPOLLIN : 0u) | (p->wants_room ? EPOLLOUT : 0u));
}

static void write_out(struct port *p);

static void disconnect(struct port *p)
{
	if (!p->is_connected)
		return;
	loop_remove(&p->src);
	p->is_connected = false;
	p->wants_room = false;
	if (p->is_ready)
		p->tell |= TELL_OPEN;
	tell_all(p->c);
	write_out(p);
}

/* Adds to *bytes; false when the stream has nothing (more) to give. */
static bool read_request(struct port *p, struct virtqueue *q, struct vq_chain *chain, size_t *bytes)
{
	struct iovec *iov = chain->iov + chain->nr_out;
	unsigned nr = clip(&iov, chain->nr_in, 0, TURN_BYTES);
	ssize_t n = nr ? readv(p->fd, iov, (int)nr) : 0;

	if (n > 0 || !nr) {
		vq_push(q, chain->head, (uint32_t)n);
		*bytes += (size_t)n;
		return true;
	}
	vq_unpop(q);
	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno == EAGAIN && !p->is_hung)
		return false;
	p->can_read = false; /* its end, or as good as that */
	if (p->is_hung)
		disconnect(p);
	return false;
}

/* Host to guest. */
static void read_in(struct port *p)
{
	struct virtqueue *q = &p->c->d.vq[input_queue(p)];
	struct vq_chain chain;
	size_t bytes = 0;
	unsigned turns;

	p->wants_buffer = false;
	for (turns = 0; turns < TURN_REQUESTS && bytes < TURN_BYTES && p->can_read && p->is_open;
	     turns++) {
		if (vq_pop_or_wait(q, &chain) <= 0) {
			p->wants_buffer = true;
			break;
		}
		if (!read_request(p, q, &chain, &bytes))
			break;
	}
	virtio_signal(q);
	if ((turns == TURN_REQUESTS || bytes >= TURN_BYTES) && p->is_hung)
		vq_kick_again(q); /* the loop does not watch it any more */
	watch(p);
}

/* How much of the request went out; *is_full when the stream takes no more. */
static size_t write_request(struct port *p, struct vq_chain *chain, bool *is_full)
{
	struct iovec *iov = chain->iov;
	unsigned nr = clip(&iov, chain->nr_out, p->sent, TURN_BYTES);
	ssize_t n;

	if (!nr || !p->is_connected || !p->can_write)
		return chain->out_len; /* empty, or nobody is there */
	n = writev(p->fd, iov, (int)nr);
	if (n >= 0)
		return (size_t)n;
	if (errno == EINTR)
		return 0;
	if (errno == EAGAIN)
		*is_full = true;
	else
		p->can_write = false; /* thrown away from now on */
	return 0;
}

/* Guest to host. */
static void write_out(struct port *p)
{
	struct virtqueue *q = &p->c->d.vq[input_queue(p) + 1];
	size_t bytes = 0;
	unsigned turns;
	struct vq_chain chain;

	p->wants_room = false;
	for (turns = 0; turns < TURN_REQUESTS && bytes < TURN_BYTES && !p->wants_room; turns++) {
		size_t n;

		if (vq_pop_or_wait(q, &chain) <= 0)
			break;
		n = write_request(p, &chain, &p->wants_room);
		p->sent += n;
		bytes += p->is_connected ? n : 0;
		if (p->sent < chain.out_len) { /* the guest may have changed it: no matter */
			vq_unpop(q);
			continue;
		}
		p->sent = 0;
		vq_push(q, chain.head, 0);
	}
	virtio_signal(q);
	if (turns == TURN_REQUESTS || bytes >= TURN_BYTES)
		vq_kick_again(q);
	watch(p);
}

static void stream_ready(struct source *s, uint32_t events)
{
	struct port *p = container_of(s, struct port, src);

	if (events & EPOLLOUT)
		write_out(p);
	if (!p->is_connected)
		return;
	if (events & (EPOLLHUP | EPOLLERR)) { /* cannot be masked: would be told for ever */
		loop_remove(&p->src);
		p->is_hung = true;
		if (!p->can_read)
			disconnect(p);
	}
	if (p->is_connected)
		read_in(p);
	if (p->wants_room && p->is_hung) /* nothing will wake it */
		write_out(p);
}

static void discard(struct virtqueue *q)
{
	struct vq_chain chain;
	unsigned i;

	for (i = 0; i < TURN_REQUESTS && vq_pop_or_wait(q, &chain) > 0; i++)
		vq_push(q, chain.head, 0);
	virtio_signal(q);
	if (i == TURN_REQUESTS)
		vq_kick_again(q);
}

static void port_said(struct port *p, const struct virtio_console_control *m)
{
	switch (m->event) {
	case VIRTIO_CONSOLE_PORT_READY:
		p->is_ready = m->value;
		if (!p->is_ready)
			return;
		p->tell |= p->name[0] ? TELL_NAME : TELL_CONSOLE;
		if (p->is_connected)
			p->tell |= TELL_OPEN;
		return;
	case VIRTIO_CONSOLE_PORT_OPEN:
		p->is_open = m->value;
		read_in(p);
		return;
	default: /* others are ours to say */
		return;
	}
}

/* What names no port of ours has no effect. */
static void guest_said(struct console *c, const struct virtio_console_control *m)
{
	unsigned i;

	if (m->event != VIRTIO_CONSOLE_DEVICE_READY) {
		if (m->id < c->nr && c->ports[m->id].c)
			port_said(&c->ports[m->id], m);
		return;
	}
	for (i = 0; i < c->nr && m->value; i++) {
		if (c->ports[i].c)
			c->ports[i].tell |= TELL_ADD;
	}
}

static void read_control(struct console *c)
{
	struct virtqueue *q = &c->d.vq[CONTROL_OUT];
	struct virtio_console_control m;
	struct vq_chain chain;
	unsigned i;

	for (i = 0; i < TURN_REQUESTS && vq_pop_or_wait(q, &chain) > 0; i++) {
		if (chain_read(&chain, 0, &m, sizeof(m)) < sizeof(m)) {
			virtio_violation(&c->d, "V24", "a control message that is too short");
			return;
		}
		vq_push(q, chain.head, 0);
		if (virtio_has(&c->d, VIRTIO_CONSOLE_F_MULTIPORT))
			guest_said(c, &m);
	}
	virtio_signal(q);
	if (i == TURN_REQUESTS)
		vq_kick_again(q);
	tell_all(c);
}

static void console_notify(struct virtio_dev *d, unsigned index)
{
	struct console *c = container_of(d, struct console, d);
	struct port *p = port_of_queue(c, index);

	if (index == CONTROL_IN)
		tell_all(c);
	else if (index == CONTROL_OUT)
		read_control(c);
	else if (!(index & 1) && p)
		read_in(p);
	else if (index & 1 && p)
		write_out(p);
	else if (index & 1)
		discard(&d->vq[index]);
}

static int console_activate(struct virtio_dev *d, struct err *e)
{
	struct console *c = container_of(d, struct console, d);
	unsigned i;

	for (i = 0; i < c->nr; i++) {
		struct port *p = &c->ports[i];

		if (!p->c)
			continue;
		p->is_open = !virtio_has(d, VIRTIO_CONSOLE_F_MULTIPORT);
		if (p->is_connected && !p->is_hung &&
		    loop_add(&d->m->loop, &p->src, p->fd, 0, stream_ready, e) < 0)
			return err_wrap(e, "cannot use console port %u", i);
	}
	return 0;
}

static void console_reset(struct virtio_dev *d)
{
	struct console *c = container_of(d, struct console, d);
	unsigned i;

	for (i = 0; i < c->nr; i++) {
		struct port *p = &c->ports[i];

		loop_remove(&p->src);
		p->is_ready = p->is_open = p->wants_buffer = p->wants_room = false;
		p->sent = 0;
		p->tell = 0;
	}
}

static void console_destroy(struct virtio_dev *d)
{
	console_reset(d);
	free(container_of(d, struct console, d));
}

static const struct virtio_ops console_ops = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.nr_queues = 2 * (MAX_PORTS + 1),
	.queue_max = 128,
	.activate = console_activate,
	.notify = console_notify,
	.reset = console_reset,
	.destroy = console_destroy,
};

static int port_init(struct port *p, struct console *c, const struct spec_port *s, struct err *e)
{
	int flags = fcntl(s->file.fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(s->file.fd, &st) < 0 ||
	    fcntl(s->file.fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_set(e, errno, "cannot use console port '%s'", s->name);
	if (!S_ISSOCK(st.st_mode) && !S_ISFIFO(st.st_mode) && !isatty(s->file.fd))
		return err_set(e, 0, "cannot use console port '%s': not a socket, pipe or terminal",
			       s->name);
	p->c = c;
	p->name = s->name;
	p->fd = s->file.fd;
	p->can_read = (flags & O_ACCMODE) != O_WRONLY;
	p->can_write = (flags & O_ACCMODE) != O_RDONLY;
	p->is_connected = true;
	return 0;
}

struct virtio_dev *console_new(const struct spec_port *ports, unsigned nr, struct err *e)
{
	struct console *c = xcalloc(1, sizeof(*c));
	unsigned i, id;

	c->nr = 1;
	for (i = 0; i < nr && i < SPEC_MAX_PORTS; i++) {
		id = !ports[i].name[0] && !c->ports[0].c ? 0 : c->nr++;
		if (port_init(&c->ports[id], c, &ports[i], e) < 0) {
			free(c);
			return NULL;
		}
		c->ports[id].id = id;
	}
	c->d.ops = &console_ops;
	c->d.nr_queues = 2 * (c->nr + 1);
	c->d.features = 1ull << VIRTIO_CONSOLE_F_MULTIPORT;
	c->d.config = &c->config;
	c->d.config_len = sizeof(c->config);
	c->config.max_nr_ports = c->nr;
	return &c->d;
}
