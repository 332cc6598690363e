/* SPDX-License-Identifier: Apache-2.0 */
/* The pod spec's keys about networks: nic, addr and route. */
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "podspec_internal.h"

#define ROUTE_WORDS 15 /* NAME DST GW and six options */

/* What a kernel takes, and no name that init or the kernel uses itself. */
static bool is_nic_name(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < IFNAMSIZ && s[0] != '.' && strcmp(s, "lo") && strcmp(s, "all") &&
	       strcmp(s, "default") && strncmp(s, NIC_TEMPORARY, strlen(NIC_TEMPORARY)) &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static const struct nic *nic_find(const struct pod *pod, const char *name)
{
	for (unsigned i = 0; i < pod->nr_nics; i++) {
		if (!strcmp(pod->nics[i].name, name))
			return &pod->nics[i];
	}
	return NULL;
}

static bool has_mac(const struct pod *pod, const uint8_t mac[static 6])
{
	for (unsigned i = 0; i < pod->nr_nics; i++) {
		if (!memcmp(pod->nics[i].mac, mac, 6))
			return true;
	}
	return false;
}

int podspec_add_nic(struct pod *pod, struct app *app, char *value, struct err *e)
{
	struct nic *nic = &pod->nics[pod->nr_nics];
	uint64_t mtu;
	char *w[3];

	(void)app;
	if (pod->nr_nics == POD_MAX_NICS)
		return podspec_too_many("nic", e);
	if (podspec_split(value, w, 3) != 3 || !is_nic_name(w[0]) || nic_find(pod, w[0]) ||
	    mac_parse(w[1], nic->mac) < 0 || has_mac(pod, nic->mac) ||
	    num_parse_u64(w[2], 0, UINT16_MAX, &mtu) < 0 || (mtu && mtu < NIC_MTU_MIN))
		return podspec_bad_value("nic", e);
	nic->name = w[0];
	nic->mtu = (uint32_t)mtu;
	pod->nr_nics++;
	return 0;
}

static const struct nic *known_nic(const struct pod *pod, const char *what, const char *name,
				   struct err *e)
{
	const struct nic *nic = nic_find(pod, name);

	if (!nic)
		err_set(e, 0, "cannot read pod spec: %s of unknown nic '%.32s'", what, name);
	return nic;
}

int podspec_add_addr(struct pod *pod, struct app *app, char *value, struct err *e)
{
	struct nic_addr *a = &pod->addrs[pod->nr_addrs];
	char *w[3];
	int n;

	(void)app;
	if (pod->nr_addrs == POD_MAX_ADDRS)
		return podspec_too_many("addr", e);
	n = podspec_split(value, w, 3);
	if (n < 2 || !strchr(w[1], '/') || cidr_parse(w[1], &a->addr) < 0 ||
	    (n == 3 && strcmp(w[2], "noprefixroute")))
		return podspec_bad_value("addr", e);
	a->nic = known_nic(pod, "addr", w[0], e);
	a->no_prefix_route = n == 3;
	if (!a->nic)
		return -1;
	pod->nr_addrs++;
	return 0;
}

/* A network, not an address in one: the kernel refuses host bits that are set. */
static int parse_dst(const char *s, struct cidr *out)
{
	struct cidr net;

	if (!strchr(s, '/') || cidr_parse(s, out) < 0)
		return -1;
	net = cidr_network(out);
	return memcmp(net.addr, out->addr, sizeof(net.addr)) ? -1 : 0;
}

static int parse_of_family(const char *s, int family, struct cidr *out)
{
	return cidr_parse_addr(s, out) < 0 || out->family != family ? -1 : 0;
}

/* One option; those that were given before are not 0, and may not come again. */
static int parse_option(struct nic_route *r, const char *name, const char *value)
{
	const struct {
		const char *name;
		uint64_t min, max;
		uint32_t *out;
	} numbers[] = {
		{ "mtu", NIC_MTU_MIN, UINT16_MAX, &r->mtu },
		{ "advmss", 1, UINT16_MAX, &r->advmss },
		{ "priority", 1, UINT32_MAX, &r->priority },
		{ "table", 1, UINT32_MAX, &r->table },
	};
	uint64_t v;

	if (!strcmp(name, "src"))
		return r->src.family ? -1 : parse_of_family(value, r->dst.family, &r->src);
	if (!strcmp(name, "scope")) {
		if (r->has_scope || num_parse_u64(value, 0, RT_SCOPE_HOST, &v) < 0)
			return -1;
		r->scope = (uint8_t)v;
		r->has_scope = true;
		return 0;
	}
	for (size_t i = 0; i < nitems(numbers); i++) {
		if (strcmp(name, numbers[i].name))
			continue;
		if (*numbers[i].out || num_parse_u64(value, numbers[i].min, numbers[i].max, &v) < 0)
			return -1;
		*numbers[i].out = (uint32_t)v;
		return 0;
	}
	return -1;
}

int podspec_add_route(struct pod *pod, struct app *app, char *value, struct err *e)
{
	struct nic_route *r = &pod->routes[pod->nr_routes];
	char *w[ROUTE_WORDS];
	int n;

	(void)app;
	if (pod->nr_routes == POD_MAX_ROUTES)
		return podspec_too_many("route", e);
	*r = (struct nic_route){ 0 };
	n = podspec_split(value, w, nitems(w));
	if (n < 3 || n % 2 == 0 || parse_dst(w[1], &r->dst) < 0 ||
	    (strcmp(w[2], "-") && parse_of_family(w[2], r->dst.family, &r->gw) < 0))
		return podspec_bad_value("route", e);
	for (int i = 3; i < n; i += 2) {
		if (parse_option(r, w[i], w[i + 1]) < 0)
			return podspec_bad_value("route", e);
	}
	r->nic = known_nic(pod, "route", w[0], e);
	if (!r->nic)
		return -1;
	pod->nr_routes++;
	return 0;
}
