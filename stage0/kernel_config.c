/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/kernel_config.h"

#include <string.h>

#include "base/cleanup.h"

/* kernel-config/needs says the same; tests/unit/test_kernel_config.c compares, line by line. */
const struct kernel_need kernel_needs[] = {
	{ "64BIT", NULL, NULL, "vpod-init is a 64-bit program", false },
	{ "PVH", NULL, NULL, "direct boot of a vmlinux", false },
	{ "KVM_GUEST", NULL, NULL, "exact time under KVM", true },
	{ "BLK_DEV_INITRD", NULL, NULL, "the initramfs", false },
	{ "BINFMT_ELF", NULL, NULL, "programs", false },
	{ "BINFMT_SCRIPT", NULL, "binfmt_script", "scripts", true },
	{ "PRINTK", NULL, NULL, "a failed boot could not be explained", false },
	{ "TTY", NULL, NULL, "terminals", false },
	{ "SERIAL_8250_CONSOLE", NULL, NULL, "the boot log", false },
	{ "UNIX98_PTYS", NULL, NULL, "terminals of apps", false },
	{ "MULTIUSER", NULL, NULL, "apps that do not run as root", false },
	{ "FUTEX", NULL, NULL, "threads", false },
	{ "EPOLL", NULL, NULL, "event loops", false },
	{ "SIGNALFD", NULL, NULL, "event loops", false },
	{ "TIMERFD", NULL, NULL, "event loops", false },
	{ "EVENTFD", NULL, NULL, "event loops", false },
	{ "PROC_FS", NULL, NULL, "/proc", false },
	{ "SYSFS", NULL, NULL, "/sys", false },
	{ "DEVTMPFS", NULL, NULL, "/dev", false },
	{ "TMPFS", NULL, NULL, "/dev/shm and --scratch=tmpfs", false },
	{ "TMPFS_XATTR", NULL, NULL, "--scratch=tmpfs", true },
	{ "BLOCK", NULL, NULL, "disks", false },
	{ "ACPI", "VIRTIO_MMIO_CMDLINE_DEVICES", NULL, "finding the devices", false },
	{ "VIRTIO", NULL, "virtio", "all devices", false },
	{ "VIRTIO_MMIO", NULL, "virtio_mmio", "all devices", false },
	{ "VIRTIO_BLK", NULL, "virtio_blk", "the root disks", false },
	{ "VIRTIO_CONSOLE", NULL, "virtio_console", "the channel to the host", false },
	{ "VIRTIO_NET", NULL, "virtio_net", "the network", false },
	{ "HW_RANDOM_VIRTIO", NULL, "virtio_rng", "random numbers from the host", true },
	{ "EROFS_FS", NULL, "erofs", "the root file systems", false },
	{ "EROFS_FS_XATTR", NULL, NULL, "file capabilities in images", true },
	{ "EROFS_FS_SECURITY", NULL, NULL, "file capabilities in images", true },
	{ "EROFS_FS_POSIX_ACL", NULL, NULL, "ACLs in images", true },
	{ "OVERLAY_FS", NULL, "overlay", "writable root file systems", false },
	{ "EXT4_FS", NULL, "ext4", "the scratch disk", false },
	{ "NAMESPACES", NULL, NULL, "apps apart from each other", false },
	{ "PID_NS", NULL, NULL, "processes of apps", false },
	{ "UTS_NS", NULL, NULL, "host names of apps", false },
	{ "IPC_NS", NULL, NULL, "System V IPC of apps", false },
	{ "USER_NS", NULL, NULL, "user namespaces in apps", true },
	{ "NET_NS", NULL, NULL, "network namespaces in apps", true },
	{ "CGROUPS", NULL, NULL, "limits of apps", false },
	{ "MEMCG", NULL, NULL, "memory limits", false },
	{ "CGROUP_SCHED", NULL, NULL, "CPU shares", false },
	{ "CFS_BANDWIDTH", NULL, NULL, "CPU limits", false },
	{ "CGROUP_PIDS", NULL, NULL, "process limits", false },
	{ "SECCOMP_FILTER", NULL, NULL, "system call filters", false },
	{ "NET", NULL, NULL, "sockets", false },
	{ "UNIX", NULL, NULL, "local sockets", false },
	{ "INET", NULL, NULL, "the network", false },
	{ "IPV6", NULL, NULL, "IPv6 networks", true },
	{ 0 },
};

