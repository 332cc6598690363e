/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of rtnetlink(7), built and read but not sent: netlink.h does that.  Nothing here can
 * fail for what a caller passes; all sizes are known.
 */
#ifndef VPOD_GUEST_RTNL_H
#define VPOD_GUEST_RTNL_H

#include <assert.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stddef.h>

#include "pod.h"

static_assert(NLMSG_HDRLEN == sizeof(struct nlmsghdr), "the body follows the header");

struct rtnl_msg {
	struct nlmsghdr hdr; /* nlmsg_len tells how much of both is used */
	_Alignas(NLMSG_ALIGNTO) uint8_t body[512];
};

struct rtnl_link {
	int index;
	bool has_mac; /* an Ethernet device */
	uint8_t mac[6];
	char name[IFNAMSIZ];
};

/* Asks for all links. */
void rtnl_list_links(struct rtnl_msg *m);

void rtnl_rename(struct rtnl_msg *m, int index, const char *name);

/* Sets the link up, with @mtu if it is not 0. */
void rtnl_set_up(struct rtnl_msg *m, int index, uint32_t mtu);

void rtnl_add_addr(struct rtnl_msg *m, int index, const struct cidr *a, bool no_prefix_route);

/* Behind those that lead to the same destination.  @is_onlink: its gateway needs no route. */
void rtnl_add_route(struct rtnl_msg *m, int index, const struct nic_route *r, bool is_onlink);

/* Reads an answer to rtnl_list_links().  Returns 0, or -1 if it is not a link. */
int rtnl_read_link(const struct nlmsghdr *h, struct rtnl_link *out);

#endif
