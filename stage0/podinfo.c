/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/podinfo.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"

int pod_manifest(const struct pod *p, struct manifest *out, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	if (fs_read(p->dirfd, "manifest.json", JSON_MAX_SIZE, &b, e) < 0 ||
	    manifest_read(b.buf, b.len, out, e) < 0)
		return err_wrap(e, "cannot read pod %s", p->uuid);
	return 0;
}

/* A pod in embryo or prepare may have no manifest yet; one that is being deleted, not any more. */
static int read_manifest(const struct pod *p, struct manifest *out, struct err *e)
{
	struct err local = { 0 };

	*out = (struct manifest){ 0 };
	if (pod_manifest(p, out, &local) == 0)
		return 0;
	if (local.num == ENOENT && p->phase != POD_RUN)
		return 0;
	*e = local;
	return -1;
}

/* What a killed supervisor left as running is not. */
static void settle_apps(const struct pod *p, struct podinfo *i)
{
	bool alive = p->phase == POD_RUN && (p->is_locked || p->is_ours);
	unsigned a;

	for (a = 0; !alive && a < i->status.nr_apps; a++) {
		if (i->status.apps[a].state == APP_RUNNING ||
		    (i->status.started_ns && !i->status.finished_ns))
			i->status.apps[a].state = APP_UNKNOWN;
	}
}

int podinfo_read(const struct pod *p, struct podinfo *out, struct err *e)
{
	struct stat st;

	*out = (struct podinfo){ .state = pod_state(p), .phase = p->phase };
	memcpy(out->uuid, p->uuid, sizeof(out->uuid));
	if (p->lockfd >= 0 && fstat(p->lockfd, &st) == 0) /* written once, at creation */
		out->created_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (read_manifest(p, &out->manifest, e) < 0 || status_read(p->dirfd, &out->status, e) < 0) {
		manifest_free(&out->manifest);
		return -1;
	}
	settle_apps(p, out);
	return 0;
}

void podinfo_free(struct podinfo *i)
{
	manifest_free(&i->manifest);
}

/* cJSON keeps numbers as double: nanoseconds of today need all digits, so they go in as raw text.
 */
static void add_ns(cJSON *o, const char *key, int64_t ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)ns);
	cJSON_AddRawToObject(o, key, text);
}

static void add_mounts(cJSON *o, const struct app *a)
{
	cJSON *arr = cJSON_AddArrayToObject(o, "mounts");
	unsigned i;

	for (i = 0; i < a->nr_mounts; i++) {
		cJSON *m = cJSON_CreateObject();

		cJSON_AddStringToObject(m, "name", a->mounts[i].volume);
		cJSON_AddStringToObject(m, "container_path", a->mounts[i].target);
		cJSON_AddBoolToObject(m, "read_only", a->mounts[i].readonly);
		cJSON_AddItemToArray(arr, m);
	}
}

static cJSON *app_json(const struct podinfo *i, unsigned n)
{
	const struct app *a = &i->manifest.apps[n];
	const struct app_status *s = n < i->status.nr_apps ? &i->status.apps[n] : NULL;
	cleanup_free char *id = xasprintf("sha256:%s", a->image_id.hex);
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "name", a->name);
	cJSON_AddStringToObject(o, "state", app_state_name(s ? s->state : APP_CREATED));
	add_ns(o, "created_at", i->created_ns);
	if (s && s->started_ns)
		add_ns(o, "started_at", s->started_ns);
	if (s && s->finished_ns)
		add_ns(o, "finished_at", s->finished_ns);
	if (s && s->state == APP_EXITED)
		cJSON_AddNumberToObject(o, "exit_code", s->code);
	if (s && s->signal)
		cJSON_AddNumberToObject(o, "signal", s->signal);
	if (s && s->oom)
		cJSON_AddBoolToObject(o, "oom", 1);
	cJSON_AddStringToObject(o, "image_id", id);
	cJSON_AddStringToObject(o, "image_name", a->image_name);
	add_mounts(o, a);
	return o;
}

cJSON *podinfo_json(const struct podinfo *i)
{
	cJSON *o = cJSON_CreateObject(), *names, *apps;
	unsigned n;

	cJSON_AddStringToObject(o, "name", i->uuid);
	cJSON_AddStringToObject(o, "state", i->state);
	cJSON_AddArrayToObject(o, "networks");
	names = cJSON_AddArrayToObject(o, "app_names");
	apps = cJSON_AddArrayToObject(o, "apps");
	for (n = 0; n < i->manifest.nr_apps; n++) {
		cJSON_AddItemToArray(names, cJSON_CreateString(i->manifest.apps[n].name));
		cJSON_AddItemToArray(apps, app_json(i, n));
	}
	add_ns(o, "created_at", i->created_ns / 1000000000);
	if (i->status.started_ns)
		add_ns(o, "started_at", i->status.started_ns / 1000000000);
	if (i->status.finished_ns) {
		add_ns(o, "finished_at", i->status.finished_ns / 1000000000);
		cJSON_AddStringToObject(o, "reason", reason_name(i->status.reason));
		cJSON_AddNumberToObject(o, "exit_code", i->status.code);
	}
	if (i->status.message[0])
		cJSON_AddStringToObject(o, "message", i->status.message);
	return o;
}

char *podinfo_time(int64_t ns, char buf[static 64])
{
	time_t t = (time_t)(ns / 1000000000);
	char head[32], zone[24];
	struct tm tm;

	buf[0] = '\0';
	if (!ns)
		return buf;
	localtime_r(&t, &tm);
	strftime(head, sizeof(head), "%Y-%m-%d %H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z %Z", &tm);
	snprintf(buf, 64, "%s.%03d %s", head, (int)(ns / 1000000 % 1000), zone);
	return buf;
}

char *podinfo_age(int64_t ns, char buf[static 64])
{
	static const struct {
		int64_t seconds;
		const char *unit;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	int64_t age = (unix_ns() - ns) / 1000000000;
	size_t i;

	snprintf(buf, 64, "%s", ns ? "now" : "");
	for (i = 0; ns && i < nitems(units); i++) {
		int64_t n = age / units[i].seconds;

		if (n > 0) {
			snprintf(buf, 64, "%lld %s%s ago", (long long)n, units[i].unit,
				 n == 1 ? "" : "s");
			break;
		}
	}
	return buf;
}