#define NR_NEEDS (nitems(kernel_needs) - 1)

struct value {
	char own, either; /* 'y', 'm' or 'n' */
};

/* Values of one line "CONFIG_<name>=<y or m>". */
static char line_value(const char *eq, const char *end)
{
	return end - eq == 2 && (eq[1] == 'y' || eq[1] == 'm') ? eq[1] : 'n';
}

static bool same(const char *symbol, const char *name, size_t n)
{
	return symbol && !strncmp(symbol, name, n) && !symbol[n];
}

/* Calls @each with the name and the value of every symbol that is set: one pass, no allocation. */
static void for_each_symbol(const char *text, size_t len,
			    void (*each)(void *ctx, const char *name, size_t n, char value),
			    void *ctx)
{
	static const char prefix[] = "CONFIG_";
	const char *p = text, *stop = text + len;

	while (p < stop) {
		const char *nl = memchr(p, '\n', (size_t)(stop - p));
		const char *end = nl ? nl : stop;
		const char *eq = memchr(p, '=', (size_t)(end - p));

		if (eq && eq - p > (int)sizeof(prefix) - 1 &&
		    !memcmp(p, prefix, sizeof(prefix) - 1))
			each(ctx, p + sizeof(prefix) - 1, (size_t)(eq - p) - (sizeof(prefix) - 1),
			     line_value(eq, end));
		p = end + 1;
	}
}

static void note_value(void *ctx, const char *name, size_t n, char value)
{
	struct value *values = ctx;
	size_t i;

	for (i = 0; i < NR_NEEDS; i++) {
		if (same(kernel_needs[i].symbol, name, n))
			values[i].own = value;
		if (same(kernel_needs[i].either, name, n))
			values[i].either = value;
	}
}

static bool is_loaded(const char *module, const struct strv *modules)
{
	size_t i;

	for (i = 0; module && i < modules->nr_v; i++) {
		if (!strcmp(modules->v[i], module))
			return true;
	}
	return false;
}

static bool is_met(const struct kernel_need *need, const struct value *v,
		   const struct strv *modules)
{
	return v->own == 'y' || v->either == 'y' ||
	       (v->own == 'm' && is_loaded(need->module, modules));
}

static void say_missing(const struct kernel_need *need, const struct value *v, struct strv *out)
{
	if (v->own == 'm' && need->module)
		strv_addf(out, "CONFIG_%s=m, but the module %s is not there (%s)", need->symbol,
			  need->module, need->purpose);
	else if (v->own == 'm')
		strv_addf(out, "CONFIG_%s=m must be built in (%s)", need->symbol, need->purpose);
	else if (need->either)
		strv_addf(out, "neither CONFIG_%s nor CONFIG_%s is set (%s)", need->symbol,
			  need->either, need->purpose);
	else
		strv_addf(out, "CONFIG_%s is not set (%s)", need->symbol, need->purpose);
}

void config_check(const char *text, size_t len, const struct strv *modules, struct strv *missing,
		  struct strv *wanted)
{
	struct value values[NR_NEEDS];
	size_t i;

	memset(values, 'n', sizeof(values));
	for_each_symbol(text, len, note_value, values);
	for (i = 0; i < NR_NEEDS; i++) {
		if (!is_met(&kernel_needs[i], &values[i], modules))
			say_missing(&kernel_needs[i], &values[i],
				    kernel_needs[i].is_optional ? wanted : missing);
	}
}

struct lookup {
	const char *symbol;
	char value;
};

static void note_lookup(void *ctx, const char *name, size_t n, char value)
{
	struct lookup *l = ctx;

	if (same(l->symbol, name, n))
		l->value = value;
}

char config_get(const char *text, size_t len, const char *symbol)
{
	struct lookup l = { symbol, 'n' };

	for_each_symbol(text, len, note_lookup, &l);
	return l.value;
}

static void note_any(void *ctx, const char *name, size_t n, char value)
{
	(void)name;
	(void)n;
	*(unsigned *)ctx += value == 'y';
}

bool config_is_valid(const char *text, size_t len)
{
	unsigned nr_set = 0;

	for_each_symbol(text, len, note_any, &nr_set);
	return nr_set > 0;
}
