/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A 16550 UART at COM1, output only: the boot log.  vCPU threads put bytes into a ring; the loop
 * writes them out, at most @max of them.  While the ring is full the transmitter says "not empty",
 * so that a guest that looks waits, and one that does not loses bytes: memory stays bounded.
 */
#ifndef VPOD_VMM_UART_H
#define VPOD_VMM_UART_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

#define UART_RING 16384u
#define UART_DEFAULT_MAX (16ull << 20)

struct uart {
	int fd; /* -1: output goes nowhere */
	int irq_fd;
	uint64_t max; /* bytes to write in all */
	uint64_t written;
	struct source wake; /* eventfd: there is output */
	struct source out;  /* fd, watched while it takes no more */

	pthread_mutex_t lock; /* of what follows */
	uint8_t ier, lcr, mcr, scr, fcr;
	uint16_t divisor;
	bool thr_empty_pending; /* THRE interrupt raised, not yet seen in IIR */
	unsigned head, len;
	bool is_woken;
	uint8_t ring[UART_RING];
};

/* @fd stays the caller's. */
int uart_init(struct uart *u, struct loop *l, int fd, uint64_t max, int irq_fd, struct err *e);
void uart_free(struct uart *u);

/* What is still in the ring goes out, as far as the file takes it. At the end of the machine. */
void uart_drain(struct uart *u);

/* Register @reg, 0 to 7. vCPU threads. */
uint8_t uart_read(struct uart *u, unsigned reg);
void uart_write(struct uart *u, unsigned reg, uint8_t v);

#endif
