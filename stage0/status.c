/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/num.h"

static const char *const reason_names[] = {
	[REASON_NONE] = "",
	[REASON_EXITED] = "exited",
	[REASON_SIGNALED] = "signaled",
	[REASON_OOM] = "oom",
	[REASON_GUEST_PANIC] = "guest-panic",
	[REASON_BOOT_FAILED] = "boot-failed",
	[REASON_VIOLATION] = "guest-violation",
	[REASON_VMM_CRASH] = "vmm-crash",
	[REASON_TIMEOUT] = "timeout",
	[REASON_STOPPED] = "stopped",
};
_Static_assert(nitems(reason_names) == NR_REASONS, "a name for each reason");

const char *reason_name(enum reason r)
{
	return reason_names[r];
}

static const char *const state_names[] = {
	[APP_CREATED] = "created",
	[APP_RUNNING] = "running",
	[APP_EXITED] = "exited",
	[APP_UNKNOWN] = "unknown",
};

const char *app_state_name(enum app_state s)
{
	return state_names[s];
}

int64_t unix_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

uint64_t process_start(pid_t pid)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	struct err ignored;
	char path[64], *p;
	uint64_t start = 0;
	int field;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fs_read(AT_FDCWD, path, 4096, &b, &ignored) < 0)
		return 0;
	p = strrchr(b.buf, ')'); /* the name before it may hold anything */
	for (field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		start = strtoull(p + 1, NULL, 10);
	return start;
}

/* Nanoseconds of today do not fit a JSON number exactly: text. */
static void add_ns(cJSON *o, const char *key, int64_t ns)
{
	char v[32];

	snprintf(v, sizeof(v), "%lld", (long long)ns);
	cJSON_AddStringToObject(o, key, v);
}

static cJSON *app_json(const struct app_status *a)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "state", a->state);
	cJSON_AddNumberToObject(o, "code", a->code);
	cJSON_AddNumberToObject(o, "signal", a->signal);
	cJSON_AddBoolToObject(o, "oom", a->oom);
	add_ns(o, "started", a->started_ns);
	add_ns(o, "finished", a->finished_ns);
	return o;
}

int status_write(int pod_dirfd, const struct pod_status *s, struct err *e)
{
	cleanup_json cJSON *o = cJSON_CreateObject();
	cleanup_sb struct strbuf b = STRBUF_INIT;
	cJSON *apps;
	unsigned i;

	cJSON_AddStringToObject(o, "reason", reason_name(s->reason));
	cJSON_AddNumberToObject(o, "code", s->code);
	cJSON_AddStringToObject(o, "message", s->message);
	cJSON_AddNumberToObject(o, "pid", s->pid);
	cJSON_AddNumberToObject(o, "pid_start", (double)s->pid_start);
	add_ns(o, "started", s->started_ns);
	add_ns(o, "finished", s->finished_ns);
	apps = cJSON_AddArrayToObject(o, "apps");
	for (i = 0; i < s->nr_apps; i++)
		cJSON_AddItemToArray(apps, app_json(&s->apps[i]));
	json_print(&b, o, false);
	sb_addc(&b, '\n');
	return fs_write_atomic(pod_dirfd, "status.json", b.buf, b.len, 0600, e);
}

static int get_int(const cJSON *o, const char *key, int *out, struct err *e)
{
	uint64_t v = 0;

	if (json_get_u64(o, key, &v, e) < 0 || v > INT32_MAX)
		return -1;
	*out = (int)v;
	return 0;
}

static int get_ns(const cJSON *o, const char *key, int64_t *out, struct err *e)
{
	const char *s = "0";
	uint64_t v;

	if (json_get_str(o, key, &s, e) < 0)
		return -1;
	if (num_parse_u64(s, 0, INT64_MAX, &v) < 0)
		return err_set(e, 0, "key \"%s\" is not a time", key);
	*out = (int64_t)v;
	return 0;
}

static int read_app(const cJSON *o, struct app_status *a, struct err *e)
{
	int state = 0;

	if (get_int(o, "state", &state, e) < 0 || get_int(o, "code", &a->code, e) < 0 ||
	    get_int(o, "signal", &a->signal, e) < 0 || json_get_bool(o, "oom", &a->oom, e) < 0 ||
	    get_ns(o, "started", &a->started_ns, e) < 0 ||
	    get_ns(o, "finished", &a->finished_ns, e) < 0)
		return -1;
	a->state = state <= APP_UNKNOWN ? (enum app_state)state : APP_UNKNOWN;
	return 0;
}

static int read_root(const cJSON *o, struct pod_status *out, struct err *e)
{
	const char *reason = "", *message = "";
	const cJSON *apps = NULL, *j;
	unsigned i;

	if (json_get_str(o, "reason", &reason, e) < 0 ||
	    json_get_str(o, "message", &message, e) < 0 || get_int(o, "code", &out->code, e) < 0 ||
	    get_int(o, "pid", &out->pid, e) < 0 ||
	    json_get_u64(o, "pid_start", &out->pid_start, e) < 0 ||
	    get_ns(o, "started", &out->started_ns, e) < 0 ||
	    get_ns(o, "finished", &out->finished_ns, e) < 0 ||
	    json_get_arr(o, "apps", &apps, e) < 0)
		return -1;
	for (i = 0; i < NR_REASONS; i++) {
		if (!strcmp(reason, reason_names[i]))
			out->reason = (enum reason)i;
	}
	snprintf(out->message, sizeof(out->message), "%s", message);
	cJSON_ArrayForEach(j, apps)
	{
		if (out->nr_apps == PROTO_MAX_APPS)
			break;
		if (read_app(j, &out->apps[out->nr_apps++], e) < 0)
			return -1;
	}
	return 0;
}

int status_read(int pod_dirfd, struct pod_status *out, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	cleanup_json cJSON *o = NULL;
	struct err local;

	*out = (struct pod_status){ 0 };
	if (fs_read(pod_dirfd, "status.json", 65536, &b, &local) < 0) {
		if (local.num == ENOENT)
			return 0;
		*e = local;
		return -1;
	}
	o = json_parse(b.buf, b.len, "status.json", e);
	if (!o || read_root(o, out, e) < 0)
		return err_wrap(e, "cannot read the pod's status");
	return 0;
}
