/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results and errors of CNI plugins: the first byte chooses the version.  What is taken is bounded
 * and is read again, from its own text, as the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stage0/net/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(const struct cni_result *r)
{
	unsigned i;

	if (r->nr_interfaces > CNI_MAX_ITEMS || r->nr_ips > CNI_MAX_ITEMS ||
	    r->nr_routes > CNI_MAX_ITEMS || r->dns.search.nr_v > CNI_MAX_ITEMS)
		abort();
	for (i = 0; i < r->nr_interfaces; i++) {
		if (!r->interfaces[i].name[0] || !r->interfaces[i].sandbox)
			abort();
	}
	for (i = 0; i < r->nr_ips; i++) {
		if (!r->ips[i].addr.family || r->ips[i].interface < -1 ||
		    r->ips[i].interface >= (int)r->nr_interfaces)
			abort();
	}
	for (i = 0; i < r->nr_routes; i++) {
		if (r->routes[i].gw.family && r->routes[i].gw.family != r->routes[i].dst.family)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cleanup_cni_result struct cni_result r = { 0 }, again = { 0 };
	struct cni_error told;
	enum cni_version v;
	struct err e;

	if (!n)
		return 0;
	v = (enum cni_version)(p[0] % NR_CNI_VERSIONS);
	(void)cni_error_parse((const char *)p + 1, n - 1, &told);
	if (cni_result_parse((const char *)p + 1, n - 1, v, &r, &e) < 0) {
		if (r.json || r.nr_interfaces || !e.msg[0])
			abort();
		return 0;
	}
	check(&r);
	(void)cni_result_inner(&r, "eth0");
	if (cni_result_parse(r.json, strlen(r.json), v, &again, &e) < 0)
		abort();
	if (again.nr_ips != r.nr_ips || again.nr_routes != r.nr_routes ||
	    memcmp(again.ips, r.ips, sizeof(r.ips)) || strcmp(again.json, r.json) != 0)
		abort();
	return 0;
}
