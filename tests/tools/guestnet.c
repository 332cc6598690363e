/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configures the network namespace that it runs in as vpod-init does a guest: guestnet < SPEC.  The
 * spec is one of pod keys only, "key value" a line.
 */
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "guest-init/net.h"
#include "guest-init/pod.h"

int main(void)
{
	struct strbuf b = STRBUF_INIT;
	static struct pod pod;
	static char line[4096];
	struct err e;

	sb_adds(&b, "vpod-spec 1\n1\n");
	while (fgets(line, sizeof(line), stdin)) {
		char *value = strchr(line, ' ');

		line[strcspn(line, "\n")] = '\0';
		if (!value)
			continue;
		*value++ = '\0';
		sb_addf(&b, "%s %zu\n%s\n", line, strlen(value), value);
	}
	sb_adds(&b, "app 1\na\nrootfs 1\nd\nexec 1\nx\n");
	if (podspec_parse(&pod, b.buf, b.len, &e) < 0 || net_configure(&pod, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	net_loopback_up();
	sb_free(&b);
	return 0;
}
