/* SPDX-License-Identifier: Apache-2.0 */
/* What list and status tell of a pod, gathered from its directory; shapes as rkt's. */
#ifndef VPOD_STAGE0_PODINFO_H
#define VPOD_STAGE0_PODINFO_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "base/err.h"
#include "stage0/manifest.h"
#include "stage0/pod.h"
#include "stage0/status.h"

struct podinfo {
	char uuid[UUID_LEN + 1];
	const char *state;
	enum pod_phase phase;
	int64_t created_ns;	  /* Unix time */
	struct manifest manifest; /* without apps when the pod has none yet */
	struct pod_status status;
};

/* Reads manifest.json of a pod that has one. */
int pod_manifest(const struct pod *p, struct manifest *out, struct err *e);

int podinfo_read(const struct pod *p, struct podinfo *out, struct err *e);
void podinfo_free(struct podinfo *i);

/* rkt's object for one pod (rkt.md 1.4), with "reason" and "exit_code" added. */
cJSON *podinfo_json(const struct podinfo *i);

/* "2006-01-02 15:04:05.999 -0700 MST", rkt's layout; "" for 0. */
char *podinfo_time(int64_t ns, char buf[static 64]);

/* "3 minutes ago" */
char *podinfo_age(int64_t ns, char buf[static 64]);

#endif
