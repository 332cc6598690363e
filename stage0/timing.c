/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/timing.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "stage0/supervise.h"

void timing_print(const struct timing *t, bool json)
{
	const struct {
		const char *name;
		uint64_t from, to;
	} phases[] = {
		{ "images", t->start, t->images },     /* resolve, fetch, render */
		{ "prepare", t->images, t->prepared }, /* pod directory, disks, initrd */
		{ "vmm", t->prepared, t->spawned },    /* sockets, log files */
		{ "kernel", t->spawned, t->hello },    /* hypervisor start and kernel boot */
		{ "init", t->hello, t->app },	       { "app", t->app, t->exited },
		{ "shutdown", t->exited, t->done }, /* sync and unmount in the guest */
		{ "teardown", t->done, t->end },       { "total", t->start, t->end },
	};
	cleanup_sb struct strbuf b = STRBUF_INIT;
	const char *sep = "";
	size_t i;

	if (json)
		sb_addc(&b, '{');
	for (i = 0; i < nitems(phases); i++) {
		double ms = (double)(phases[i].to - phases[i].from) / 1e6;

		if (!phases[i].from || phases[i].to < phases[i].from)
			continue;
		if (json)
			sb_addf(&b, "%s\"%s\":%.3f", sep, phases[i].name, ms);
		else
			sb_addf(&b, "%-10s %10.3f ms\n", phases[i].name, ms);
		sep = ",";
	}
	if (json)
		sb_adds(&b, "}\n");
	fputs(b.buf, stderr);
}
