/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The CNI runtime (CNI spec 1.1, sections 2 and 3)
 *
 * Plugins are programs that are run one after the other, with the configuration on standard input
 * and the rest in CNI_* variables.  What a plugin is never matters here, only what it says.
 *
 *  - A plugin gets standard input, output and error, the variables CNI_* and PATH, a process group
 *    of its own, and a time.  It dies with vpod, so that gc never runs DEL beside an ADD.
 *  - When it has ended, its group is killed: what it left behind cannot hold our pipes.  A daemon
 *    that is meant to stay makes a session of its own, as daemons do.
 *  - Over its time, over 1 MiB of output, ended by a signal: it is killed, and has failed.
 *  - An exit status other than 0 is a failure whatever was printed; an error object is a failure
 *    whatever the exit status.
 *
 * For DEL the netns must still be as ADD left it: ptp and bridge (1.1.1) take the addresses whose
 * masquerading they end from the interface.  Without it, or with its addresses removed, they
 * succeed and their rules stay.  portmap's CHECK (1.1.1) fails for pods without IPv6 where
 * ip6tables works.
 *
 * Nothing is kept here.  Whoever calls cni_add() has recorded the list (cni_list_print()) and the
 * arguments before, records ->json of the result after, and calls cni_del() in the end with the
 * same: also when cni_add() failed, for plugins before the failed one did their part.
 */
#ifndef VPOD_STAGE0_NET_CNI_H
#define VPOD_STAGE0_NET_CNI_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "stage0/net/conf.h"
#include "stage0/net/result.h"

struct config;

#define CNI_TIMEOUT_NS (60ull * 1000000000)

/* Codes of errors that mean the same from any plugin (section 2, "Error"). */
enum {
	CNI_E_VERSION = 1, /* incompatible CNI version */
	CNI_E_FIELD = 2,   /* unsupported field */
	CNI_E_UNKNOWN = 3, /* container unknown: no DEL needed */
	CNI_E_ENV = 4,	   /* an environment variable is missing or wrong */
	CNI_E_IO = 5,
	CNI_E_DECODE = 6,
	CNI_E_CONFIG = 7,	    /* invalid network configuration */
	CNI_E_AGAIN = 11,	    /* try again later */
	CNI_E_NOT_AVAILABLE = 50,   /* STATUS: cannot serve ADD */
	CNI_E_NO_CONNECTIVITY = 51, /* STATUS: cannot serve ADD, and pods have limited network */
};

/* An attachment's parameters; the same for ADD, CHECK and DEL (section 3). */
struct cni_args {
	const char *container_id;
	const char *netns;	  /* path; NULL or "": gone, for DEL after a reboot */
	const char *ifname;	  /* in the netns */
	const char *args;	  /* CNI_ARGS, "K=V;K2=V2"; NULL: none */
	const struct strv *paths; /* directories of plugins, in order; of cni_plugin_paths() */
	/*
	 * Values by capability, {"portMappings": [...], ...}; NULL: none.  A plugin gets those that
	 * its "capabilities" say true of, as runtimeConfig.
	 */
	const cJSON *capabilities;
	uint64_t timeout_ns; /* for each plugin; 0: CNI_TIMEOUT_NS */
	/*
	 * A signalfd or the like: when it is readable the plugin is killed, and the call fails with
	 * ECANCELED.  0: none, as for DEL.
	 */
	int cancel_fd;

	/* What happened; these add up over calls. */
	uint64_t plugin_ns; /* while plugins ran: the rest of a call's time is ours */
	unsigned nr_runs;   /* plugins run */
	/* Of the latest call: the code of the error that it failed with, 0 when no plugin told. */
	uint64_t code;
};

/*
 * Directories of plugins: @cni_path (of --cni-path, "DIR:DIR"; NULL: none), /usr/lib/cni (Debian),
 * /opt/cni/bin, /usr/libexec/cni (Fedora), and plugins/net of the system configuration as rkt's.
 */
int cni_plugin_paths(const struct config *cfg, const char *cni_path, struct strv *out,
		     struct err *e);

/* ADD, in the list's order. Caller frees @out, which is all zero after a failure. */
int cni_add(const struct cni_list *l, struct cni_args *a, struct cni_result *out, struct err *e);

/*
 * DEL, in the reverse order: all plugins, and the first failure is told.  @prev is ->json of the
 * ADD, or NULL when there is none.
 */
int cni_del(const struct cni_list *l, struct cni_args *a, const char *prev, struct err *e);

/*
 * CHECK, in the list's order, to the first failure.  Returns 0 when all is well, 1 when this
 * network cannot be checked (before 0.4.0, disableCheck, no result), -1 when something is wrong.
 */
int cni_check(const struct cni_list *l, struct cni_args *a, const char *prev, struct err *e);

/* STATUS, to the first failure. Returns 1 when the network is before 1.1.0, which has none. */
int cni_status(const struct cni_list *l, struct cni_args *a, struct err *e);

struct cni_attachment {
	const char *container_id, *ifname;
};

/*
 * GC: plugins may remove what belongs to none of @valid.  All plugins run, the first failure is
 * told.  Returns 1 when the network has none (before 1.1.0, disableGC).  Only ->paths and
 * ->timeout_ns of @a count.
 */
int cni_gc(const struct cni_list *l, struct cni_args *a, const struct cni_attachment *valid,
	   size_t nr_valid, struct err *e);

/* VERSION: what the plugin of that type speaks. Only ->paths and ->timeout_ns of @a count. */
int cni_plugin_versions(const char *type, struct cni_args *a, struct strv *out, struct err *e);

/* The path of the plugin of that type. Caller owns; NULL with an error of ERR_NOT_FOUND. */
char *cni_plugin_find(const char *type, const struct strv *paths, struct err *e);

/* Whether CNI_ARGS may be @s: KEY=VALUE;…, without control bytes (section 2, "Parameters"). */
bool cni_args_are_valid(const char *s);

/*
 * Values of capabilities by the conventions (CONVENTIONS.md), put into @caps, an object.  Others
 * can be put there as they are.
 */
struct cni_port {
	const char *protocol; /* "tcp", "udp", "sctp" */
	const char *host_ip;  /* NULL: all */
	uint16_t host_port, container_port;
};

void cni_caps_add_port(cJSON *caps, const struct cni_port *p);
/* "ips", "aliases": a list gets one more. */
void cni_caps_add_string(cJSON *caps, const char *capability, const char *value);
void cni_caps_set_mac(cJSON *caps, const uint8_t mac[static 6]);
void cni_caps_set_dns(cJSON *caps, const struct cni_dns *dns);
/* Bits per second and bits; 0: no limit. */
struct cni_bandwidth {
	uint64_t ingress_rate, ingress_burst, egress_rate, egress_burst;
};
void cni_caps_set_bandwidth(cJSON *caps, const struct cni_bandwidth *b);

#endif
