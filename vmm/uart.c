/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/uart.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/event.h"

static void raise_irq(struct uart *u)
{
	if (u->irq_fd >= 0)
		event_tell(u->irq_fd);
}

void uart_drain(struct uart *u)
{
	pthread_mutex_lock(&u->lock);
	u->is_woken = false;
	while (u->len) {
		unsigned n = u->len < UART_RING - u->head ? u->len : UART_RING - u->head;
		uint64_t room = u->max - u->written;
		ssize_t done = n;

		if (u->fd >= 0 && room)
			done = write(u->fd, u->ring + u->head, n < room ? n : room);
		if (done < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (done < 0) {
			u->max = u->written; /* nobody reads it: no more */
			done = n;
		} else if (u->fd >= 0 && room) {
			u->written += (uint64_t)done;
		}
		u->head = (u->head + (unsigned)done) % UART_RING;
		u->len -= (unsigned)done;
	}
	loop_set_events(&u->out, u->len ? EPOLLOUT : 0);
	pthread_mutex_unlock(&u->lock);
}

static void woken(struct source *s, uint32_t events)
{
	(void)events;
	if (event_take(s))
		uart_drain(container_of(s, struct uart, wake));
}

static void writable(struct source *s, uint32_t events)
{
	struct uart *u = container_of(s, struct uart, out);

	if (events & (EPOLLERR | EPOLLHUP)) {
		u->fd = -1; /* whose it is closes it */
		loop_remove(s);
	}
	uart_drain(u);
}

int uart_init(struct uart *u, struct loop *l, int fd, uint64_t max, int irq_fd, struct err *e)
{
	struct err ignored;

	*u = (struct uart){ .fd = fd, .irq_fd = irq_fd, .max = max ? max : UART_DEFAULT_MAX };
	u->out.fd = -1;
	pthread_mutex_init(&u->lock, NULL);
	if (event_watch(l, &u->wake, woken, e) < 0)
		return err_wrap(e, "cannot make the serial port");
	if (fd >= 0) /* regular files cannot be watched, and need not be */
		(void)loop_add(l, &u->out, fd, 0, writable, &ignored);
	return 0;
}

void uart_free(struct uart *u)
{
	event_unwatch(&u->wake);
	loop_remove(&u->out);
	close_p(&u->irq_fd);
}

/* The loop is woken for the first byte and finds those that came meanwhile. */
static void transmit(struct uart *u, uint8_t v)
{
	if (u->len < UART_RING)
		u->ring[(u->head + u->len++) % UART_RING] = v;
	if (!u->is_woken) {
		u->is_woken = true;
		event_tell(u->wake.fd);
	}
	if (u->ier & UART_IER_THRI) {
		u->thr_empty_pending = true;
		raise_irq(u);
	}
}

static uint8_t read_iir(struct uart *u)
{
	uint8_t fifo = u->fcr & UART_FCR_ENABLE_FIFO ? 0xc0 : 0;

	if (!u->thr_empty_pending)
		return fifo | UART_IIR_NO_INT;
	u->thr_empty_pending = false;
	return fifo | UART_IIR_THRI;
}

static uint8_t read_reg(struct uart *u, unsigned reg)
{
	bool dlab = u->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_RX:
		return dlab ? u->divisor & 0xff : 0;
	case UART_IER:
		return dlab ? u->divisor >> 8 : u->ier;
	case UART_IIR:
		return read_iir(u);
	case UART_LCR:
		return u->lcr;
	case UART_MCR:
		return u->mcr;
	case UART_LSR:
		return u->len < UART_RING ? UART_LSR_TEMT | UART_LSR_THRE : 0;
	case UART_MSR:
		if (u->mcr & UART_MCR_LOOP) /* DTR, RTS, OUT1, OUT2 come back */
			return (uint8_t)((u->mcr & 1) << 5 | (u->mcr & 2) << 3 |
					 (u->mcr & 0xc) << 4);
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	default:
		return u->scr;
	}
}

static void write_ier(struct uart *u, uint8_t v)
{
	bool was_on = u->ier & UART_IER_THRI;

	u->ier = v & 0xf;
	if (u->ier & UART_IER_THRI && !was_on) {
		u->thr_empty_pending = true;
		raise_irq(u);
	}
}

static void write_reg(struct uart *u, unsigned reg, uint8_t v)
{
	bool dlab = u->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_TX:
		if (dlab)
			u->divisor = (u->divisor & 0xff00) | v;
		else if (!(u->mcr & UART_MCR_LOOP))
			transmit(u, v);
		break;
	case UART_IER:
		if (dlab)
			u->divisor = (uint16_t)(v << 8 | (u->divisor & 0xff));
		else
			write_ier(u, v);
		break;
	case UART_FCR:
		u->fcr = v;
		break;
	case UART_LCR:
		u->lcr = v;
		break;
	case UART_MCR:
		u->mcr = v & 0x1f;
		break;
	case UART_SCR:
		u->scr = v;
		break;
	default:
		break;
	}
}

uint8_t uart_read(struct uart *u, unsigned reg)
{
	uint8_t v;

	pthread_mutex_lock(&u->lock);
	v = read_reg(u, reg);
	pthread_mutex_unlock(&u->lock);
	return v;
}

void uart_write(struct uart *u, unsigned reg, uint8_t v)
{
	pthread_mutex_lock(&u->lock);
	write_reg(u, reg, v);
	pthread_mutex_unlock(&u->lock);
}
