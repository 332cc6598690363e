/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A result is read in two steps: in the parsed JSON the form of 0.2.0 becomes that of today, then
 * one reader, for 1.1's form, checks everything.
 */
#include "stage0/net/result.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/json.h"

#define MAX_TEXT 4096 /* bytes of a path or an id */
#define MAX_NAME 255  /* bytes of a domain or an option: a line of resolv.conf */

static void interface_free(struct cni_interface *i)
{
	free(i->sandbox);
	free(i->socket_path);
	free(i->pci_id);
}

void cni_result_free(struct cni_result *r)
{
	unsigned i;

	for (i = 0; i < r->nr_interfaces; i++)
		interface_free(&r->interfaces[i]);
	strv_free(&r->dns.nameservers);
	free(r->dns.domain);
	strv_free(&r->dns.search);
	strv_free(&r->dns.options);
	free(r->json);
	*r = (struct cni_result){ 0 };
}

/* ---- one value ---- */

static int get_u32(const cJSON *o, const char *key, uint32_t max, uint32_t *out, struct err *e)
{
	uint64_t v = 0;
	int r = json_get_u64(o, key, &v, e);

	if (r > 0 && v > max)
		return err_set(e, 0, "\"%s\" is over %u", key, max);
	if (r > 0)
		*out = (uint32_t)v;
	return r;
}

/* A string without control bytes; "" and absent are the same: Go writes both. */
static int get_text(const cJSON *o, const char *key, size_t max, const char **out, struct err *e)
{
	const char *s = NULL, *p;
	int r = json_get_str(o, key, &s, e);

	if (r <= 0 || !s[0])
		return r < 0 ? -1 : 0;
	for (p = s; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return err_set(e, 0, "\"%s\" has a control byte", key);
	}
	if ((size_t)(p - s) > max)
		return err_set(e, 0, "\"%s\" is longer than %zu bytes", key, max);
	*out = s;
	return 1;
}

static int get_copy(const cJSON *o, const char *key, char **out, struct err *e)
{
	const char *s = NULL;
	int r = get_text(o, key, MAX_TEXT, &s, e);

	if (r > 0)
		*out = xstrdup(s);
	return r;
}

/* No unspecified and no multicast address: nothing can have it. */
static bool is_host_address(const struct cidr *c)
{
	static const struct cidr multicast[] = {
		{ .family = AF_INET, .addr = { 224 }, .prefix = 4 },
		{ .family = AF_INET6, .addr = { 0xff }, .prefix = 8 },
	};
	static const uint8_t zero[16];
	size_t i;

	for (i = 0; i < nitems(multicast); i++) {
		if (cidr_contains(&multicast[i], c))
			return false;
	}
	return memcmp(c->addr, zero, sizeof(zero)) != 0;
}

/* "ADDR/PREFIX"; required. */
static int get_cidr(const cJSON *o, const char *key, struct cidr *out, struct err *e)
{
	const char *s = NULL;
	int r = get_text(o, key, CIDR_TEXT_MAX, &s, e);

	if (r < 0)
		return -1;
	if (!r)
		return err_set(e, 0, "\"%s\" is missing", key);
	if (!strchr(s, '/') || cidr_parse(s, out) < 0)
		return err_set(e, 0, "\"%s\" \"%s\" is no address with a prefix", key, s);
	return 1;
}

static int get_addr(const cJSON *o, const char *key, int family, struct cidr *out, struct err *e)
{
	const char *s = NULL;
	int r = get_text(o, key, CIDR_TEXT_MAX, &s, e);

	if (r <= 0)
		return r;
	if (cidr_parse_addr(s, out) < 0)
		return err_set(e, 0, "\"%s\" \"%s\" is no address", key, s);
	if (out->family != family)
		return err_set(e, 0, "\"%s\" \"%s\" is of another family than its address", key, s);
	return 1;
}

/* Rules of the kernel's dev_valid_name(), and nothing that upsets a terminal. */
static int check_ifname(const char *s, struct err *e)
{
	size_t n = strlen(s), i;

	if (!n || n >= IFNAMSIZ || !strcmp(s, ".") || !strcmp(s, ".."))
		return err_set(e, 0, "\"name\" \"%s\" is no name of an interface", s);
	for (i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] == 0x7f || s[i] == '/' || s[i] == ':')
			return err_set(e, 0, "\"name\" \"%s\" is no name of an interface", s);
	}
	return 0;
}

/* ---- one entry of each list ---- */

