/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration that one plugin gets: for cni.c alone. */
#ifndef VPOD_STAGE0_NET_EXECCONF_H
#define VPOD_STAGE0_NET_EXECCONF_H

#include <cjson/cJSON.h>

#include "base/strbuf.h"
#include "stage0/net/conf.h"

struct cni_attachment;

struct execconf {
	const struct cni_list *list;
	const struct cni_plugin *plugin;
	const cJSON *capabilities;	    /* values; NULL: none */
	const char *prev;		    /* text of prevResult; NULL: none */
	const struct cni_attachment *valid; /* GC's; NULL: none said */
	size_t nr_valid;
};

/* Appends it (CNI spec 1.1, section 3, "Deriving execution configuration"). */
void execconf_print(const struct execconf *x, struct strbuf *b);

#endif
