/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio/vhost_user.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define TIMEOUT_SECONDS 5 /* of one answer: queues are stopped while somebody's disk is slow */

enum request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
};

#define FLAG_VERSION 1u
#define FLAG_VERSION_MASK 3u
#define FLAG_REPLY 4u
#define FLAG_NEED_REPLY 8u

#define F_PROTOCOL_FEATURES (1ull << 30)
#define PROTOCOL_F_MQ (1ull << 0)
#define PROTOCOL_F_REPLY_ACK (1ull << 3)

struct header {
	uint32_t request, flags, size;
};

struct mem_table {
	uint32_t nr, padding;
	struct {
		uint64_t gpa, size, user, offset;
	} regions[MEM_MAX_REGIONS];
};

#define MAX_PAYLOAD sizeof(struct mem_table)
#define MAX_FDS MEM_MAX_REGIONS
static_assert(sizeof(struct vhost_vring_addr) <= MAX_PAYLOAD, "any request fits");

static int failed(struct err *e, int num, const char *what)
{
	return err_set(e, num, "cannot speak to a vhost-user backend: %s", what);
}

/* Sends one request; the kernel takes it whole or not at all, so small it is. */
static int send_request(const struct vhost_user *v, enum request request, const void *payload,
			uint32_t size, bool wants_ack, const int *fds, unsigned nr_fds,
			struct err *e)
{
	struct header h = { .request = request,
			    .flags = FLAG_VERSION | (wants_ack ? FLAG_NEED_REPLY : 0),
			    .size = size };
	struct iovec iov[2] = { { &h, sizeof(h) }, { (void *)(uintptr_t)payload, size } };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control = { .buf = { 0 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = size ? 2 : 1 };
	struct cmsghdr *c;

	if (nr_fds) {
		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nr_fds * sizeof(int));
	}
	if (sendmsg(v->fd, &m, MSG_NOSIGNAL) != (ssize_t)(sizeof(h) + size))
		return failed(e, errno, "it takes no request");
	return 0;
}

static int receive(const struct vhost_user *v, void *buf, size_t len, struct err *e)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = read(v->fd, (uint8_t *)buf + at, len - at); /* drops fds, if any */

		if (n == 0)
			return failed(e, 0, "it went away");
		if (n < 0 && errno != EINTR)
			return failed(e, errno, "no answer");
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* All answers are of 8 bytes. */
static int receive_reply(const struct vhost_user *v, enum request request, uint64_t *out,
			 struct err *e)
{
	struct header h;

	if (receive(v, &h, sizeof(h), e) < 0)
		return -1;
	if (h.request != request || (h.flags & FLAG_VERSION_MASK) != FLAG_VERSION ||
	    !(h.flags & FLAG_REPLY) || h.size != sizeof(*out))
		return failed(e, 0, "it answers something else");
	return receive(v, out, sizeof(*out), e);
}

static int set_fds(const struct vhost_user *v, enum request request, const void *payload,
		   uint32_t size, const int *fds, unsigned nr_fds, struct err *e)
{
	uint64_t status = 0;

	if (send_request(v, request, payload, size, v->acks, fds, nr_fds, e) < 0)
		return -1;
	if (v->acks && receive_reply(v, request, &status, e) < 0)
		return -1;
	return status ? failed(e, 0, "it refuses a request") : 0;
}

static int set(const struct vhost_user *v, enum request request, const void *payload, uint32_t size,
	       struct err *e)
{
	return set_fds(v, request, payload, size, NULL, 0, e);
}

static int get(const struct vhost_user *v, enum request request, uint64_t *out, struct err *e)
{
	return send_request(v, request, NULL, 0, false, NULL, 0, e) < 0
		       ? -1
		       : receive_reply(v, request, out, e);
}

int vhost_user_init(struct vhost_user *v, int fd, unsigned nr_queues, uint64_t *features,
		    struct err *e)
{
	struct timeval timeout = { .tv_sec = TIMEOUT_SECONDS };
	int flags = fcntl(fd, F_GETFL);
	uint64_t protocol, queues;