static int read_interface(const cJSON *o, struct cni_result *r, struct err *e)
{
	struct cni_interface *i = &r->interfaces[r->nr_interfaces];
	const char *name = NULL, *mac = NULL;

	if (json_get_str(o, "name", &name, e) < 0 || check_ifname(name ? name : "", e) < 0)
		return -1;
	if (get_text(o, "mac", 64, &mac, e) < 0 || get_u32(o, "mtu", INT32_MAX, &i->mtu, e) < 0)
		return -1;
	if (mac && mac_parse(mac, i->mac) < 0)
		return err_set(e, 0, "\"mac\" \"%s\" is no Ethernet address", mac);
	i->has_mac = mac != NULL;
	snprintf(i->name, sizeof(i->name), "%s", name);
	r->nr_interfaces++; /* from here on, cni_result_free() frees it */
	if (get_copy(o, "sandbox", &i->sandbox, e) < 0 ||
	    get_copy(o, "socketPath", &i->socket_path, e) < 0 ||
	    get_copy(o, "pciID", &i->pci_id, e) < 0)
		return -1;
	if (!i->sandbox)
		i->sandbox = xstrdup("");
	return 0;
}

static int read_ip(const cJSON *o, struct cni_result *r, struct err *e)
{
	struct cni_ip *ip = &r->ips[r->nr_ips];
	uint32_t index = 0;
	int has_index;

	if (get_cidr(o, "address", &ip->addr, e) < 0 ||
	    get_addr(o, "gateway", ip->addr.family, &ip->gateway, e) < 0)
		return -1;
	if (!is_host_address(&ip->addr) || (ip->gateway.family && !is_host_address(&ip->gateway)))
		return err_set(e, 0, "its address or gateway is none that a host can have");
	has_index = get_u32(o, "interface", UINT32_MAX, &index, e);
	if (has_index < 0)
		return -1;
	if (has_index && index >= r->nr_interfaces)
		return err_set(e, 0, "\"interface\" is %u of %u interfaces", index,
			       r->nr_interfaces);
	ip->interface = has_index ? (int)index : -1;
	r->nr_ips++;
	return 0;
}

static int read_route(const cJSON *o, struct cni_result *r, struct err *e)
{
	struct cni_route *t = &r->routes[r->nr_routes];
	uint32_t scope = 0;
	int has_scope;

	if (get_cidr(o, "dst", &t->dst, e) < 0 || get_addr(o, "gw", t->dst.family, &t->gw, e) < 0 ||
	    get_u32(o, "mtu", INT32_MAX, &t->mtu, e) < 0 ||
	    get_u32(o, "advmss", INT32_MAX, &t->advmss, e) < 0 ||
	    get_u32(o, "priority", UINT32_MAX, &t->priority, e) < 0 ||
	    get_u32(o, "table", UINT32_MAX, &t->table, e) < 0)
		return -1;
	if (t->gw.family && !is_host_address(&t->gw))
		return err_set(e, 0, "its gateway is none that a host can have");
	has_scope = get_u32(o, "scope", 255, &scope, e);
	if (has_scope < 0)
		return -1;
	t->scope = has_scope ? (int)scope : -1;
	r->nr_routes++;
	return 0;
}

/* Calls @read for each object of the list @key. */
static int read_list(const cJSON *root, const char *key, struct cni_result *r,
		     int (*read)(const cJSON *, struct cni_result *, struct err *), struct err *e)
{
	const cJSON *list = NULL, *j;
	int n = 0, rc = json_get_arr(root, key, &list, e);

	if (rc <= 0)
		return rc;
	cJSON_ArrayForEach(j, list)
	{
		if (n == CNI_MAX_ITEMS)
			return err_set(e, 0, "\"%s\" has over %d entries", key, CNI_MAX_ITEMS);
		if (!cJSON_IsObject(j))
			return err_set(e, 0, "%s[%d] is not an object", key, n);
		if (read(j, r, e) < 0)
			return err_wrap(e, "%s[%d]", key, n);
		n++;
	}
	return 0;
}

/* ---- dns ---- */

/* They become lines of a resolv.conf: no space, no control byte. */
static int check_word(const char *s, struct err *e)
{
	size_t n = strlen(s), i;

	if (!n || n > MAX_NAME)
		return err_set(e, 0, "\"%.64s\" is empty or longer than %d bytes", s, MAX_NAME);
	for (i = 0; i < n; i++) {
		if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f)
			return err_set(e, 0, "\"%s\" has a space or a control byte", s);
	}
	return 0;
}

