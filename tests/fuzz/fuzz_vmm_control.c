/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the control socket: the answer is one line of JSON, or Prometheus' text. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "vmm/control.h"
#include "vmm/virtio/balloon.h"
#include "vmm_input.h"

static struct vmm_rig rig;

static void one(char *line, size_t size)
{
	static char buf[16384];
	struct text t = { buf, 0, size, false };
	cleanup_json cJSON *o = NULL;
	struct err e;

	(void)control_command(&rig.m, line, &t);
	check(t.len > 1 && t.len < sizeof(buf) && t.buf[t.len - 1] == '\n');
	if (t.buf[0] == '#')
		return;
	check(memchr(t.buf, '\n', t.len) == t.buf + t.len - 1);
	o = json_parse(t.buf, t.len - 1, "the answer", &e);
	check(o && cJSON_IsObject(o));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct spec_balloon balloon = { .has_stats = true };
	char line[CONTROL_MAX_LINE];
	size_t n = size < sizeof(line) ? size : sizeof(line) - 1;

	if (!rig.m.nr_devs) {
		rig_init(&rig, RIG_MEMORY);
		rig_add(&rig, balloon_new(&balloon));
	}
	memcpy(line, data, n);
	line[n] = '\0';
	one(line, 16000);
	machine_resume(&rig.m);
	return 0;
}