	*v = (struct vhost_user){ .fd = fd };
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return failed(e, errno, "its file is no socket");
	if (get(v, GET_FEATURES, features, e) < 0)
		return -1;
	if (!(*features & F_PROTOCOL_FEATURES) || !(*features >> VIRTIO_F_VERSION_1 & 1) ||
	    !(*features >> VIRTIO_RING_F_EVENT_IDX & 1))
		return failed(e, 0, "it lacks VERSION_1, EVENT_IDX or protocol features");
	if (get(v, GET_PROTOCOL_FEATURES, &protocol, e) < 0)
		return -1;
	protocol &= PROTOCOL_F_MQ | PROTOCOL_F_REPLY_ACK;
	if (set(v, SET_PROTOCOL_FEATURES, &protocol, sizeof(protocol), e) < 0)
		return -1;
	v->acks = protocol & PROTOCOL_F_REPLY_ACK;
	if (protocol & PROTOCOL_F_MQ) {
		if (get(v, GET_QUEUE_NUM, &queues, e) < 0)
			return -1;
		if (queues < nr_queues)
			return failed(e, 0, "it has fewer queues");
	}
	return set(v, SET_OWNER, NULL, 0, e);
}

int vhost_user_start(const struct vhost_user *v, const struct guest_mem *m, uint64_t features,
		     struct err *e)
{
	struct mem_table t = { .nr = m->nr };
	int fds[MEM_MAX_REGIONS];
	unsigned i;

	for (i = 0; i < m->nr; i++) {
		const struct mem_region *r = &m->regions[i];

		t.regions[i].gpa = r->gpa;
		t.regions[i].size = r->size;
		t.regions[i].user = (uintptr_t)r->host;
		t.regions[i].offset = (uint64_t)(r->host - m->regions[0].host);
		fds[i] = m->fd;
	}
	features |= F_PROTOCOL_FEATURES;
	if (set(v, SET_FEATURES, &features, sizeof(features), e) < 0)
		return -1;
	return set_fds(
		v, SET_MEM_TABLE, &t,
		(uint32_t)(offsetof(struct mem_table, regions) + m->nr * sizeof(t.regions[0])), fds,
		m->nr, e);
}

int vhost_user_start_queue(const struct vhost_user *v, const struct virtqueue *q, int call_fd,
			   struct err *e)
{
	struct vhost_vring_state num = { q->index, q->size }, base = { q->index, 0 },
				 enable = { q->index, 1 };
	struct vhost_vring_addr addr = { .index = q->index,
					 .desc_user_addr = (uintptr_t)q->desc,
					 .used_user_addr = (uintptr_t)q->used,
					 .avail_user_addr = (uintptr_t)q->avail };
	uint64_t index = q->index;

	if (set(v, SET_VRING_NUM, &num, sizeof(num), e) < 0 ||
	    set(v, SET_VRING_BASE, &base, sizeof(base), e) < 0 ||
	    set(v, SET_VRING_ADDR, &addr, sizeof(addr), e) < 0 ||
	    set_fds(v, SET_VRING_CALL, &index, sizeof(index), &call_fd, 1, e) < 0 ||
	    set_fds(v, SET_VRING_KICK, &index, sizeof(index), &q->kick.fd, 1, e) < 0)
		return -1;
	return set(v, SET_VRING_ENABLE, &enable, sizeof(enable), e);
}

int vhost_user_stop_queue(const struct vhost_user *v, const struct virtqueue *q, struct err *e)
{
	struct vhost_vring_state base = { q->index, 0 };
	uint64_t reply;

	if (send_request(v, GET_VRING_BASE, &base, sizeof(base), false, NULL, 0, e) < 0 ||
	    receive_reply(v, GET_VRING_BASE, &reply, e) < 0)
		return -1;
	return (uint32_t)reply == q->index ? 0 : failed(e, 0, "it stopped another queue");
}
