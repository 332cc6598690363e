/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "netlink.h"
#include "say.h"
#include "sys.h"

/* What the kernel has of the pod's NICs. */
struct links {
	struct netlink nl;
	const struct pod *pod;
	struct rtnl_link of[POD_MAX_NICS]; /* of pod->nics; index 0: not there yet */
	int squatters[POD_MAX_NICS];	   /* who has its name; 0: nobody else */
};

/* As docker sets them: they are no privilege in a kernel of the pod's own. */
static void set_defaults(void)
{
	static const char *const all[][2] = {
		{ "/proc/sys/net/ipv4/ping_group_range", "0 2147483647" },
		{ "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0" },
	};

	for (size_t i = 0; i < nitems(all); i++) {
		if (sys_write(all[i][0], all[i][1]) < 0)
			say_step("%s stays as it is: %s", all[i][0], strerror(errno));
	}
}

void net_loopback_up(void)
{
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &req) < 0)
		say_step("no loopback interface: %s", strerror(errno));
	else
		set_defaults();
}

static int refused(const struct netlink *nl, const char *what, struct err *e)
{
	int num = errno;

	if (nl->why[0])
		return err_set(e, num, "cannot %s: %s", what, nl->why);
	return err_set(e, num, "cannot %s", what);
}

static void note_link(void *ctx, const struct nlmsghdr *h)
{
	struct links *all = ctx;
	struct rtnl_link link;

	if (rtnl_read_link(h, &link) < 0)
		return;
	for (unsigned i = 0; i < all->pod->nr_nics; i++) {
		const struct nic *nic = &all->pod->nics[i];

		if (link.has_mac && !memcmp(link.mac, nic->mac, sizeof(nic->mac)))
			all->of[i] = link;
		else if (!strcmp(link.name, nic->name))
			all->squatters[i] = link.index;
	}
}

/* Returns 1 when all are there, -1 with errno. */
static int find_links(void *ctx)
{
	struct links *all = ctx;
	struct rtnl_msg m;

	memset(all->squatters, 0, sizeof(all->squatters));
	rtnl_list_links(&m);
	if (netlink_dump(&all->nl, &m, note_link, all) < 0)
		return -1;
	for (unsigned i = 0; i < all->pod->nr_nics; i++) {
		if (!all->of[i].index)
			return 0;
	}
	return 1;
}

static int wait_for_links(struct links *all, struct err *e)
{
	int r = sys_wait_for(find_links, all);
	char mac[18];

	if (r < 0)
		return refused(&all->nl, "list network devices", e);
	for (unsigned i = 0; i < all->pod->nr_nics; i++) {
		const struct nic *nic = &all->pod->nics[i];

		if (!all->of[i].index)
			return err_set(e, 0,
				       "cannot find nic %s: no network device has the address %s",
				       nic->name, mac_text(nic->mac, mac));
	}
	return 0;
}

static int rename_link(struct links *all, int index, const char *name, struct err *e)
{
	char what[64];
	struct rtnl_msg m;

	rtnl_rename(&m, index, name);
	if (!netlink_call(&all->nl, &m))
		return 0;
	snprintf(what, sizeof(what), "call network device %d %s", index, name);
	return refused(&all->nl, what, e);
}

/* Devices come up in any order: who has another's name gives it away first. */
static int name_links(struct links *all, struct err *e)
{
	char temporary[IFNAMSIZ];

	for (unsigned i = 0; i < all->pod->nr_nics; i++) {
		if (!all->squatters[i])
			continue;
		snprintf(temporary, sizeof(temporary), NIC_TEMPORARY "%u", i);
		if (rename_link(all, all->squatters[i], temporary, e) < 0)
			return -1;
	}
	for (unsigned i = 0; i < all->pod->nr_nics; i++) {
		const char *name = all->pod->nics[i].name;

		if (strcmp(all->of[i].name, name) &&
		    rename_link(all, all->of[i].index, name, e) < 0)
			return -1;
	}
	return 0;
}

/* A router's advertisements shall add nothing to what the spec says. */
static void refuse_advertisements(const struct pod *pod, const struct nic *nic)
{
	char path[64];
	unsigned i = 0;

	while (i < pod->nr_addrs && pod->addrs[i].nic != nic)
		i++;
	if (i == pod->nr_addrs)
		return;
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", nic->name);
	if (sys_write(path, "0") < 0)
		say_step("%s takes router advertisements: %s", nic->name, strerror(errno));
}