static int check_nameserver(const char *s, struct err *e)
{
	struct cidr c;

	if (cidr_parse_addr(s, &c) < 0)
		return err_set(e, 0, "\"%.64s\" is no address", s);
	return 0;
}

static int read_words(const cJSON *dns, const char *key, int (*check)(const char *, struct err *),
		      struct strv *out, struct err *e)
{
	size_t i;

	if (json_get_strv(dns, key, out, e) < 0)
		return -1;
	if (out->nr_v > CNI_MAX_ITEMS)
		return err_set(e, 0, "\"%s\" has over %d entries", key, CNI_MAX_ITEMS);
	for (i = 0; i < out->nr_v; i++) {
		if (check(out->v[i], e) < 0)
			return err_wrap(e, "\"%s\"", key);
	}
	return 0;
}

static int read_dns(const cJSON *root, struct cni_dns *d, struct err *e)
{
	const cJSON *dns = NULL;
	const char *domain = NULL;
	int r = json_get_obj(root, "dns", &dns, e);

	if (r <= 0)
		return r;
	if (read_words(dns, "nameservers", check_nameserver, &d->nameservers, e) < 0 ||
	    read_words(dns, "search", check_word, &d->search, e) < 0 ||
	    read_words(dns, "options", check_word, &d->options, e) < 0 ||
	    get_text(dns, "domain", MAX_NAME, &domain, e) < 0)
		return -1;
	if (domain && check_word(domain, e) < 0)
		return err_wrap(e, "\"domain\"");
	d->domain = domain ? xstrdup(domain) : NULL;
	return 0;
}

/* ---- versions ---- */

/* 0.2.0's "ip4": { "ip", "gateway", "routes" } becomes an entry of ips and some of routes. */
static int upgrade_ip(cJSON *root, const char *key, cJSON *ips, cJSON *routes, struct err *e)
{
	const cJSON *old = NULL, *old_routes = NULL, *r;
	const char *ip = NULL, *gateway = NULL;
	cJSON *n;

	if (json_get_obj(root, key, &old, e) < 0)
		return -1;
	if (!old)
		return 0;
	if (json_get_str(old, "ip", &ip, e) < 0 || json_get_str(old, "gateway", &gateway, e) < 0 ||
	    json_get_arr(old, "routes", &old_routes, e) < 0)
		return err_wrap(e, "\"%s\"", key);
	n = cJSON_CreateObject();
	cJSON_AddStringToObject(n, "address", ip ? ip : "");
	if (gateway)
		cJSON_AddStringToObject(n, "gateway", gateway);
	cJSON_AddItemToArray(ips, n);
	cJSON_ArrayForEach(r, old_routes)
	{
		cJSON_AddItemToArray(routes, cJSON_Duplicate(r, true));
	}
	cJSON_DeleteItemFromObjectCaseSensitive(root, key);
	return 0;
}

/* As everywhere, null is not there. */
static bool has(const cJSON *root, const char *key)
{
	const cJSON *j = cJSON_GetObjectItemCaseSensitive(root, key);

	return j && !cJSON_IsNull(j);
}

static int upgrade(cJSON *root, struct err *e)
{
	cleanup_json cJSON *ips = cJSON_CreateArray(), *routes = cJSON_CreateArray();

	if (has(root, "ips") || has(root, "routes"))
		return err_set(e, 0, "it mixes forms of 0.2.0 and of later versions");
	if (upgrade_ip(root, "ip4", ips, routes, e) < 0 ||
	    upgrade_ip(root, "ip6", ips, routes, e) < 0)
		return -1;
	cJSON_DeleteItemFromObjectCaseSensitive(root, "ips");
	cJSON_DeleteItemFromObjectCaseSensitive(root, "routes");
	cJSON_AddItemToObject(root, "ips", take_ptr(&ips));
	cJSON_AddItemToObject(root, "routes", take_ptr(&routes));
	return 0;
}

/* Before 1.0.0 each address says "version": "4" or "6"; what contradicts its address is a lie. */
static int check_ip_versions(const cJSON *root, const struct cni_result *r, struct err *e)
{
	const cJSON *j;
	const char *v;
	unsigned i = 0;

	cJSON_ArrayForEach(j, cJSON_GetObjectItemCaseSensitive(root, "ips"))
	{
		v = NULL;
		if (json_get_str(j, "version", &v, e) < 0)
			return err_wrap(e, "ips[%u]", i);
		if (v && v[0] && strcmp(v, r->ips[i].addr.family == AF_INET ? "4" : "6") != 0)
			return err_set(e, 0, "ips[%u]: \"version\" is \"%s\" of another address", i,
				       v);
		i++;
	}
	return 0;
}

