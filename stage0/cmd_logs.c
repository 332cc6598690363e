/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "stage0/applog.h"
#include "stage0/cmd.h"
#include "stage0/podinfo.h"
#include "stage0/uuidarg.h"

struct logs_args {
	const char *app, *uuid_file;
	bool boot, timestamps;
};

#define L(f) offsetof(struct logs_args, f)
static const struct opt logs_opts[] = {
	{ "app", 0, OPT_STR, L(app), "NAME", NULL, "the app (needed when there are several)",
	  NULL },
	{ "boot", 0, OPT_BOOL, L(boot), NULL, NULL, "the guest's boot console instead", NULL },
	{ "timestamps", 0, OPT_BOOL, L(timestamps), NULL, NULL,
	  "lines as they are stored: time, stream, F or P, text", NULL },
	{ "uuid-file", 0, OPT_STR, L(uuid_file), "FILE", NULL, "read the UUID from a file", NULL },
	OPT_END,
};

/* On a terminal what tenants wrote is escaped; elsewhere it is passed on byte for byte. */
static void put_text(FILE *to, const char *p, size_t n)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	if (!isatty(fileno(to))) {
		fwrite(p, 1, n, to);
		return;
	}
	sb_add_printable(&b, p, n);
	fwrite(b.buf, 1, b.len, to);
}

/* "TIME STREAM F|P TEXT\n": standard error's lines go to ours. */
static void put_line(const char *line, size_t n, bool timestamps)
{
	const char *stream = memchr(line, ' ', n);
	size_t head = stream ? (size_t)(stream - line) + 10 : n;
	bool is_stderr = stream && !strncmp(stream, " stderr ", 8);
	FILE *to = is_stderr ? stderr : stdout;

	if (!stream || head > n)
		return; /* a half-written last line */
	if (timestamps) {
		put_text(to, line, n);
		fputc('\n', to);
		return;
	}
	put_text(to, line + head, n - head);
	if (stream[8] == 'F')
		fputc('\n', to);
}

static int put_log(const struct pod *p, const char *name, bool timestamps, struct err *e)
{
	cleanup_fclose FILE *f = NULL;
	cleanup_free char *line = NULL;
	int fd = openat(p->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	size_t cap = 0;
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd >= 0)
		f = fdopen(fd, "r");
	if (!f)
		return err_set(e, errno, "cannot read %s of pod %s", name, p->uuid);
	while ((n = getline(&line, &cap, f)) > 0)
		put_line(line, (size_t)n - (line[n - 1] == '\n'), timestamps);
	return 0;
}

static int put_boot(const struct pod *p, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	char *line, *save = NULL;

	if (fs_read(p->dirfd, "console.log", 4u << 20, &b, e) < 0)
		return err_wrap(e, "cannot show the boot console of pod %s", p->uuid);
	for (line = strtok_r(b.buf, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
		put_text(stdout, line, strlen(line));
		putchar('\n');
	}
	return 0;
}

/* The app meant: the one named, or the only one. */
static int pick_app(const struct pod *p, const char *asked, char name[static 80], struct err *e)
{
	cleanup_manifest struct manifest m = { 0 };
	cleanup_sb struct strbuf names = STRBUF_INIT;
	unsigned i;

	if (pod_manifest(p, &m, e) < 0)
		return -1;
	for (i = 0; i < m.nr_apps; i++) {
		sb_addf(&names, " %s", m.apps[i].name);
		if (asked ? !strcmp(asked, m.apps[i].name) : m.nr_apps == 1) {
			snprintf(name, 80, "log/%s", m.apps[i].name);
			return 0;
		}
	}
	if (asked)
		err_setk(e, ERR_NOT_FOUND, 0, "cannot show logs: pod %s has no app '%s'", p->uuid,
			 asked);
	else
		err_setk(e, ERR_USAGE, 0, "cannot show logs: pod %s has several apps", p->uuid);
	return err_hint(e, "name one with --app:%s", names.buf);
}

static int logs(const struct config *cfg, int argc, char **argv, struct err *e)
{
	cleanup_pod struct pod p = POD_INIT;
	struct logs_args a = { 0 };
	char uuid[UUID_LEN + 1], name[80], old[84];
	int i = cmd_parse(&cmd_logs, &a, argc, argv, e);

	if (i < 0)
		return i == -2 ? 0 : -1;
	if (uuid_argument(&cmd_logs, argc - i, argv + i, a.uuid_file, uuid, e) < 0 ||
	    pod_open(cfg, uuid, &p, e) < 0)
		return -1;
	if (a.boot)
		return put_boot(&p, e);
	if (pick_app(&p, a.app, name, e) < 0)
		return -1;
	snprintf(old, sizeof(old), "%s.1", name);
	return put_log(&p, old, a.timestamps, e) < 0 ? -1 : put_log(&p, name, a.timestamps, e);
}

const struct cmd cmd_logs = {
	.name = "logs",
	.args = "UUID",
	.summary = "print what an app of a pod has written",
	.opts = logs_opts,
	.run = logs,
};
