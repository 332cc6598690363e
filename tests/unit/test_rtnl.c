/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of rtnetlink as vpod-init builds and reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <net/if_arp.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "guest-init/rtnl.h"

/* The attribute @type behind a header of @header bytes; NULL if there is none. */
static const struct rtattr *find(const struct rtnl_msg *m, size_t header, int type)
{
	int left = (int)(m->hdr.nlmsg_len - NLMSG_SPACE(header));
	const struct rtattr *a = (const void *)(m->body + NLMSG_ALIGN(header));

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == type)
			return a;
	}
	assert_int_equal(left, 0);
	return NULL;
}

static uint32_t number(const struct rtattr *a)
{
	uint32_t v;

	assert_non_null(a);
	assert_int_equal(RTA_PAYLOAD(a), sizeof(v));
	memcpy(&v, RTA_DATA(a), sizeof(v));
	return v;
}

static void is_addr(const struct rtattr *a, const char *text)
{
	char buf[CIDR_TEXT_MAX];
	struct cidr c = { 0 };

	assert_non_null(a);
	c.family = RTA_PAYLOAD(a) == 4 ? AF_INET : AF_INET6;
	memcpy(c.addr, RTA_DATA(a), RTA_PAYLOAD(a));
	assert_string_equal(cidr_text_addr(&c, buf), text);
}

static struct cidr cidr(const char *s)
{
	struct cidr c;

	assert_int_equal(cidr_parse(s, &c), 0);
	return c;
}

#define ADDR(m, type) find(m, sizeof(struct ifaddrmsg), type)
#define ROUTE(m, type) find(m, sizeof(struct rtmsg), type)
#define LINK(m, type) find(m, sizeof(struct ifinfomsg), type)

