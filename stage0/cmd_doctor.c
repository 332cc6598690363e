/* SPDX-License-Identifier: Apache-2.0 */
/* vpod doctor: what this host can do, what it cannot, why, and what to do about it. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/helper.h"
#include "base/jail.h"
#include "base/json.h"
#include "base/num.h"
#include "base/spawn.h"
#include "stage0/cmd.h"
#include "stage0/config.h"
#include "stage0/host.h"
#include "stage0/kernel.h"
#include "stage0/qemu.h"
#include "stage0/vmspec.h"

enum grade { OK, WARN, FAIL };

struct check {
	const char *name;
	enum grade grade;
	char text[512];
	char hint[256];
};

struct doctor {
	const char *format;
	bool fresh, surface;
	const struct config *cfg;
	struct check checks[16];
	unsigned nr;
};

static const struct opt doctor_opts[] = {
	{ "fresh", 0, OPT_BOOL, offsetof(struct doctor, fresh), NULL, NULL,
	  "measure again instead of using this boot's answer", NULL },
	{ "surface", 0, OPT_BOOL, offsetof(struct doctor, surface), NULL, NULL,
	  "print all that a guest of vpod-vmm can reach: devices, system calls, files, limits",
	  NULL },
	{ "format", 0, OPT_STR, offsetof(struct doctor, format), "table|json|json-pretty", NULL,
	  "output format", NULL },
	OPT_END,
};

static struct check *add(struct doctor *d, const char *name, enum grade g, const char *hint,
			 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static struct check *add(struct doctor *d, const char *name, enum grade g, const char *hint,
			 const char *fmt, ...)
{
	struct check *c = &d->checks[d->nr++];
	va_list ap;

	*c = (struct check){ .name = name, .grade = g };
	snprintf(c->hint, sizeof(c->hint), "%s", hint);
	va_start(ap, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
	return c;
}

static void check_kvm(struct doctor *d)
{
	struct err e = { 0 };
	struct host h;

	if (host_probe(d->cfg, d->fresh, &h, &e) < 0) {
		add(d, "kvm", FAIL, e.hint, "%s", e.msg);
		return;
	}
	switch (h.kvm) {
	case KVM_WORKS:
		add(d, "kvm", OK, "", "KVM: %s", h.kvm_why);
		break;
	case KVM_EMULATED:
		add(d, "kvm", WARN, "pods run in software; use a host with VT-x or AMD-V for speed",
		    "KVM, but guest kernels are emulated: %s", h.kvm_why);
		break;
	case KVM_DENIED:
		add(d, "kvm", WARN, "join the group of /dev/kvm (usually 'kvm') and log in again",
		    "TCG only: %s", h.kvm_why);
		break;
	case KVM_ABSENT:
		add(d, "kvm", WARN,
		    "load kvm-intel or kvm-amd, or enable nested virtualization for this VM",
		    "TCG only: %s", h.kvm_why);
		break;
	case KVM_BROKEN:
		add(d, "kvm", WARN, "", "TCG only: %s", h.kvm_why);
		break;
	}
	add(d, "tsc", h.tsc_khz ? OK : WARN, "", "TSC at %u kHz", h.tsc_khz);
}

/* What a run without --hypervisor and --accel would use. */
static void check_hypervisor(struct doctor *d)
{
	const struct hypervisor *hv;
	struct err e = { 0 };
	struct host h;

	if (host_probe(d->cfg, 0, &h, &e) < 0)
		return; /* said by check_kvm() */
	hv = hv_select("auto", ACCEL_AUTO, &h);
	add(d, "auto", hv == &hv_kvm ? OK : WARN, "", "--hypervisor=auto chooses %s: %s",
	    hv == &hv_kvm ? "kvm, our vpod-vmm" : "qemu, in software", h.kvm_why);
}

static void check_qemu(struct doctor *d)
{
	cleanup_strv struct strv files = { 0 };
	struct err e = { 0 };
	cleanup_free char *path = qemu_path(&e);

	if (!path || config_make_dirs(d->cfg, &e) < 0 || qemu_files(d->cfg, &files, &e) < 0) {
		add(d, "qemu", FAIL, e.hint, "%s", e.msg);
		return;
	}
	add(d, "qemu", OK, "", "%s, %zu files visible in its jail", path, files.nr_v);
}

static void check_helpers(struct doctor *d)
{
	static const char *const names[] = { "vpod-init", "vpod-image", "vpod-kernel", "vpod-vmm" };
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < nitems(names); i++) {
		cleanup_free char *path = helper_path(names[i], &e);

		if (!path) {
			add(d, "programs", FAIL, e.hint, "%s", e.msg);
			return;
		}
	}
	add(d, "programs", OK, "", "vpod-init, vpod-image, vpod-kernel and vpod-vmm are there");
}

static void check_jail(struct doctor *d)
{
	struct spawn s = { 0 };
	struct jail j = { .extra_gid = (gid_t)-1 };
	struct child c;
	struct err e = { 0 };
	int r;

	/* What cannot be there: only the jail's own stages are tried. */
	strv_add(&s.argv, "/vpod-doctor-probe");
	j.uid = j.gid = geteuid() == 0 ? 0x75ffffff : 0;
	s.jail = &j;
	r = spawn_start(&s, &c, &e);
	if (r < 0 && e.num == ENOENT)
		add(d, "jail", OK, "", "namespaces, an empty root and no capabilities work");
	else
		add(d, "jail", FAIL, e.hint[0] ? e.hint : "allow user namespaces for this user",
		    "%s", e.msg);
	if (!r)
		child_kill(&c);
	spawn_free(&s);
}

