/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "stage0/podspec_put.h"

static void app_free(struct app *a)
{
	unsigned i;

	free(a->name);
	free(a->image_name);
	strv_free(&a->exec);
	strv_free(&a->env);
	free(a->cwd);
	free(a->user);
	free(a->group);
	strv_free(&a->gids);
	for (i = 0; i < a->nr_mounts; i++) {
		free(a->mounts[i].volume);
		free(a->mounts[i].target);
	}
	free(a->mounts);
}

void manifest_free(struct manifest *m)
{
	unsigned i;

	for (i = 0; i < m->nr_apps; i++)
		app_free(&m->apps[i]);
	for (i = 0; i < m->nr_volumes; i++)
		free(m->volumes[i].name);
	free(m->apps);
	free(m->volumes);
	free(m->hostname);
	free(m->kernel);
	*m = (struct manifest){ 0 };
}

struct app *manifest_add_app(struct manifest *m)
{
	m->apps = xrealloc(m->apps, (m->nr_apps + 1) * sizeof(*m->apps));
	m->apps[m->nr_apps] = (struct app){ 0 };
	return &m->apps[m->nr_apps++];
}

struct volume *manifest_add_volume(struct manifest *m, const char *name)
{
	m->volumes = xrealloc(m->volumes, (m->nr_volumes + 1) * sizeof(*m->volumes));
	m->volumes[m->nr_volumes] = (struct volume){ .name = xstrdup(name), .mode = 0755 };
	return &m->volumes[m->nr_volumes++];
}

const struct volume *manifest_find_volume(const struct manifest *m, const char *name)
{
	unsigned i;

	for (i = 0; i < m->nr_volumes; i++) {
		if (!strcmp(m->volumes[i].name, name))
			return &m->volumes[i];
	}
	return NULL;
}

struct app_mount *app_add_mount(struct app *a, const char *volume, const char *target)
{
	a->mounts = xrealloc(a->mounts, (a->nr_mounts + 1) * sizeof(*a->mounts));
	a->mounts[a->nr_mounts] =
		(struct app_mount){ .volume = xstrdup(volume), .target = xstrdup(target) };
	return &a->mounts[a->nr_mounts++];
}

/* x86-64 Linux numbers, which the guest uses whatever the host's libc thinks. */
static const char *const signal_names[] = {
	[1] = "HUP",	 [2] = "INT",	[3] = "QUIT",	[4] = "ILL",   [5] = "TRAP",
	[6] = "ABRT",	 [7] = "BUS",	[8] = "FPE",	[9] = "KILL",  [10] = "USR1",
	[11] = "SEGV",	 [12] = "USR2", [13] = "PIPE",	[14] = "ALRM", [15] = "TERM",
	[16] = "STKFLT", [17] = "CHLD", [18] = "CONT",	[19] = "STOP", [20] = "TSTP",
	[21] = "TTIN",	 [22] = "TTOU", [23] = "URG",	[24] = "XCPU", [25] = "XFSZ",
	[26] = "VTALRM", [27] = "PROF", [28] = "WINCH", [29] = "IO",   [30] = "PWR",
	[31] = "SYS",
};

int signal_by_name(const char *s)
{
	uint64_t n;
	size_t i;

	if (!num_parse_u64(s, 1, 64, &n))
		return (int)n;
	if (!strncmp(s, "SIG", 3))
		s += 3;
	for (i = 1; i < nitems(signal_names); i++) {
		if (!strcmp(s, signal_names[i]))
			return (int)i;
	}
	if (!strncmp(s, "RTMIN+", 6) && !num_parse_u64(s + 6, 0, 30, &n))
		return 34 + (int)n;
	return -1;
}

static void put_each(struct strbuf *b, const char *key, const struct strv *v)
{
	size_t i;

	for (i = 0; i < v->nr_v; i++)
		podspec_put(b, key, v->v[i]);
}

static void put_mounts(struct strbuf *b, const struct app *a)
{
	unsigned i;

	for (i = 0; i < a->nr_mounts; i++) {
		const struct app_mount *mnt = &a->mounts[i];
		cleanup_free char *v =
			xasprintf("%s %s%s", mnt->volume, mnt->target, mnt->readonly ? " ro" : "");

		podspec_put(b, mnt->copyup ? "copyup" : "mount", v);
	}
}

static void put_app(struct strbuf *b, const struct manifest *m, const struct app *a,
		    const struct spec_parts *parts, const char *rootfs_serial)
{
	podspec_put(b, "app", a->name);
	podspec_put(b, "rootfs", rootfs_serial);
	if (a->readonly)
		podspec_put(b, "readonly", "1");
	put_each(b, "exec", &a->exec);
	/* appc's, beneath whatever the image and the user say */
	podspec_putf(b, "env", "AC_APP_NAME=%s", a->name);
	podspec_put(b, "env", "container=vpod");
	if (parts->metadata_port)
		podspec_putf(b, "env", "AC_METADATA_URL=%s", parts->metadata_url);
	put_each(b, "env", &a->env);
	podspec_put(b, "cwd", a->cwd && a->cwd[0] ? a->cwd : "/");
	if (a->user && a->user[0])
		podspec_put(b, "user", a->user);
	if (a->group && a->group[0])
		podspec_put(b, "group", a->group);
	put_each(b, "gid", &a->gids);
	put_mounts(b, a);
	if (a->memory)
		podspec_putf(b, "memory", "%llu", (unsigned long long)a->memory);
	if (a->cpu_milli)
		podspec_putf(b, "cpu", "%llu", (unsigned long long)a->cpu_milli);
	if (a->stop_signal)
		podspec_putf(b, "stopsignal", "%d", a->stop_signal);
	if (a->is_interactive)
		podspec_put(b, "stdin", "1");
	if (a->has_tty)
		podspec_put(b, "tty", "24 80"); /* the supervisor sends the true size at once */
	if (m->insecure_capabilities)
		podspec_put(b, "caps", "ffffffffffffffff");
	if (m->insecure_paths)
		podspec_put(b, "nopaths", "1");
}

void manifest_spec(const struct manifest *m, const struct spec_parts *parts, struct strbuf *out)
{
	unsigned i;

	podspec_put(out, "vpod-spec", "1");
	podspec_put(out, "hostname", m->hostname);
	if (parts->scratch_serial)
		podspec_putf(out, "scratch", "disk %s", parts->scratch_serial);
	else
		podspec_putf(out, "scratch", "tmpfs %llu", (unsigned long long)m->scratch_size);
	for (i = 0; i < m->nr_volumes; i++)
		podspec_putf(out, "volume", "%s %o %u %u", m->volumes[i].name, m->volumes[i].mode,
			     m->volumes[i].uid, m->volumes[i].gid);
	if (parts->debug)
		podspec_put(out, "debug", "1");
	if (parts->net_records)
		sb_adds(out, parts->net_records);
	if (parts->metadata_port)
		podspec_putf(out, "metadata", "%u", parts->metadata_port);
	for (i = 0; i < m->nr_apps; i++)
		put_app(out, m, &m->apps[i], parts, parts->rootfs_serials[i]);
}