static void link_is_renamed_and_set_up(void **state)
{
	const struct ifinfomsg *i;
	struct rtnl_msg m;

	(void)state;
	i = (void *)m.body;
	rtnl_rename(&m, 7, "eth0");
	assert_int_equal(m.hdr.nlmsg_type, RTM_NEWLINK);
	assert_int_equal(m.hdr.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	assert_int_equal(i->ifi_index, 7);
	assert_int_equal(i->ifi_change, 0);
	assert_string_equal(RTA_DATA(LINK(&m, IFLA_IFNAME)), "eth0");
	rtnl_set_up(&m, 7, 0);
	assert_true(i->ifi_flags == IFF_UP && i->ifi_change == IFF_UP);
	assert_null(LINK(&m, IFLA_MTU));
	rtnl_set_up(&m, 7, 9000);
	assert_int_equal(number(LINK(&m, IFLA_MTU)), 9000);
}

static void address_has_broadcast_and_no_dad(void **state)
{
	struct cidr a = cidr("10.1.2.3/20");
	const struct ifaddrmsg *i;
	struct rtnl_msg m;

	(void)state;
	i = (void *)m.body;
	rtnl_add_addr(&m, 3, &a, false);
	assert_int_equal(m.hdr.nlmsg_type, RTM_NEWADDR);
	assert_true(i->ifa_family == AF_INET && i->ifa_prefixlen == 20 && i->ifa_index == 3);
	is_addr(ADDR(&m, IFA_LOCAL), "10.1.2.3");
	is_addr(ADDR(&m, IFA_BROADCAST), "10.1.15.255");
	assert_int_equal(number(ADDR(&m, IFA_FLAGS)), IFA_F_NODAD);
	a = cidr("10.1.2.2/31");
	rtnl_add_addr(&m, 3, &a, true);
	assert_null(ADDR(&m, IFA_BROADCAST));
	assert_int_equal(number(ADDR(&m, IFA_FLAGS)), IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
	a = cidr("fd00::1/64");
	rtnl_add_addr(&m, 3, &a, false);
	assert_int_equal(i->ifa_family, AF_INET6);
	is_addr(ADDR(&m, IFA_ADDRESS), "fd00::1");
	assert_null(ADDR(&m, IFA_BROADCAST));
}

static void route_says_only_what_it_must(void **state)
{
	struct nic_route r = { .dst = cidr("0.0.0.0/0"), .gw = cidr("10.0.0.1") };
	const struct rtmsg *i;
	struct rtnl_msg m;

	(void)state;
	i = (void *)m.body;
	rtnl_add_route(&m, 3, &r, false);
	assert_int_equal(m.hdr.nlmsg_type, RTM_NEWROUTE);
	assert_true(i->rtm_dst_len == 0 && i->rtm_table == RT_TABLE_MAIN && i->rtm_flags == 0);
	assert_true(i->rtm_scope == RT_SCOPE_UNIVERSE && i->rtm_type == RTN_UNICAST);
	is_addr(ROUTE(&m, RTA_GATEWAY), "10.0.0.1");
	assert_int_equal(number(ROUTE(&m, RTA_OIF)), 3);
	assert_null(ROUTE(&m, RTA_PREFSRC));
	assert_null(ROUTE(&m, RTA_PRIORITY));
	assert_null(ROUTE(&m, RTA_TABLE));
	assert_null(ROUTE(&m, RTA_METRICS));
	rtnl_add_route(&m, 3, &r, true);
	assert_int_equal(i->rtm_flags, RTNH_F_ONLINK);
	r = (struct nic_route){ .dst = cidr("10.0.0.1") };
	rtnl_add_route(&m, 3, &r, false);
	assert_int_equal(i->rtm_scope, RT_SCOPE_LINK);
	assert_null(ROUTE(&m, RTA_GATEWAY));
}

static void route_has_all_options(void **state)
{
	struct nic_route r = { .dst = cidr("fd01::/32"),
			       .src = cidr("fd00::2"),
			       .mtu = 1400,
			       .advmss = 1300,
			       .priority = 9,
			       .table = 100000,
			       .has_scope = true,
			       .scope = RT_SCOPE_HOST };
	const struct rtattr *metrics, *a;
	const struct rtmsg *i;
	struct rtnl_msg m;
	int left;

	(void)state;
	i = (void *)m.body;
	rtnl_add_route(&m, 3, &r, false);
	assert_true(i->rtm_family == AF_INET6 && i->rtm_dst_len == 32);
	assert_true(i->rtm_scope == RT_SCOPE_HOST && i->rtm_table == RT_TABLE_UNSPEC);
	is_addr(ROUTE(&m, RTA_DST), "fd01::");
	is_addr(ROUTE(&m, RTA_PREFSRC), "fd00::2");
	assert_int_equal(number(ROUTE(&m, RTA_PRIORITY)), 9);
	assert_int_equal(number(ROUTE(&m, RTA_TABLE)), 100000);
	metrics = ROUTE(&m, RTA_METRICS);
	assert_non_null(metrics);
	left = (int)RTA_PAYLOAD(metrics);
	a = RTA_DATA(metrics);
	assert_true(RTA_OK(a, left) && a->rta_type == RTAX_MTU);
	assert_int_equal(number(a), 1400);
	a = RTA_NEXT(a, left);
	assert_true(RTA_OK(a, left) && a->rta_type == RTAX_ADVMSS);
	assert_int_equal(number(a), 1300);
	r.table = 255;
	rtnl_add_route(&m, 3, &r, false);
	assert_int_equal(i->rtm_table, 255);
	assert_null(ROUTE(&m, RTA_TABLE));
}

static void add_attr(struct rtnl_msg *m, uint16_t type, const void *p, size_t len)
{
	struct rtattr a = { .rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(len) };

	memcpy((uint8_t *)m + m->hdr.nlmsg_len, &a, sizeof(a));
	memcpy((uint8_t *)m + m->hdr.nlmsg_len + sizeof(a), p, len);
	m->hdr.nlmsg_len += (uint32_t)RTA_SPACE(len);
}

static void link_is_read(void **state)
{
	struct ifinfomsg *i;
	struct rtnl_link l;
	struct rtnl_msg m;

	(void)state;
	memset(&m, 0, sizeof(m));
	i = (void *)m.body;
	m.hdr.nlmsg_type = RTM_NEWLINK;
	m.hdr.nlmsg_len = NLMSG_SPACE(sizeof(*i));
	i->ifi_index = 4;
	i->ifi_type = ARPHRD_ETHER;
	assert_int_equal(rtnl_read_link(&m.hdr, &l), -1); /* no name */
	add_attr(&m, IFLA_IFNAME, "eth0", 5);
	assert_int_equal(rtnl_read_link(&m.hdr, &l), 0);
	assert_true(l.index == 4 && !l.has_mac);
	assert_string_equal(l.name, "eth0");
	add_attr(&m, IFLA_ADDRESS, "\2\0\0\0\0\1", 6);
	assert_int_equal(rtnl_read_link(&m.hdr, &l), 0);
	assert_true(l.has_mac && l.mac[5] == 1);
	i->ifi_type = ARPHRD_LOOPBACK;
	assert_int_equal(rtnl_read_link(&m.hdr, &l), 0);
	assert_false(l.has_mac);
	m.hdr.nlmsg_len -= 4; /* cut: the last attribute does not count */
	assert_int_equal(rtnl_read_link(&m.hdr, &l), 0);
	m.hdr.nlmsg_len = NLMSG_LENGTH(4);
	assert_int_equal(rtnl_read_link(&m.hdr, &l), -1);
	m.hdr.nlmsg_type = RTM_DELLINK;
	assert_int_equal(rtnl_read_link(&m.hdr, &l), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_is_renamed_and_set_up),
		cmocka_unit_test(address_has_broadcast_and_no_dad),
		cmocka_unit_test(route_says_only_what_it_must),
		cmocka_unit_test(route_has_all_options),
		cmocka_unit_test(link_is_read),
	};

	return cmocka_run_group_tests_name("rtnl", tests, NULL, NULL);
}
