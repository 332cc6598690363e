/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vpod-vmm: one virtual machine on KVM, described by a flat text, for one process' lifetime.
 * See vpod-vmm(1), spec.h for the description, machine.h for how it works inside.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/num.h"
#include "base/options.h"
#include "vmm/confine.h"
#include "vmm/machine.h"
#include "vmm/sandbox.h"
#include "vmm/surface.h"
#include "vmm/vcpu.h"

struct args {
	const char *spec;
	struct confine confine;
	bool surface, version, help;
};

static const struct opt options[] = {
	{ "spec", 0, OPT_STR, offsetof(struct args, spec), "FILE|fd:N", NULL,
	  "the machine's description", NULL },
	{ "no-jail", 0, OPT_BOOL, offsetof(struct args, confine.is_open), NULL, NULL,
	  "run with the caller's rights; for debugging only", NULL },
	{ "jailed", 0, OPT_BOOL, offsetof(struct args, confine.is_jailed), NULL, NULL,
	  "the caller made the jail: check it, and run in it", NULL },
	{ "uid", 0, OPT_U64, offsetof(struct args, confine.uid), "N", NULL,
	  "uid and gid of the machine, for root; default: one of its own", NULL },
	{ "cgroup", 0, OPT_STRV, offsetof(struct args, confine.cgroups), "DIR", NULL,
	  "a cgroup to run the machine in; one for each hierarchy", NULL },
	{ "timing", 0, OPT_BOOL, offsetof(struct args, confine.has_timing), NULL, NULL,
	  "print how long each stage of the start took", NULL },
	{ "surface", 0, OPT_BOOL, offsetof(struct args, surface), NULL, NULL,
	  "print all that the guest can reach, and do not run it", NULL },
	{ "help", 'h', OPT_BOOL, offsetof(struct args, help), NULL, NULL, "print this", NULL },
	{ "version", 0, OPT_BOOL, offsetof(struct args, version), NULL, NULL, "print the version",
	  NULL },
	OPT_END,
};

static int parse_args(struct args *a, int argc, char **argv, struct err *e)
{
	const struct opt_set sets[] = { { options, a }, { NULL, NULL } };
	bool ended = false;
	int i = 1;

	if (opts_parse(sets, argc, argv, &i, &ended, e) < 0)
		return -1;
	if (i < argc)
		return err_setk(e, ERR_USAGE, 0, "cannot use operand '%s': there are none",
				argv[i]);
	if (a->confine.uid >= UINT32_MAX)
		return err_setk(e, ERR_USAGE, 0, "cannot use --uid: there is no such uid");
	if (a->confine.is_open && a->confine.is_jailed)
		return err_setk(e, ERR_USAGE, 0, "cannot use --jailed and --no-jail");
	if (!a->spec && !a->surface && !a->help && !a->version)
		return err_setk(e, ERR_USAGE, 0, "cannot run: no --spec=FILE");
	return 0;
}

static int print_help(void)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	sb_adds(&b, "Usage: vpod-vmm --spec=FILE|fd:N [OPTIONS]\n\nRuns one virtual machine.\n\n");
	opts_help(&b, options);
	fputs(b.buf, stdout);
	return 0;
}

