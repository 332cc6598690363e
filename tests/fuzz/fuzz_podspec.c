/* SPDX-License-Identifier: Apache-2.0 */
/* The pod spec's parser: whatever it accepts must be whole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guest-init/pod.h"
#include "guest-init/rtnl.h"

static void check(bool holds)
{
	if (!holds)
		abort();
}

static size_t list_len(char **list)
{
	size_t n = 0;

	while (list[n])
		n += strlen(list[n]) + 1 > 0;
	return n;
}

static void check_app(const struct pod *pod, const struct app *a)
{
	check(a->name && a->name[0] && !strchr(a->name, '/') && a->name[0] != '.');
	check(a->rootfs && a->rootfs[0] && a->cwd[0] == '/');
	check(list_len(a->argv) > 0 && a->argv[0][0]);
	for (char **v = a->env; *v; v++)
		check(strchr(*v, '=') > *v);
	for (unsigned i = 0; i < a->nr_mounts; i++)
		check(a->mounts[i].target[0] == '/' && a->mounts[i].volume >= pod->volumes &&
		      a->mounts[i].volume < pod->volumes + pod->nr_volumes);
	for (unsigned i = 0; i < a->nr_rlimits; i++)
		check(a->rlimits[i].resource >= 0 &&
		      a->rlimits[i].limit.rlim_cur <= a->rlimits[i].limit.rlim_max);
	check(a->gids + a->nr_gids <= pod->gids + POD_MAX_GIDS);
	check(a->stop_signal >= 1 && a->stop_signal <= 64);
}

static void check_networks(const struct pod *pod)
{
	struct rtnl_msg m;

	for (unsigned i = 0; i < pod->nr_nics; i++) {
		const struct nic *n = &pod->nics[i];

		check(n->name[0] && strlen(n->name) < IFNAMSIZ && !strchr(n->name, '/'));
		check(!n->mtu || (n->mtu >= NIC_MTU_MIN && n->mtu <= UINT16_MAX));
	}
	for (unsigned i = 0; i < pod->nr_addrs; i++) {
		const struct nic_addr *a = &pod->addrs[i];

		check(a->nic >= pod->nics && a->nic < pod->nics + pod->nr_nics);
		check(a->addr.prefix <= cidr_bits(a->addr.family));
		rtnl_add_addr(&m, 1, &a->addr, a->no_prefix_route);
		check(m.hdr.nlmsg_len <= sizeof(m));
	}
	for (unsigned i = 0; i < pod->nr_routes; i++) {
		const struct nic_route *r = &pod->routes[i];

		check(r->nic >= pod->nics && r->nic < pod->nics + pod->nr_nics);
		check(!r->gw.family || r->gw.family == r->dst.family);
		check(!r->src.family || r->src.family == r->dst.family);
		rtnl_add_route(&m, 1, r, false);
		check(m.hdr.nlmsg_len <= sizeof(m));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pod pod;
	char *text = malloc(size + 1);
	struct err e = { .msg = "" };

	memcpy(text, data, size);
	text[size] = '\0';
	memset(&pod, 0, offsetof(struct pod, args));
	if (podspec_parse(&pod, text, size, &e) < 0) {
		check(e.msg[0] && pod.nr_apps == 0);
	} else {
		check(pod.nr_apps >= 1 && pod.nr_apps <= PROTO_MAX_APPS);
		check_networks(&pod);
		for (unsigned i = 0; i < pod.nr_apps; i++)
			check_app(&pod, &pod.apps[i]);
	}
	free(text);
	return 0;
}