static int set_up(struct links *all, unsigned i, struct err *e)
{
	const struct nic *nic = &all->pod->nics[i];
	char what[80];
	struct rtnl_msg m;

	refuse_advertisements(all->pod, nic);
	rtnl_set_up(&m, all->of[i].index, nic->mtu);
	if (!netlink_call(&all->nl, &m))
		return 0;
	if (nic->mtu)
		snprintf(what, sizeof(what), "set nic %s up with MTU %u", nic->name, nic->mtu);
	else
		snprintf(what, sizeof(what), "set nic %s up", nic->name);
	return refused(&all->nl, what, e);
}

static int index_of(const struct links *all, const struct nic *nic)
{
	return all->of[nic - all->pod->nics].index;
}

/* Whether the spec itself says how the network of @a is reached. */
static bool has_own_route(const struct pod *pod, const struct nic_addr *a)
{
	struct cidr net = cidr_network(&a->addr);

	for (unsigned i = 0; i < pod->nr_routes; i++) {
		const struct nic_route *r = &pod->routes[i];

		if (r->nic == a->nic && (!r->table || r->table == RT_TABLE_MAIN) &&
		    r->dst.family == net.family && r->dst.prefix == net.prefix &&
		    !memcmp(r->dst.addr, net.addr, sizeof(net.addr)))
			return true;
	}
	return false;
}

static int add_addr(struct links *all, const struct nic_addr *a, struct err *e)
{
	char what[120], text[CIDR_TEXT_MAX];
	struct rtnl_msg m;

	rtnl_add_addr(&m, index_of(all, a->nic), &a->addr,
		      a->no_prefix_route || has_own_route(all->pod, a));
	if (!netlink_call(&all->nl, &m))
		return 0;
	snprintf(what, sizeof(what), "give nic %s the address %s", a->nic->name,
		 cidr_text(&a->addr, text));
	return refused(&all->nl, what, e);
}

/* What kernels say of a gateway that they have no route to. */
static bool is_unreachable(int num)
{
	return num == ENETUNREACH || num == EHOSTUNREACH || num == EINVAL;
}

static int add_route(struct links *all, const struct nic_route *r, struct err *e)
{
	char what[200], dst[CIDR_TEXT_MAX], gw[CIDR_TEXT_MAX];
	struct rtnl_msg m;
	int k;

	rtnl_add_route(&m, index_of(all, r->nic), r, false);
	k = netlink_call(&all->nl, &m);
	if (k < 0 && r->gw.family && is_unreachable(errno)) {
		rtnl_add_route(&m, index_of(all, r->nic), r, true);
		k = netlink_call(&all->nl, &m);
	}
	/* the same one is there: the kernel's own, or one that the spec says twice */
	if (k == 0 || errno == EEXIST)
		return 0;
	snprintf(what, sizeof(what), "add the route to %s by %s on nic %s", cidr_text(&r->dst, dst),
		 r->gw.family ? cidr_text_addr(&r->gw, gw) : "link", r->nic->name);
	return refused(&all->nl, what, e);
}

/* Those without a gateway first: they may lead to the gateways of the others. */
static int add_routes(struct links *all, bool with_gateway, struct err *e)
{
	for (unsigned i = 0; i < all->pod->nr_routes; i++) {
		const struct nic_route *r = &all->pod->routes[i];

		if (!!r->gw.family == with_gateway && add_route(all, r, e) < 0)
			return -1;
	}
	return 0;
}

static int configure(struct links *all, struct err *e)
{
	const struct pod *pod = all->pod;

	if (wait_for_links(all, e) < 0 || name_links(all, e) < 0)
		return -1;
	for (unsigned i = 0; i < pod->nr_nics; i++) {
		if (set_up(all, i, e) < 0)
			return -1;
	}
	for (unsigned i = 0; i < pod->nr_addrs; i++) {
		if (add_addr(all, &pod->addrs[i], e) < 0)
			return -1;
	}
	return add_routes(all, false, e) < 0 ? -1 : add_routes(all, true, e);
}

int net_configure(const struct pod *pod, struct err *e)
{
	struct links all = { .pod = pod };
	int r;

	if (!pod->nr_nics)
		return 0;
	if (netlink_open(&all.nl, e) < 0)
		return -1;
	r = configure(&all, e);
	netlink_close(&all.nl);
	if (!r)
		say_step("network configured");
	return r;
}
