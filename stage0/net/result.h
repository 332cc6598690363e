/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What plugins say: results of ADD (CNI spec 1.1, section 5; of 0.1.0 to 1.1.0) and errors.  A
 * plugin is a program of the administrator's, but what it says steers the guest's network and the
 * host's rules: everything is bounded and checked, and a result that says one thing wrong is
 * refused as a whole.
 */
#ifndef VPOD_STAGE0_NET_RESULT_H
#define VPOD_STAGE0_NET_RESULT_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cidr.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "stage0/net/version.h"

#define CNI_MAX_RESULT (1u << 20) /* bytes */
#define CNI_MAX_ITEMS 64	  /* interfaces, addresses, routes, entries of each list of dns */

struct cni_interface {
	char name[IFNAMSIZ];
	bool has_mac;
	uint8_t mac[6];
	uint32_t mtu;	   /* 0: not said */
	char *sandbox;	   /* "" for one of the host's */
	char *socket_path; /* NULL: not said; vhost-user and the like */
	char *pci_id;	   /* NULL: not said */
};

struct cni_ip {
	struct cidr addr;    /* host bits set, as on an interface */
	struct cidr gateway; /* family 0: none */
	int interface;	     /* in interfaces[]; -1: not said */
};

struct cni_route {
	struct cidr dst;
	struct cidr gw; /* family 0: none, the gateway of an address of this family counts */
	uint32_t mtu, advmss, priority; /* 0: not said */
	uint32_t table;			/* 0: not said */
	int scope;			/* -1: not said */
};

struct cni_dns {
	struct strv nameservers; /* addresses */
	char *domain;		 /* NULL: not said */
	struct strv search;
	struct strv options;
};

/* All of it owned; all zero is an empty result. */
struct cni_result {
	struct cni_interface interfaces[CNI_MAX_ITEMS];
	struct cni_ip ips[CNI_MAX_ITEMS];
	struct cni_route routes[CNI_MAX_ITEMS];
	unsigned nr_interfaces, nr_ips, nr_routes;
	struct cni_dns dns;
	char *json; /* the text in the version that was asked for: prevResult, and the record */
};

#define cleanup_cni_result __attribute__((__cleanup__(cni_result_free)))
void cni_result_free(struct cni_result *r); /* and all zero again */

/*
 * Reads a result.  Its cniVersion may be missing or another than @want, as old plugins' is: then
 * ->json is converted ("ip4" and "ip6" of 0.2.0 become ips; the ips' version comes or goes).
 * Caller frees @out, which is all zero after a failure.
 */
int cni_result_parse(const char *text, size_t len, enum cni_version want, struct cni_result *out,
		     struct err *e);

/* The interface of that name within a sandbox, or NULL. */
const struct cni_interface *cni_result_inner(const struct cni_result *r, const char *ifname);

/* The error structure (section 5, "Error"). */
struct cni_error {
	uint64_t code; /* not 0; see cni.h */
	char msg[512], details[512];
};

/* Whether @text is an error; anything that is not, garbage too, is none. */
bool cni_error_parse(const char *text, size_t len, struct cni_error *out);

#endif
