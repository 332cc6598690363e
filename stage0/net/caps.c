/* SPDX-License-Identifier: Apache-2.0 */
/* Values of capabilities, by CONVENTIONS.md of the CNI project. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "stage0/net/cni.h"

static cJSON *list_of(cJSON *caps, const char *capability)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(caps, capability);

	return list ? list : cJSON_AddArrayToObject(caps, capability);
}

void cni_caps_add_port(cJSON *caps, const struct cni_port *p)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "hostPort", p->host_port);
	cJSON_AddNumberToObject(o, "containerPort", p->container_port);
	cJSON_AddStringToObject(o, "protocol", p->protocol);
	if (p->host_ip)
		cJSON_AddStringToObject(o, "hostIP", p->host_ip);
	cJSON_AddItemToArray(list_of(caps, "portMappings"), o);
}

void cni_caps_add_string(cJSON *caps, const char *capability, const char *value)
{
	cJSON_AddItemToArray(list_of(caps, capability), cJSON_CreateString(value));
}

void cni_caps_set_mac(cJSON *caps, const uint8_t mac[static 6])
{
	char text[18];

	cJSON_AddStringToObject(caps, "mac", mac_text(mac, text));
}

static void add_strings(cJSON *o, const char *key, const struct strv *v)
{
	cJSON *list = v->nr_v ? cJSON_AddArrayToObject(o, key) : NULL;
	size_t i;

	for (i = 0; i < v->nr_v; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(v->v[i]));
}

/* The capability says "servers", "searches" where results say "nameservers", "search". */
void cni_caps_set_dns(cJSON *caps, const struct cni_dns *dns)
{
	cJSON *o = cJSON_AddObjectToObject(caps, "dns");

	add_strings(o, "servers", &dns->nameservers);
	add_strings(o, "searches", &dns->search);
	add_strings(o, "options", &dns->options);
}

/* As text: cJSON writes a large number as 1e+16, which Go does not take for an integer. */
static void add_u64(cJSON *o, const char *key, uint64_t n)
{
	cleanup_free char *text = xasprintf("%" PRIu64, n);

	if (n)
		cJSON_AddRawToObject(o, key, text);
}

void cni_caps_set_bandwidth(cJSON *caps, const struct cni_bandwidth *b)
{
	cJSON *o = cJSON_AddObjectToObject(caps, "bandwidth");

	add_u64(o, "ingressRate", b->ingress_rate);
	add_u64(o, "ingressBurst", b->ingress_burst);
	add_u64(o, "egressRate", b->egress_rate);
	add_u64(o, "egressBurst", b->egress_burst);
}