static int open_spec(const char *name, struct err *e)
{
	uint64_t n;
	int fd;

	if (!strncmp(name, "fd:", 3)) {
		if (num_parse_u64(name + 3, 0, 65535, &n) < 0)
			return err_setk(e, ERR_USAGE, 0, "cannot use --spec=%s: no such file",
					name);
		return (int)n;
	}
	fd = open(name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_setk(e, ERR_USAGE, errno, "cannot open %s", name) : fd;
}

static int read_spec(const char *name, struct vmm_spec *s, struct err *e)
{
	cleanup_close int fd = open_spec(name, e);
	cleanup_sb struct strbuf text = STRBUF_INIT;

	if (fd < 0 || fs_read_fd(fd, "the machine's description", SPEC_MAX_BYTES, &text, e) < 0)
		return -1;
	return spec_parse(s, text.buf, text.len, e);
}

/* One line: how it ended. Whoever started us reads it before our process is gone. */
static void write_report(const struct machine *m, int fd)
{
	char line[300];
	int n = snprintf(line, sizeof(line), "end %s %s\n",
			 machine_end_name((enum machine_end)m->end), m->end_text);

	if (fd >= 0 && n > 0 && write(fd, line, (size_t)n) != n)
		log_warn("cannot write the report: %s", strerror(errno));
}

static int end_status(const struct machine *m, struct err *e)
{
	switch (m->end) {
	case END_FAILED:
		return err_set(e, 0, "cannot go on: %s", m->end_text);
	case END_VIOLATION:
		return err_setk(e, ERR_GUEST, 0, "cannot go on: the guest broke a rule: %s",
				m->end_text);
	default:
		return 0;
	}
}

static int run_machine(struct vmm_spec *spec, int stop_fd, struct err *e)
{
	static struct machine m;

	if (sandbox_init(spec->report.fd, e) < 0 || machine_make(&m, spec, e) < 0 ||
	    machine_watch_stop(&m, stop_fd, e) < 0)
		return -1;
	confine_stage("make");
	if (machine_run(&m, e) < 0)
		return -1;
	confine_stage("run");
	write_report(&m, spec->report.fd);
	return end_status(&m, e);
}

static int run(const struct args *a, struct err *e)
{
	static struct vmm_spec spec;
	int stop_fd;

	if (read_spec(a->spec, &spec, e) < 0 || cpuid_check(spec.cpuid_off, e) < 0)
		return -1;
	if (!a->confine.is_open && confine_close(&spec, false, e) < 0)
		return -1;
	if (spec_open(&spec, e) < 0 || cpuid_prepare(spec.kvm.fd, e) < 0)
		return -1;
	confine_stage("open");
	stop_fd = confine_enter(&a->confine, &spec, e);
	return stop_fd < 0 ? -1 : run_machine(&spec, stop_fd, e);
}

static int print_surface(const struct args *a, struct err *e)
{
	static struct vmm_spec spec;
	static struct machine m;

	sandbox_disable();
	if ((a->spec ? read_spec(a->spec, &spec, e)
		     : spec_parse(&spec, surface_default_spec, strlen(surface_default_spec), e)) <
		    0 ||
	    confine_close(&spec, true, e) < 0)
		return -1;
	if (!a->spec && access("/dev/kvm", R_OK | W_OK) < 0) {
		surface_print(NULL);
		return 0;
	}
	if (spec_open(&spec, e) < 0 || machine_make_devices(&m, &spec, e) < 0)
		return -1;
	surface_print(&m);
	return 0;
}

static int start(const struct args *a)
{
	struct err e;
	int status = 0;

	if (a->confine.is_open) {
		fputs("vpod-vmm: warning: --no-jail: the guest is as close to you as this program "
		      "is; for debugging only\n",
		      stderr);
		sandbox_disable();
	}
	if ((a->surface ? print_surface(a, &e) : run(a, &e)) < 0) {
		err_print(&e, "vpod-vmm");
		status = e.kind == ERR_USAGE ? 2 : 1;
	}
	if (a->confine.has_timing)
		confine_print_stages();
	confine_exit(status);
}

int main(int argc, char **argv)
{
	struct args a = { 0 };
	struct err e;

	confine_stage("start");
	log_set("vpod-vmm", LOG_WARN);
	signal(SIGPIPE, SIG_IGN); /* a stream whose reader is gone answers EPIPE */
	if (parse_args(&a, argc, argv, &e) < 0) {
		err_print(&e, "vpod-vmm");
		return 2;
	}
	if (a.help)
		return print_help();
	if (a.version)
		return printf("vpod-vmm %s\n", VPOD_VERSION) < 0;
	return start(&a);
}
