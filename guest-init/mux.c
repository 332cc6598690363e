/* SPDX-License-Identifier: Apache-2.0 */
#include "mux.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define HDR sizeof(struct proto_hdr)
#define FRAME (HDR + PROTO_MAX_PAYLOAD)
#define BATCH_FRAMES (MUX_BATCH / FRAME + 1)

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are copied as they are");

void mux_init(struct mux *m, int fd,
	      void (*frame)(void *ctx, const struct proto_hdr *h, const uint8_t *payload),
	      void *ctx)
{
	m->fd = fd;
	m->in_len = m->out_from = m->out_to = 0;
	m->is_full = false;
	m->port = NULL;
	m->frame = frame;
	m->ctx = ctx;
}

/* Hands on all whole frames and keeps the rest. */
static int dispatch(struct mux *m, struct err *e)
{
	struct proto_hdr h;
	size_t at = 0;

	while (m->in_len - at >= HDR) {
		memcpy(&h, m->in + at, HDR);
		if (h.len > PROTO_MAX_PAYLOAD)
			return err_set(e, 0, "cannot read from the host: frame of %u bytes", h.len);
		if (m->in_len - at < HDR + h.len)
			break;
		m->frame(m->ctx, &h, m->in + at + HDR);
		at += HDR + h.len;
	}
	m->in_len -= at;
	memmove(m->in, m->in + at, m->in_len);
	return 0;
}

int mux_receive(struct mux *m, struct err *e)
{
	ssize_t n = 0;

	/* virtio_console gives one page per read, so fill the buffer before parsing it */
	while (m->in_len < MUX_IN) {
		n = read(m->fd, m->in + m->in_len, MUX_IN - m->in_len);
		if (n <= 0)
			break;
		m->in_len += (size_t)n;
	}
	if (n == 0)
		return err_set(e, 0, "cannot read from the host: it has hung up");
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return err_set(e, errno, "cannot read from the host");
	if (dispatch(m, e) < 0)
		return -1;
	return n > 0 || errno == EINTR;
}

/* Moves what waits to the front when @len bytes would not fit behind it. */
static void make_room(struct mux *m, size_t len)
{
	if (sizeof(m->out) - m->out_to >= len)
		return;
	m->out_to -= m->out_from;
	memmove(m->out, m->out + m->out_from, m->out_to);
	m->out_from = 0;
}

static void put_header(uint8_t *at, enum proto_type type, unsigned session, unsigned stream,
		       size_t len)
{
	struct proto_hdr h = {
		.type = (uint8_t)type,
		.stream = (uint8_t)stream,
		.session = (uint16_t)session,
		.len = (uint32_t)len,
	};

	memcpy(at, &h, HDR);
}

void mux_send(struct mux *m, enum proto_type type, unsigned session, unsigned stream,
	      const void *payload, size_t len)
{
	make_room(m, HDR + len);
	if (sizeof(m->out) - m->out_to < HDR + len)
		return; /* cannot be: MUX_CONTROL counts every frame that is sent */
	put_header(m->out + m->out_to, type, session, stream, len);
	if (len)
		memcpy(m->out + m->out_to + HDR, payload, len);
	m->out_to += HDR + len;
}

size_t mux_room(const struct mux *m)
{
	size_t used = m->out_to - m->out_from, left, whole, rest;

	if (used + HDR >= MUX_BATCH)
		return 0;
	left = MUX_BATCH - used;
	whole = left / FRAME;
	rest = left % FRAME;
	return whole * PROTO_MAX_PAYLOAD + (rest > HDR ? rest - HDR : 0);
}

ssize_t mux_pump(struct mux *m, int fd, unsigned session, unsigned stream, size_t max)
{
	struct iovec iov[BATCH_FRAMES];
	size_t room = mux_room(m), left;
	ssize_t n;
	int k = 0;

	make_room(m, MUX_BATCH - (m->out_to - m->out_from));
	if (max > room)
		max = room;
	for (left = max; left; k++) {
		iov[k].iov_base = m->out + m->out_to + (size_t)k * FRAME + HDR;
		iov[k].iov_len = left < PROTO_MAX_PAYLOAD ? left : PROTO_MAX_PAYLOAD;
		left -= iov[k].iov_len;
	}
	n = readv(fd, iov, k);
	if (n <= 0)
		return n;
	for (left = (size_t)n, k = 0; left; k++) {
		size_t len = left < PROTO_MAX_PAYLOAD ? left : PROTO_MAX_PAYLOAD;

		put_header(m->out + m->out_to, PROTO_DATA, session, stream, len);
		m->out_to += HDR + len;
		left -= len;
	}
	return n;
}

/* Whoever flushes: what waits here must not wait for the next event of somebody else. */
static void set_full(struct mux *m, bool is_full)
{
	m->is_full = is_full;
	if (m->port)
		loop_set_events(m->port, EPOLLIN | (is_full ? EPOLLOUT : 0u));
}

int mux_flush(struct mux *m)
{
	ssize_t n;

	while (m->out_from < m->out_to) {
		n = write(m->fd, m->out + m->out_from, m->out_to - m->out_from);
		if (n < 0) {
			int num = errno;

			set_full(m, true);
			errno = num;
			return num == EAGAIN ? 0 : -1;
		}
		m->out_from += (size_t)n;
	}
	set_full(m, false);
	m->out_from = m->out_to = 0;
	return 0;
}
