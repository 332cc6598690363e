/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/sandbox.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox_filters.h" /* made by tools/gen_sandbox */
#include "vmm/confine.h"

#ifdef VMM_ESCAPE_TEST
void escape_attempt(enum sandbox_kind kind); /* tests/tools/vmm_escape.c */
bool escape_is_unfiltered(void);
#endif

static struct {
	bool is_disabled;
	int report;
} state = { .report = -1 };

static __thread enum sandbox_kind own_kind = SANDBOX_NR;

const char *sandbox_kind_name(enum sandbox_kind kind)
{
	static const char *const names[] = {
		[SANDBOX_VCPU] = "vcpu",       [SANDBOX_LOOP] = "io",
		[SANDBOX_WORKER] = "worker",   [SANDBOX_CONTROL] = "control",
		[SANDBOX_STARTER] = "starter", [SANDBOX_NR] = "unfiltered",
	};

	return names[kind];
}

#define VCPU (1u << SANDBOX_VCPU)
#define LOOP (1u << SANDBOX_LOOP)
#define WORKER (1u << SANDBOX_WORKER)
#define CONTROL (1u << SANDBOX_CONTROL)
#define STARTER (1u << SANDBOX_STARTER)
#define CALL(kinds, name, condition, reason) { kinds, #name, #condition, reason },
static const struct sandbox_call calls[] = {
#include "vmm/syscalls.def"
};
#undef CALL

const struct sandbox_call *sandbox_call(size_t i)
{
	return i < nitems(calls) ? &calls[i] : NULL;
}

/* In the signal's handler: a call of ours raised it, so not within snprintf(), which makes none. */
static void tell(int fd, const char *prefix, int nr)
{
	bool is_known = nr >= 0 && (size_t)nr < nitems(sandbox_names) && sandbox_names[nr];
	char line[200], number[12];
	int n;

	snprintf(number, sizeof(number), "%d", nr);
	n = snprintf(line, sizeof(line), "%sseccomp: system call %s in thread %s\n", prefix,
		     is_known ? sandbox_names[nr] : number, sandbox_kind_name(own_kind));
	if (fd >= 0 && write(fd, line, (size_t)n) < 0)
		return; /* nobody listens */
}

static void violated(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	tell(STDERR_FILENO, "vpod-vmm: cannot go on: ", info->si_syscall);
	tell(state.report, "end failed ", info->si_syscall);
	confine_exit(1);
}

int sandbox_init(int report_fd, struct err *e)
{
	struct sigaction sa = { .sa_sigaction = violated, .sa_flags = SA_SIGINFO };

	state.report = report_fd;
	if (sigaction(SIGSYS, &sa, NULL) < 0)
		return err_set(e, errno, "cannot watch for system calls");
	return 0;
}

void sandbox_disable(void)
{
	state.is_disabled = true;
}

int sandbox_enter(enum sandbox_kind kind, struct err *e)
{
	const struct sock_fprog prog = {
		.len = sandbox_filters[kind].len,
		.filter = (struct sock_filter *)sandbox_filters[kind].code, /* only read */
	};

	own_kind = kind;
	if (state.is_disabled)
		return 0;
#ifdef VMM_ESCAPE_TEST
	if (escape_is_unfiltered()) {
		escape_attempt(kind);
		return 0;
	}
#endif
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_set(e, errno, "cannot filter system calls of thread %s",
			       sandbox_kind_name(kind));
#ifdef VMM_ESCAPE_TEST
	escape_attempt(kind);
#endif
	return 0;
}
