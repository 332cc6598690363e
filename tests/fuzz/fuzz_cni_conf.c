/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network configurations: what is taken has valid names, is the same when it is read again from its
 * record, and gives every plugin a configuration that is JSON.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "stage0/net/cni.h"
#include "stage0/net/execconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_exec(const struct cni_list *l, const cJSON *caps)
{
	static const struct cni_attachment valid[] = { { "pod", "eth0" } };
	struct err e;
	unsigned i;

	for (i = 0; i < l->nr_plugins; i++) {
		struct execconf x = {
			.list = l,
			.plugin = &l->plugins[i],
			.capabilities = caps,
			.prev = "{}",
			.valid = i % 2 ? valid : NULL,
			.nr_valid = 1,
		};
		cleanup_sb struct strbuf b = STRBUF_INIT;

		if (!cni_name_is_valid(l->plugins[i].type))
			abort();
		execconf_print(&x, &b);
		if (json_scan(b.buf, b.len, "", &e) < 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cleanup_cni_list struct cni_list l = { 0 }, again = { 0 };
	cleanup_sb struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;
	cleanup_json cJSON *caps = cJSON_CreateObject();
	struct cni_port port = { "tcp", NULL, 1, 2 };
	struct err e;

	if (cni_list_parse((const char *)p, n, "fuzz", &l, &e) < 0) {
		if (l.name || l.nr_plugins || !e.msg[0])
			abort();
		return 0;
	}
	if (!cni_name_is_valid(l.name) || (!l.nr_plugins && l.only_inlined))
		abort();
	cni_list_print(&l, &a);
	if (cni_list_parse(a.buf, a.len, "record", &again, &e) < 0)
		abort();
	cni_list_print(&again, &b);
	if (strcmp(a.buf, b.buf) != 0)
		abort();
	cni_caps_add_port(caps, &port);
	check_exec(&l, caps);
	(void)cni_list_add_ports(&l, &e);
	(void)cni_args_are_valid(a.buf);
	return 0;
}