static void convert_ips(cJSON *root, const struct cni_result *r, enum cni_version want)
{
	unsigned i = 0;
	cJSON *j;

	cJSON_ArrayForEach(j, cJSON_GetObjectItemCaseSensitive(root, "ips"))
	{
		cJSON_DeleteItemFromObjectCaseSensitive(j, "version");
		if (want < CNI_1_0_0)
			cJSON_AddStringToObject(j, "version",
						r->ips[i].addr.family == AF_INET ? "4" : "6");
		i++;
	}
}

static char *convert(cJSON *root, const struct cni_result *r, enum cni_version want)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	cJSON_DeleteItemFromObjectCaseSensitive(root, "cniVersion");
	cJSON_AddStringToObject(root, "cniVersion", cni_version_text(want));
	convert_ips(root, r, want);
	json_print(&b, root, false);
	return sb_take(&b);
}

/* ---- all of it ---- */

static int read_result(cJSON *root, struct cni_result *r, struct err *e)
{
	return read_list(root, "interfaces", r, read_interface, e) < 0 ||
			       read_list(root, "ips", r, read_ip, e) < 0 ||
			       read_list(root, "routes", r, read_route, e) < 0 ||
			       read_dns(root, &r->dns, e) < 0 || check_ip_versions(root, r, e) < 0
		       ? -1
		       : 0;
}

static int parse_root(cJSON *root, const char *text, size_t len, enum cni_version want,
		      struct cni_result *out, struct err *e)
{
	const char *version = NULL;
	enum cni_version is;
	bool is_old;

	if (!cJSON_IsObject(root))
		return err_set(e, 0, "it is not a JSON object");
	if (json_get_str(root, "cniVersion", &version, e) < 0)
		return -1;
	if (cni_version_parse(version, &is) < 0)
		return err_set(e, 0, "its cniVersion is \"%.32s\"", version);
	is_old = has(root, "ip4") || has(root, "ip6");
	if (is_old && upgrade(root, e) < 0)
		return -1;
	if (read_result(root, out, e) < 0)
		return -1;
	if (!is_old && version && !strcmp(version, cni_version_text(want))) {
		out->json = xmalloc(len + 1);
		memcpy(out->json, text, len);
		out->json[len] = '\0';
	} else {
		out->json = convert(root, out, want);
	}
	return 0;
}

int cni_result_parse(const char *text, size_t len, enum cni_version want, struct cni_result *out,
		     struct err *e)
{
	cleanup_json cJSON *root = NULL;

	*out = (struct cni_result){ 0 };
	if (len > CNI_MAX_RESULT)
		return err_set(e, 0, "cannot use the result: it is larger than 1 MiB");
	root = json_parse(text, len, "the result", e);
	if (!root)
		return -1;
	if (parse_root(root, text, len, want, out, e) < 0) {
		cni_result_free(out);
		return err_wrap(e, "cannot use the result");
	}
	return 0;
}

const struct cni_interface *cni_result_inner(const struct cni_result *r, const char *ifname)
{
	unsigned i;

	for (i = 0; i < r->nr_interfaces; i++) {
		if (r->interfaces[i].sandbox[0] && !strcmp(r->interfaces[i].name, ifname))
			return &r->interfaces[i];
	}
	return NULL;
}

static void copy_text(const cJSON *root, const char *key, char *buf, size_t size)
{
	struct err ignored;
	const char *s = "";

	if (json_get_str(root, key, &s, &ignored) < 0)
		s = ""; /* an error's text that is none: its code is what counts */
	snprintf(buf, size, "%s", s);
}

bool cni_error_parse(const char *text, size_t len, struct cni_error *out)
{
	cleanup_json cJSON *root = NULL;
	struct err ignored;
	uint64_t code = 0;

	*out = (struct cni_error){ 0 };
	if (len > CNI_MAX_RESULT)
		return false;
	root = json_parse(text, len, "the result", &ignored);
	if (!cJSON_IsObject(root) || json_get_u64(root, "code", &code, &ignored) < 0 || !code)
		return false;
	out->code = code;
	copy_text(root, "msg", out->msg, sizeof(out->msg));
	copy_text(root, "details", out->details, sizeof(out->details));
	return true;
}
