/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network configurations (CNI spec 1.1, section 1): files of net.d directories, and two networks
 * that are built in as rkt's were, "default" and "default-restricted".
 *
 *  - Directories in rkt's precedence: --user-config, --local-config (/etc/vpod), --system-config
 *    (/usr/lib/vpod), each with net.d.  In each, *.conf, *.json and *.conflist in lexical order;
 * the first of a name wins, so that a file replaces a built-in network of its name.
 *  - A file that cannot be used is an error, not a network less: pods would silently get another.
 *  - A single plugin's configuration becomes a list of one.  A list takes further plugins from
 *    *.conf in net.d/NAME unless it says loadOnlyInlinedPlugins.
 *  - Of cniVersion and cniVersions the highest that vpod speaks counts; of before 0.3.1, see
 *    version.h.
 *  - A plugin's own keys are kept as they were written.  Keys "vpod.*" are ours and are not handed
 *    to plugins; one that we do not know is refused.
 *      "vpod.isolation": "none"   pods of this network may talk to each other
 */
#ifndef VPOD_STAGE0_NET_CONF_H
#define VPOD_STAGE0_NET_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "stage0/net/version.h"

struct config;

#define CNI_MAX_PLUGINS 64
#define CNI_MAX_CONF (1u << 20) /* bytes of a file */
#define CNI_MAX_FILES 1024	/* of a directory */
#define CNI_MAX_NAME 200	/* it becomes the name of files and directories */

struct cni_plugin {
	char *type;
	char *conf;		  /* the JSON object as it was written */
	struct strv capabilities; /* those that it says true of */
};

enum cni_isolation {
	CNI_ISOLATION_DEFAULT, /* nothing said */
	CNI_ISOLATION_NONE,    /* "vpod.isolation": "none" */
};

struct cni_list {
	char *name;
	char *source; /* path of its file; NULL: built in */
	enum cni_version version;
	bool disable_check, disable_gc;
	bool only_inlined; /* loadOnlyInlinedPlugins, or nothing more to load */
	enum cni_isolation isolation;
	struct cni_plugin plugins[CNI_MAX_PLUGINS];
	unsigned nr_plugins;
};

#define cleanup_cni_list __attribute__((__cleanup__(cni_list_free)))
void cni_list_free(struct cni_list *l); /* and all zero again */

/* Names of networks, plugins and containers: [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most CNI_MAX_NAME. */
bool cni_name_is_valid(const char *s);

/*
 * A list, or a single plugin's configuration.  @what names the text in errors, which are of kind
 * ERR_USAGE.  Caller frees @out, which is all zero after a failure.  A list may have no plugins
 * unless it says loadOnlyInlinedPlugins: cni_nets_load() looks for them.
 */
int cni_list_parse(const char *text, size_t len, const char *what, struct cni_list *out,
		   struct err *e);

/*
 * The list as one JSON text that cni_list_parse() makes the same list of, wherever its plugins came
 * from: the record by which DEL will run when the files have changed.
 */
void cni_list_print(const struct cni_list *l, struct strbuf *b);

/* Adds a plugin to the end of the chain. @conf is a JSON object with a type. */
int cni_list_append(struct cni_list *l, const char *conf, struct err *e);

/* Whether a plugin of the chain says true of that capability (CONVENTIONS.md: "portMappings"). */
bool cni_list_takes(const struct cni_list *l, const char *capability);

/* Adds portmap to the end of the chain, unless a plugin takes portMappings already. */
int cni_list_add_ports(struct cni_list *l, struct err *e);

struct cni_nets {
	struct cni_list *v;
	unsigned nr;
};

#define cleanup_cni_nets __attribute__((__cleanup__(cni_nets_free)))
void cni_nets_free(struct cni_nets *n);

/* The net.d directories in their order, which need not exist. */
void cni_conf_dirs(const struct config *cfg, struct strv *out);

/* All networks of @dirs, and the built-in ones that no file replaces, which come last. */
int cni_nets_load(const struct strv *dirs, struct cni_nets *out, struct err *e);

/* NULL with an error of kind ERR_NOT_FOUND, whose hint names those that there are. */
struct cni_list *cni_nets_find(const struct cni_nets *n, const char *name, struct err *e);

#endif
