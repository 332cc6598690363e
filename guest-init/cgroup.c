/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mounts.h"
#include "say.h"
#include "sys.h"

#define CPU_PERIOD_US 100000
#define KILL_ROUNDS 64
#define RESERVE_MIN_MB 3 /* for the kernel and us, of what is free before apps start */
#define RESERVE_MAX_MB 32

static bool is_there, has_memory, has_cpu;

static char *path_of(char *buf, size_t size, unsigned i, const char *file)
{
	snprintf(buf, size, "/cgroup/pod/%u/%s", i, file);
	return buf;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word), len;

	for (const char *p = list; *p; p += len + !!p[len]) {
		len = strcspn(p, " ");
		if (len == n && !strncmp(p, word, n))
			return true;
	}
	return false;
}

/* Before there is any process in them: then the kernel need not stop the world for it. */
static void enable_controllers(void)
{
	char list[256], want[32];

	if (sys_read("/cgroup/cgroup.controllers", list, sizeof(list)) < 0)
		return;
	has_memory = has_word(list, "memory");
	has_cpu = has_word(list, "cpu");
	snprintf(want, sizeof(want), "%s %s", has_memory ? "+memory" : "", has_cpu ? "+cpu" : "");
	if (sys_write("/cgroup/cgroup.subtree_control", want) < 0 ||
	    sys_write("/cgroup/pod/cgroup.subtree_control", want) < 0)
		has_memory = has_cpu = false;
}

/*
 * All apps together get a little less than what is free.  When memory of the whole machine ends
 * without swap, the kernel may evict and reload the pages of programs for minutes before it kills;
 * at the limit of a group it kills at once.
 */
static void limit_pod(void)
{
	unsigned long total, available, reserve;
	struct sysinfo si;
	char value[32];

	if (sysinfo(&si) < 0)
		return; /* cannot fail */
	total = (unsigned long)((uint64_t)si.totalram * si.mem_unit >> 20);
	/* The kernel keeps some of it from us, and of the page cache there is nothing yet. */
	available = (unsigned long)((uint64_t)si.freeram * si.mem_unit >> 20) - total / 128;
	reserve = total / 32;
	if (reserve < RESERVE_MIN_MB)
		reserve = RESERVE_MIN_MB;
	if (reserve > RESERVE_MAX_MB)
		reserve = RESERVE_MAX_MB;
	if (available <= 2 * reserve)
		return; /* it will be what it will be */
	snprintf(value, sizeof(value), "%luM", available - reserve);
	if (sys_write("/cgroup/pod/memory.max", value) < 0)
		say("cannot limit memory of the pod: %s", strerror(errno));
}

int cgroup_begin(const struct pod *pod, struct err *e)
{
	struct err why;

	is_there = !mount_at("cgroup2", "/cgroup", "cgroup2", MS_NOSUID | MS_NOEXEC | MS_NODEV,
			     NULL, &why) &&
		   !sys_mkdir("/cgroup/pod", 0755);
	if (is_there)
		enable_controllers();
	if (has_memory)
		limit_pod();
	for (unsigned i = 0; i < pod->nr_apps; i++) {
		if (pod->apps[i].memory && !has_memory)
			return err_set(e, 0,
				       "cannot limit memory of app %s: the kernel lacks "
				       "CONFIG_MEMCG",
				       pod->apps[i].name);
		if (pod->apps[i].cpu_milli && !has_cpu)
			return err_set(e, 0,
				       "cannot limit CPUs of app %s: the kernel lacks "
				       "CONFIG_CFS_BANDWIDTH",
				       pod->apps[i].name);
	}
	say_step("cgroups %s", is_there ? "ready" : "missing");
	return 0;
}

bool cgroup_is_there(void)
{
	return is_there;
}

int cgroup_make(const struct app *app, unsigned i, struct err *e)
{
	char path[64], value[64];

	if (!is_there)
		return 0;
	if (sys_mkdir(path_of(path, sizeof(path), i, ""), 0755) < 0)
		return err_set(e, errno, "cannot make cgroup %s", path);
	if (app->memory) {
		snprintf(value, sizeof(value), "%llu", (unsigned long long)app->memory);
		if (sys_write(path_of(path, sizeof(path), i, "memory.max"), value) < 0)
			return err_set(e, errno, "cannot limit memory to %s", value);
	}
	if (app->cpu_milli) {
		snprintf(value, sizeof(value), "%llu %d",
			 (unsigned long long)app->cpu_milli * CPU_PERIOD_US / 1000, CPU_PERIOD_US);
		if (sys_write(path_of(path, sizeof(path), i, "cpu.max"), value) < 0)
			return err_set(e, errno, "cannot limit CPUs to %s", value);
	}
	return 0;
}

int cgroup_open(unsigned i)
{
	char path[64];

	if (!is_there)
		return -1;
	return open(path_of(path, sizeof(path), i, ""), O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int cgroup_join(unsigned i)
{
	char path[64];

	return is_there ? sys_write(path_of(path, sizeof(path), i, "cgroup.procs"), "0") : 0;
}

/* One round of SIGKILL to the processes listed; whether there were any. */
static bool kill_listed(unsigned i)
{
	static char list[65536];
	char path[64];
	bool any = false;

	if (sys_read(path_of(path, sizeof(path), i, "cgroup.procs"), list, sizeof(list)) <= 0)
		return false;
	for (char *p = list, *end; *p; p = end + strspn(end, "\n")) {
		long pid = strtol(p, &end, 10);

		if (end == p)
			break;
		any |= pid > 1 && !kill((pid_t)pid, SIGKILL);
	}
	return any;
}

void cgroup_kill(unsigned i)
{
	char path[64];

	if (!is_there || !sys_write(path_of(path, sizeof(path), i, "cgroup.kill"), "1"))
		return;
	/* before Linux 5.14; bounded, as a process in exit is listed until it is reaped */
	for (int n = 0; n < KILL_ROUNDS && kill_listed(i); n++)
		;
}

bool cgroup_had_oom(unsigned i, int signo)
{
	static unsigned long seen;
	unsigned long now;
	char path[64];

	if (has_memory)
		return sys_counter(path_of(path, sizeof(path), i, "memory.events"), "oom_kill") > 0;
	/* without the controller: some process was taken, and ours died of it */
	if (signo != SIGKILL)
		return false;
	now = sys_counter("/proc/vmstat", "oom_kill");
	if (now <= seen)
		return false;
	seen = now;
	return true;
}
