/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/loop.h"
#include "stage0/config.h"
#include "stage0/kvm_probe.h"

static const char *const state_names[] = {
	[KVM_ABSENT] = "absent", [KVM_DENIED] = "denied", [KVM_EMULATED] = "emulated",
	[KVM_BROKEN] = "broken", [KVM_WORKS] = "works",
};

const char *kvm_state_name(enum kvm_state s)
{
	return state_names[s];
}

static uint64_t rdtsc(void)
{
	return __builtin_ia32_rdtsc();
}

/* Counts the TSC over 20 ms; good to about 0.01 %. For hosts whose KVM does not say. */
static unsigned measure_tsc(void)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	uint64_t t0 = now_ns(), c0 = rdtsc(), t1, c1;

	nanosleep(&pause, NULL);
	t1 = now_ns();
	c1 = rdtsc();
	if (t1 <= t0 || c1 <= c0)
		return 0;
	return (unsigned)((unsigned __int128)(c1 - c0) * 1000000 / (t1 - t0));
}

static void boot_id(char id[static 64])
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	struct err ignored;

	id[0] = '\0';
	if (fs_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 63, &b, &ignored) == 0)
		snprintf(id, 64, "%.*s", (int)strcspn(b.buf, "\n"), b.buf);
}

static int read_cached(const char *path, const char *id, struct host *out)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	cleanup_json cJSON *j = NULL;
	const char *boot = "", *why = "";
	uint64_t kvm = 0, loop = 0, tsc = 0;
	struct err ignored;

	if (!id[0] || fs_read(AT_FDCWD, path, 4096, &b, &ignored) < 0)
		return -1;
	j = json_parse(b.buf, b.len, path, &ignored);
	if (!j || json_get_str(j, "boot", &boot, &ignored) < 0 || strcmp(boot, id) ||
	    json_get_str(j, "why", &why, &ignored) < 0 ||
	    json_get_u64(j, "kvm", &kvm, &ignored) < 0 || kvm >= nitems(state_names) ||
	    json_get_u64(j, "loop_ns", &loop, &ignored) < 0 ||
	    json_get_u64(j, "tsc_khz", &tsc, &ignored) < 0)
		return -1;
	*out = (struct host){ .kvm = (enum kvm_state)kvm,
			      .loop_ns = loop,
			      .tsc_khz = (unsigned)tsc };
	snprintf(out->kvm_why, sizeof(out->kvm_why), "%s", why);
	return 0;
}

static int write_cached(const char *path, const char *id, const struct host *h, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	sb_adds(&b, "{\"boot\":");
	sb_add_json(&b, id);
	sb_addf(&b, ",\"kvm\":%d,\"loop_ns\":%lu,\"tsc_khz\":%u,\"why\":", (int)h->kvm, h->loop_ns,
		h->tsc_khz);
	sb_add_json(&b, h->kvm_why);
	sb_adds(&b, "}\n");
	return fs_write_atomic(AT_FDCWD, path, b.buf, b.len, 0600, e);
}

int host_probe(const struct config *cfg, int fresh, struct host *out, struct err *e)
{
	cleanup_free char *path = fs_join(cfg->run_dir, "host");
	char id[64];

	boot_id(id);
	/* A group that was given since would change the answer: ask again when it was no. */
	if (!fresh && read_cached(path, id, out) == 0 && out->kvm != KVM_DENIED)
		return 0;
	*out = (struct host){ 0 };
	kvm_probe(out);
	if (!out->tsc_khz)
		out->tsc_khz = measure_tsc();
	if (config_make_dirs(cfg, e) < 0)
		return -1;
	return write_cached(path, id, out, e);
}
