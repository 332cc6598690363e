/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

int netlink_open(struct netlink *nl, struct err *e)
{
	int one = 1;

	*nl = (struct netlink){ .fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) };
	if (nl->fd < 0)
		return err_set(e, errno, "cannot open a netlink socket");
	/* older kernels answer with the number of the error alone */
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return 0;
}

void netlink_close(struct netlink *nl)
{
	close_p(&nl->fd);
}

/* What the kernel wrote behind an error: attributes, one of which is text. */
static void keep_words(struct netlink *nl, const struct nlmsghdr *h)
{
	const struct nlmsgerr *err = NLMSG_DATA(h);
	size_t at = NLMSG_SPACE(sizeof(*err)), n;
	struct nlattr a;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		at += err->msg.nlmsg_len - sizeof(err->msg);
	for (; at < h->nlmsg_len && h->nlmsg_len - at >= sizeof(a); at += NLA_ALIGN(a.nla_len)) {
		memcpy(&a, (const char *)h + at, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > h->nlmsg_len - at)
			return;
		n = a.nla_len - sizeof(a);
		if (a.nla_type == NLMSGERR_ATTR_MSG && n)
			snprintf(nl->why, sizeof(nl->why), "%.*s", (int)n,
				 (const char *)h + at + sizeof(a));
	}
}

/* The end of an answer: 1 when all is well, -1 with errno. */
static int read_end(struct netlink *nl, const struct nlmsghdr *h)
{
	const struct nlmsgerr *err = NLMSG_DATA(h);

	if (h->nlmsg_type == NLMSG_DONE)
		return 1;
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*err))) {
		errno = EPROTO;
		return -1;
	}
	if (!err->error)
		return 1;
	keep_words(nl, h);
	errno = -err->error;
	return -1;
}

/* One datagram of the answer: 0 when more follow, else as read_end(). */
static int receive(struct netlink *nl, void (*each)(void *ctx, const struct nlmsghdr *h), void *ctx)
{
	static union {
		struct nlmsghdr hdr;
		char buf[32768]; /* what a kernel sends at once */
	} in;
	const struct nlmsghdr *h = &in.hdr;
	ssize_t n = recv(nl->fd, &in, sizeof(in), 0);
	int r = 0;

	if (n < 0)
		return errno == EINTR ? 0 : -1;
	for (; !r && NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_seq != nl->seq)
			continue;
		if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
			r = read_end(nl, h);
		else if (each)
			each(ctx, h);
	}
	return r;
}

int netlink_dump(struct netlink *nl, struct rtnl_msg *m,
		 void (*each)(void *ctx, const struct nlmsghdr *h), void *ctx)
{
	int r;

	nl->why[0] = '\0';
	m->hdr.nlmsg_seq = ++nl->seq;
	if (send(nl->fd, m, m->hdr.nlmsg_len, 0) < 0)
		return -1;
	while (!(r = receive(nl, each, ctx)))
		;
	return r < 0 ? -1 : 0;
}

int netlink_call(struct netlink *nl, struct rtnl_msg *m)
{
	return netlink_dump(nl, m, NULL, NULL);
}