static void check_kernel(struct doctor *d)
{
	cleanup_kernel struct kernel k = { 0 };
	struct err e = { 0 };

	if (kernel_find(d->cfg, NULL, &k, &e) < 0 || kernel_check(&k, &e) < 0)
		add(d, "kernel", FAIL, e.hint, "%s", e.msg);
	else
		add(d, "kernel", OK, "", "%s (%s) is the default", k.name,
		    k.is_tuned ? "tuned" : "imported");
}

static void check_tool(struct doctor *d, const char *name, const char *path, const char *package)
{
	char hint[128];

	snprintf(hint, sizeof(hint), "install the package %s, or use --scratch=tmpfs", package);
	if (access(path, X_OK) == 0)
		add(d, name, OK, "", "%s", path);
	else
		add(d, name, WARN, hint, "%s is missing", path);
}

static void check_disk(struct doctor *d)
{
	struct statvfs st;
	char size[32];
	uint64_t room;

	if (statvfs(d->cfg->dir, &st) < 0) {
		add(d, "disk", errno == ENOENT ? OK : FAIL, "", "%s: %s", d->cfg->dir,
		    errno == ENOENT ? "made at first use" : strerror(errno));
		return;
	}
	room = (uint64_t)st.f_bavail * st.f_frsize;
	add(d, "disk", room > (1ull << 30) ? OK : WARN, "", "%s has %s free", d->cfg->dir,
	    num_format_size(room, size));
}

static void check_cgroup(struct doctor *d)
{
	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0)
		add(d, "cgroup", OK, "", "cgroup v2");
	else
		add(d, "cgroup", WARN, "",
		    "no unified cgroup v2: the host does not limit the hypervisor by cgroup");
}

static void print_table(const struct doctor *d)
{
	static const char *const grades[] = { "ok", "warn", "FAIL" };
	cleanup_sb struct strbuf b = STRBUF_INIT;
	unsigned i;

	for (i = 0; i < d->nr; i++) {
		sb_addf(&b, "%-5s %-9s ", grades[d->checks[i].grade], d->checks[i].name);
		sb_add_printable(&b, d->checks[i].text, strlen(d->checks[i].text));
		if (d->checks[i].grade != OK && d->checks[i].hint[0])
			sb_addf(&b, "\n                hint: %s", d->checks[i].hint);
		sb_addc(&b, '\n');
	}
	fputs(b.buf, stdout);
}

static void print_json(const struct doctor *d, bool pretty)
{
	static const char *const grades[] = { "ok", "warn", "fail" };
	cleanup_json cJSON *root = cJSON_CreateObject();
	cleanup_sb struct strbuf b = STRBUF_INIT;
	cJSON *arr = cJSON_AddArrayToObject(root, "checks");
	unsigned i;

	for (i = 0; i < d->nr; i++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "name", d->checks[i].name);
		cJSON_AddStringToObject(o, "grade", grades[d->checks[i].grade]);
		cJSON_AddStringToObject(o, "text", d->checks[i].text);
		if (d->checks[i].hint[0])
			cJSON_AddStringToObject(o, "hint", d->checks[i].hint);
		cJSON_AddItemToArray(arr, o);
	}
	json_print(&b, root, pretty);
	puts(b.buf);
}

/* vpod-vmm knows best; it takes our place. */
static int print_surface(struct err *e)
{
	cleanup_free char *path = helper_path("vpod-vmm", e);

	if (!path)
		return -1;
	execl(path, "vpod-vmm", "--surface", (char *)NULL);
	return err_set(e, errno, "cannot execute %s", path);
}

/* Fails (125) when pods cannot run here at all. */
static int doctor(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct doctor d = { .cfg = cfg };
	enum output output;
	unsigned n;
	int i = cmd_parse(&cmd_doctor, &d, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_doctor, argc - i, 0, 0, e) < 0 ||
	    output_parse(d.format, &output, e) < 0)
		return -1;
	if (d.surface)
		return print_surface(e);
	check_kvm(&d);
	check_hypervisor(&d);
	check_qemu(&d);
	check_jail(&d);
	check_helpers(&d);
	check_kernel(&d);
	check_tool(&d, "mke2fs", "/usr/sbin/mke2fs", "e2fsprogs");
	check_cgroup(&d);
	check_disk(&d);
	if (output == OUTPUT_TABLE)
		print_table(&d);
	else
		print_json(&d, output == OUTPUT_JSON_PRETTY);
	for (n = 0; n < d.nr; n++) {
		if (d.checks[n].grade == FAIL) {
			err_set(e, 0, "cannot run pods on this host: %s", d.checks[n].text);
			return d.checks[n].hint[0] ? err_hint(e, "%s", d.checks[n].hint) : -1;
		}
	}
	return 0;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "tell what this host can do, what it cannot, and what to do about it",
	.opts = doctor_opts,
	.run = doctor,
};
