/* SPDX-License-Identifier: Apache-2.0 */
/* A socket of rtnetlink(7) that asks and waits for the answer. */
#ifndef VPOD_GUEST_NETLINK_H
#define VPOD_GUEST_NETLINK_H

#include "rtnl.h"

struct netlink {
	int fd; /* -1: closed */
	uint32_t seq;
	char why[120]; /* what the kernel said of the last call that it refused, "" if no more */
};

/* Returns -1 with @e set; @nl is closed then. */
int netlink_open(struct netlink *nl, struct err *e);
void netlink_close(struct netlink *nl);

/* Asks for what @m says and waits until it is done.  0, or -1 with errno and nl->why. */
int netlink_call(struct netlink *nl, struct rtnl_msg *m);

/* As netlink_call(), for questions: @each is called for each part of the answer. */
int netlink_dump(struct netlink *nl, struct rtnl_msg *m,
		 void (*each)(void *ctx, const struct nlmsghdr *h), void *ctx);

#endif
