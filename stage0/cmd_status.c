/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/num.h"
#include "stage0/cmd.h"
#include "stage0/podinfo.h"
#include "stage0/uuidarg.h"

struct status_args {
	const char *format, *wait, *uuid_file;
};

#define S(f) offsetof(struct status_args, f)
static const struct opt status_opts[] = {
	{ "wait", 0, OPT_STR, S(wait), "TIME", "true",
	  "wait until the pod has ended, or so long at most", NULL },
	{ "uuid-file", 0, OPT_STR, S(uuid_file), "FILE", NULL, "read the UUID from a file", NULL },
	{ "format", 0, OPT_STR, S(format), "table|json|json-pretty", NULL, "output format", NULL },
	OPT_END,
};

/* key=value lines in rkt's order, then reason= and message=. */
static void print_lines(const struct podinfo *i, const struct pod *p)
{
	cleanup_sb struct strbuf message = STRBUF_INIT;
	bool ended = i->phase == POD_EXITED || (i->phase == POD_RUN && !p->is_locked);
	char t[64];
	unsigned n;

	printf("state=%s\n", i->state);
	printf("created=%s\n", podinfo_time(i->created_ns, t));
	if (i->status.started_ns) {
		printf("started=%s\n", podinfo_time(i->status.started_ns, t));
		puts("networks=");
		printf("pid=%d\n", (int)i->status.pid);
		printf("exited=%s\n", ended ? "true" : "false");
	}
	for (n = 0; ended && n < i->manifest.nr_apps && n < i->status.nr_apps; n++) {
		if (i->status.apps[n].state == APP_EXITED)
			printf("app-%s=%d\n", i->manifest.apps[n].name, i->status.apps[n].code);
	}
	if (i->status.finished_ns)
		printf("reason=%s\n", reason_name(i->status.reason));
	if (i->status.finished_ns && i->status.message[0]) {
		/* A broken guest may have said it. */
		sb_add_printable(&message, i->status.message, strlen(i->status.message));
		printf("message=%s\n", message.buf);
	}
}

static int print_status(const struct pod *p, enum output output, struct err *e)
{
	cleanup_sb struct strbuf out = STRBUF_INIT;
	cleanup_json cJSON *j = NULL;
	struct podinfo info;

	if (podinfo_read(p, &info, e) < 0)
		return -1;
	if (output == OUTPUT_TABLE) {
		print_lines(&info, p);
	} else {
		j = podinfo_json(&info);
		json_print(&out, j, output == OUTPUT_JSON_PRETTY);
		puts(out.buf);
	}
	podinfo_free(&info);
	return 0;
}

static bool has_ended(const struct pod *p)
{
	return p->phase == POD_EXITED || (p->phase == POD_RUN && !p->is_locked);
}

/* Looks every 50 ms, as rkt does every 100: the pod's directory moves, so there is no one file. */
static int wait_end(const struct config *cfg, const char *uuid, const char *how, struct pod *p,
		    struct err *e)
{
	struct timespec pause = { .tv_nsec = 50000000 };
	uint64_t most = 0, start = now_ns();

	if (!how || !strcmp(how, "false"))
		return 0;
	if (strcmp(how, "true") && num_parse_duration(how, &most, e) < 0)
		return err_wrap(e, "cannot use --wait");
	while (!has_ended(p) && (!most || now_ns() - start < most)) {
		nanosleep(&pause, NULL);
		pod_close(p);
		if (pod_open(cfg, uuid, p, e) < 0)
			return -1;
	}
	return 0;
}

static int status(const struct config *cfg, int argc, char **argv, struct err *e)
{
	struct status_args a = { 0 };
	cleanup_pod struct pod p = POD_INIT;
	enum output output;
	char uuid[UUID_LEN + 1];
	int i = cmd_parse(&cmd_status, &a, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (output_parse(a.format, &output, e) < 0 ||
	    uuid_argument(&cmd_status, argc - i, argv + i, a.uuid_file, uuid, e) < 0 ||
	    pod_open(cfg, uuid, &p, e) < 0 || wait_end(cfg, uuid, a.wait, &p, e) < 0)
		return -1;
	return print_status(&p, output, e);
}

const struct cmd cmd_status = {
	.name = "status",
	.args = "UUID",
	.summary = "tell the state of a pod and of its apps",
	.opts = status_opts,
	.run = status,
};
