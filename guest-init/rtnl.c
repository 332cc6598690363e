/* SPDX-License-Identifier: Apache-2.0 */
#include "rtnl.h"

#include <linux/if_addr.h>
#include <net/if_arp.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static void *begin(struct rtnl_msg *m, uint16_t type, uint16_t flags, size_t header)
{
	memset(m, 0, sizeof(*m));
	m->hdr.nlmsg_type = type;
	m->hdr.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	m->hdr.nlmsg_len = (uint32_t)NLMSG_SPACE(header);
	return m->body;
}

static void put(struct rtnl_msg *m, uint16_t type, const void *data, size_t len)
{
	struct rtattr a = { .rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(len) };
	size_t at = m->hdr.nlmsg_len - sizeof(m->hdr);

	if (at > sizeof(m->body) - RTA_SPACE(20) || len > 20)
		return; /* cannot be: the longest message has 9 attributes of at most 20 bytes */
	memcpy(m->body + at, &a, sizeof(a));
	memcpy(m->body + at + RTA_LENGTH(0), data, len);
	m->hdr.nlmsg_len += (uint32_t)RTA_SPACE(len);
}

static void put_u32(struct rtnl_msg *m, uint16_t type, uint32_t value)
{
	put(m, type, &value, sizeof(value));
}

static void put_addr(struct rtnl_msg *m, uint16_t type, const struct cidr *a)
{
	put(m, type, a->addr, cidr_bits(a->family) / 8);
}

void rtnl_list_links(struct rtnl_msg *m)
{
	struct ifinfomsg *i = begin(m, RTM_GETLINK, NLM_F_DUMP, sizeof(*i));

	i->ifi_family = AF_UNSPEC;
}

static struct ifinfomsg *begin_link(struct rtnl_msg *m, int index)
{
	struct ifinfomsg *i = begin(m, RTM_NEWLINK, NLM_F_ACK, sizeof(*i));

	i->ifi_family = AF_UNSPEC;
	i->ifi_index = index;
	return i;
}

void rtnl_rename(struct rtnl_msg *m, int index, const char *name)
{
	begin_link(m, index);
	put(m, IFLA_IFNAME, name, strlen(name) + 1);
}

void rtnl_set_up(struct rtnl_msg *m, int index, uint32_t mtu)
{
	struct ifinfomsg *i = begin_link(m, index);

	i->ifi_flags = i->ifi_change = IFF_UP;
	if (mtu)
		put_u32(m, IFLA_MTU, mtu);
}

/* The last address of the network, as ip(8) and CNI's plugins have it. */
static struct cidr broadcast_of(const struct cidr *a)
{
	struct cidr b = *a;

	for (unsigned i = a->prefix; i < 32; i++)
		b.addr[i / 8] |= (uint8_t)(0x80u >> i % 8);
	return b;
}

void rtnl_add_addr(struct rtnl_msg *m, int index, const struct cidr *a, bool no_prefix_route)
{
	struct ifaddrmsg *i =
		begin(m, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sizeof(*i));
	struct cidr broadcast;

	i->ifa_family = (uint8_t)a->family;
	i->ifa_prefixlen = (uint8_t)a->prefix;
	i->ifa_index = (uint32_t)index;
	put_addr(m, IFA_LOCAL, a);
	put_addr(m, IFA_ADDRESS, a);
	/* the host has given it to nobody else, and an app shall not wait for a second */
	put_u32(m, IFA_FLAGS, IFA_F_NODAD | (no_prefix_route ? IFA_F_NOPREFIXROUTE : 0));
	if (a->family != AF_INET || a->prefix > 30)
		return;
	broadcast = broadcast_of(a);
	put_addr(m, IFA_BROADCAST, &broadcast);
}

static void put_metrics(struct rtnl_msg *m, const struct nic_route *r)
{
	uint8_t buf[2 * RTA_SPACE(sizeof(uint32_t))];
	size_t len = 0;
	const struct {
		uint16_t type;
		uint32_t value;
	} all[] = { { RTAX_MTU, r->mtu }, { RTAX_ADVMSS, r->advmss } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct rtattr a = { .rta_len = (uint16_t)RTA_LENGTH(sizeof(uint32_t)),
				    .rta_type = all[i].type };

		if (!all[i].value)
			continue;
		memcpy(buf + len, &a, sizeof(a));
		memcpy(buf + len + RTA_LENGTH(0), &all[i].value, sizeof(uint32_t));
		len += RTA_SPACE(sizeof(uint32_t));
	}
	if (len)
		put(m, RTA_METRICS, buf, len);
}

void rtnl_add_route(struct rtnl_msg *m, int index, const struct nic_route *r, bool is_onlink)
{
	/* without NLM_F_APPEND, IPv4 would prefer the one that came last */
	struct rtmsg *i =
		begin(m, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND, sizeof(*i));
	uint32_t table = r->table ? r->table : RT_TABLE_MAIN;

	i->rtm_family = (uint8_t)r->dst.family;
	i->rtm_dst_len = (uint8_t)r->dst.prefix;
	i->rtm_table = (uint8_t)(table < 256 ? table : RT_TABLE_UNSPEC);
	i->rtm_protocol = RTPROT_BOOT; /* what CNI's plugins leave there */
	i->rtm_type = RTN_UNICAST;
	i->rtm_flags = is_onlink ? RTNH_F_ONLINK : 0;
	i->rtm_scope = r->has_scope ? r->scope : r->gw.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	put_addr(m, RTA_DST, &r->dst);
	put_u32(m, RTA_OIF, (uint32_t)index);
	if (r->gw.family)
		put_addr(m, RTA_GATEWAY, &r->gw);
	if (r->src.family)
		put_addr(m, RTA_PREFSRC, &r->src);
	if (r->priority)
		put_u32(m, RTA_PRIORITY, r->priority);
	if (table > 255)
		put_u32(m, RTA_TABLE, table);
	put_metrics(m, r);
}

int rtnl_read_link(const struct nlmsghdr *h, struct rtnl_link *out)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	int left = (int)h->nlmsg_len - (int)NLMSG_SPACE(sizeof(*i));
	const struct rtattr *a = IFLA_RTA(i);

	if (h->nlmsg_type != RTM_NEWLINK || left < 0)
		return -1;
	*out = (struct rtnl_link){ .index = i->ifi_index };
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		size_t len = RTA_PAYLOAD(a);

		if (a->rta_type == IFLA_ADDRESS && len == 6 && i->ifi_type == ARPHRD_ETHER) {
			memcpy(out->mac, RTA_DATA(a), 6);
			out->has_mac = true;
		} else if (a->rta_type == IFLA_IFNAME && len > 0 && len <= IFNAMSIZ) {
			memcpy(out->name, RTA_DATA(a), len);
			out->name[len - 1] = '\0';
		}
	}
	return out->name[0] ? 0 : -1;
}
