/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "stage0/manifest.h"
#include "stage0/supervisor.h"

/* The first reason stands: what follows from it is not another one. */
void verdict_set(struct supervisor *s, enum reason reason, const char *fmt, ...)
{
	va_list ap;

	if (s->st->reason != REASON_NONE)
		return;
	s->st->reason = reason;
	va_start(ap, fmt);
	vsnprintf(s->st->message, sizeof(s->st->message), fmt, ap);
	va_end(ap);
}

/* The kernel's own word for why it died: the rest of the console's line from "Kernel panic" on. */
static void find_panic(const struct supervisor *s, char *line, size_t size)
{
	const char *at = strstr(s->console.tail, "Kernel panic");

	snprintf(line, size, "%.*s", at ? (int)strcspn(at, "\r\n") : 0, at ? at : "");
}

/*
 * vpod-vmm's report, "end HOW WHY", taken out of its words; QEMU has none.  @why points into @said.
 */
static const char *find_report(char *said, const char **why)
{
	static const char *const hows[] = { "reset", "poweroff",	"halt",	  "triple-fault",
					    "panic", "guest-violation", "failed", "stopped" };
	char *at = !strncmp(said, "end ", 4) ? said : strstr(said, "\nend ");
	size_t i;

	*why = "";
	if (!at)
		return NULL;
	at += *at == '\n';
	for (i = 0; i < nitems(hows); i++) {
		size_t n = strlen(hows[i]);

		if (!strncmp(at + 4, hows[i], n) && at[4 + n] == ' ') {
			*why = at + 5 + n;
			at[strcspn(at, "\r\n")] = '\0';
			return hows[i];
		}
	}
	return NULL;
}

/* What a machine that ended without DONE did, in words. */
static const char *how_it_ended(const char *how, bool has_panicked)
{
	if (has_panicked || (how && !strcmp(how, "panic")))
		return "panicked";
	if (how && !strcmp(how, "triple-fault"))
		return "crashed with a triple fault";
	if (how && !strcmp(how, "halt"))
		return "halted";
	return how && !strcmp(how, "poweroff") ? "powered the machine off" : "reset the machine";
}

/*
 * A reset without DONE, which ends the machine: the kernel panicked, crashed, or was told to.
 */
static void died_by_itself(struct supervisor *s, const char *how)
{
	bool booted = s->phase != BOOTING || s->args->timing->hello;
	const char *when = booted ? "" : " while it booted";
	char line[200];

	find_panic(s, line, sizeof(line));
	verdict_set(s, booted ? REASON_GUEST_PANIC : REASON_BOOT_FAILED,
		    "the guest kernel %s%s%s%s", how_it_ended(how, line[0]), when,
		    line[0] ? ": " : "", line);
}

void verdict_vm_exited(struct supervisor *s, int wait_status)
{
	cleanup_free char *said = NULL;
	const char *how, *why;

	if (s->is_done || s->was_killed)
		return;
	console_drain(&s->messages);
	said = xstrdup(console_last(&s->messages, 3));
	how = find_report(said, &why);
	if (how && !strcmp(how, "guest-violation"))
		verdict_set(s, REASON_VIOLATION, "the guest broke a rule of its machine: %s", why);
	else if (how && !strcmp(how, "failed"))
		verdict_set(s, REASON_VMM_CRASH, "the hypervisor could not go on: %s", why);
	else if (how && !strcmp(how, "stopped")) /* not by us */
		verdict_set(s, REASON_VMM_CRASH, "the hypervisor was stopped %s", why);
	else if (WIFSIGNALED(wait_status))
		verdict_set(s, REASON_VMM_CRASH, "the hypervisor was killed by signal %d%s%s",
			    WTERMSIG(wait_status), said[0] ? ": " : "", said);
	else if (WEXITSTATUS(wait_status))
		verdict_set(s, REASON_VMM_CRASH, "the hypervisor ended with status %d%s%s",
			    WEXITSTATUS(wait_status), said[0] ? ": " : "", said);
	else
		died_by_itself(s, how);
}

static void finish_apps(struct supervisor *s)
{
	unsigned i;

	for (i = 0; i < s->nr_apps; i++) {
		struct app_status *a = &s->st->apps[i];

		if (a->state != APP_RUNNING)
			continue;
		a->state = APP_EXITED;
		a->signal = SIGKILL;
		a->code = 128 + SIGKILL;
		a->finished_ns = unix_ns();
		if (s->first_failed < 0)
			s->first_failed = (int)i;
	}
}

static enum reason reason_of_app(const struct app_status *a)
{
	return a->oom ? REASON_OOM : a->signal ? REASON_SIGNALED : REASON_EXITED;
}

void verdict_finish(struct supervisor *s)
{
	struct pod_status *st = s->st;
	int failed;

	finish_apps(s);
	failed = s->first_failed;
	if (st->reason == REASON_NONE)
		st->reason = failed < 0 ? REASON_EXITED : reason_of_app(&st->apps[failed]);
	if (st->reason == REASON_OOM)
		snprintf(st->message, sizeof(st->message), "app %s ran out of memory",
			 s->args->manifest->apps[failed].name);
	switch (st->reason) {
	case REASON_TIMEOUT:
		st->code = EXIT_TIMEOUT;
		break;
	case REASON_GUEST_PANIC:
	case REASON_BOOT_FAILED:
	case REASON_VIOLATION:
	case REASON_VMM_CRASH:
		st->code = s->args->engine_status;
		break;
	default:
		if (failed >= 0)
			st->code = st->apps[failed].code;
		else if (!st->code) /* a signal before the apps began has set it */
			st->code = 0;
	}
	st->finished_ns = unix_ns();
}
