/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: Frames over a stream socket, as passt(1) and QEMU's -netdev stream have them
 *
 * Each frame lies behind its length, 4 bytes, the highest first.  There are no offloads, so the
 * virtio header is zeros and is not sent: its last 4 bytes are where the length goes, both ways.
 *
 *   to the socket     what it does not take of a frame is copied and goes first when there is room;
 *                     no other frame is begun before (has_rest)
 *   from the socket   as much as there is, into one buffer of ours.  The 8 bytes in front of a
 *                     frame's length belong to a frame that is over, and become its virtio header
 *
 * The other end may lie: a length that no frame has is the end of the link, for nothing tells where
 * the next frame would begin.
 */
#include "vmm/virtio/net_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "vmm/virtio/virtio.h"

#define LENGTH 4u
#define FRONT (NET_HDR_LEN - LENGTH)
#define IN_SIZE (128u << 10) /* bytes of one read: two of the largest frames, or many */

struct net_stream {
	struct net_peer p;
	size_t in_at, in_end;	/* bytes of in that are no frame yet */
	size_t out_at, out_end; /* bytes of out that are not sent */
	uint8_t in[FRONT + IN_SIZE];
	uint8_t out[LENGTH + NET_FRAME_MAX];
};
_Static_assert(IN_SIZE >= LENGTH + NET_FRAME_MAX, "any frame fits");

static int send_rest(struct net_stream *s)
{
	ssize_t n = write(s->p.fd, s->out + s->out_at, s->out_end - s->out_at);

	if (n < 0)
		return errno == EAGAIN ? EAGAIN : EPIPE;
	s->out_at += (size_t)n;
	s->p.has_rest = s->out_at < s->out_end;
	return s->p.has_rest ? EAGAIN : 0;
}

/* The guest may change what is copied meanwhile: no more than the contents of its own frame. */
static void keep_rest(struct net_stream *s, const struct iovec *iov, unsigned nr)
{
	s->out_at = s->out_end = 0;
	for (; nr; nr--, iov++) {
		memcpy(s->out + s->out_end, iov->iov_base, iov->iov_len);
		s->out_end += iov->iov_len;
	}
	s->p.has_rest = s->out_end > 0;
}

static int stream_send(struct net_peer *p, struct iovec *iov, unsigned nr)
{
	struct net_stream *s = container_of(p, struct net_stream, p);
	int r = p->has_rest ? send_rest(s) : 0;
	uint32_t len = 0;
	unsigned i;
	ssize_t n;

	if (r || !nr)
		return r;
	for (i = 0; i < nr; i++)
		len += (uint32_t)iov[i].iov_len;
	len = htonl(len - NET_HDR_LEN);
	iov[0].iov_base = (uint8_t *)iov[0].iov_base + FRONT;
	iov[0].iov_len -= FRONT;
	memcpy(iov[0].iov_base, &len, LENGTH);
	n = writev(p->fd, iov, (int)nr);
	if (n < 0)
		return errno == EAGAIN ? EAGAIN : EPIPE;
	nr = iov_skip(&iov, nr, (uint64_t)n);
	keep_rest(s, iov, nr);
	return 0;
}

/* The length of the frame at in_at, in *len.  False: it is not there yet. */
static bool has_frame(const struct net_stream *s, uint32_t *len)
{
	size_t have = s->in_end - s->in_at;

	if (have < LENGTH)
		return false;
	memcpy(len, s->in + s->in_at, LENGTH);
	*len = ntohl(*len);
	return *len > NET_FRAME_MAX || have - LENGTH >= *len;
}

static ssize_t stream_receive(struct net_peer *p, const struct iovec *iov, unsigned nr,
			      const uint8_t **kept)
{
	struct net_stream *s = container_of(p, struct net_stream, p);
	uint8_t *head;
	uint32_t len;
	ssize_t n;

	(void)iov;
	(void)nr;
	while (!has_frame(s, &len)) {
		memmove(s->in + FRONT, s->in + s->in_at, s->in_end - s->in_at);
		s->in_end -= s->in_at - FRONT;
		s->in_at = FRONT;
		n = read(p->fd, s->in + s->in_end, sizeof(s->in) - s->in_end);
		if (n <= 0)
			return n;
		s->in_end += (size_t)n;
	}
	if (len > NET_FRAME_MAX)
		return 0;
	head = s->in + s->in_at - FRONT;
	memset(head, 0, NET_HDR_LEN);
	s->in_at += LENGTH + len;
	*kept = head;
	return (ssize_t)(NET_HDR_LEN + len);
}

static const struct net_peer_ops stream_ops = { .send = stream_send, .receive = stream_receive };

static struct net_peer *stream_new(int fd)
{
	struct net_stream *s = xcalloc(1, sizeof(*s));

	s->p = (struct net_peer){ .ops = &stream_ops, .fd = fd };
	s->in_at = s->in_end = FRONT;
	return &s->p;
}

struct net_peer *net_stream_new(int fd, struct err *e)
{
	int flags = fcntl(fd, F_GETFL), type = 0;
	socklen_t len = sizeof(type);

	if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		err_set(e, errno, "cannot use file %d as a network stream", fd);
	else if (type != SOCK_STREAM)
		err_set(e, 0, "cannot use file %d as a network stream: not a stream socket", fd);
	else
		return stream_new(fd);
	return NULL;
}
