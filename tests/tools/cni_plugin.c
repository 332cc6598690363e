/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CNI plugin that tells what it was given and misbehaves on demand.  Link it under any name.  Its
 * configuration says what to do:
 *   "record": DIR     write DIR/NN-TYPE-COMMAND: environment, fds, process group, standard input
 *   "on": COMMAND     the rest counts for that command only
 *   "text": TEXT, "status": N, "complain": TEXT    print exactly that, exit with that; on standard
 * error "result": {...}   print that (else prevResult, else an empty result) "mode": hang |
 * hang-group | flood | flood-errors | leave-child | leave-daemon | killed VERSION, which has no
 * configuration, says 0.3.1 to 1.1.0.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"

static const char *text_of(const cJSON *conf, const char *key)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(conf, key));

	return s ? s : "";
}

static unsigned count_files(const char *dir)
{
	cleanup_closedir DIR *d = opendir(dir);
	struct dirent *de;
	unsigned n = 0;

	while (d && (de = readdir(d)))
		n += de->d_name[0] != '.' && strstr(de->d_name, "-") != NULL;
	return n;
}

static void record_environment(FILE *f)
{
	cleanup_sb struct strbuf env = STRBUF_INIT;
	struct err e;
	size_t i;

	if (fs_read(AT_FDCWD, "/proc/self/environ", 65536, &env, &e) < 0)
		return;
	for (i = 0; i < env.len; i += strlen(env.buf + i) + 1)
		fprintf(f, "env %s\n", env.buf + i);
}

/* What fds there are, and of what kind; nothing is open yet but those that came along. */
static void list_fds(char *buf, size_t size)
{
	struct stat st;
	int fd, n = 0;

	for (fd = 0; fd < 1024; fd++) {
		if (!fstat(fd, &st))
			n += snprintf(buf + n, size - (size_t)n, "fd %d %s\n", fd,
				      S_ISFIFO(st.st_mode)  ? "pipe"
				      : S_ISREG(st.st_mode) ? "file"
							    : "other");
		if ((size_t)n >= size)
			return;
	}
}

static void record(const char *dir, const char *type, const char *command, const char *fds,
		   const struct strbuf *input)
{
	cleanup_free char *path =
		xasprintf("%s/%02u-%s-%s", dir, count_files(dir) + 1, type, command);
	FILE *f = fopen(path, "we");

	if (!f)
		return;
	record_environment(f);
	fprintf(f, "%s", fds);
	fprintf(f, "group %s\n", getpgrp() == getpid() ? "own" : "another's");
	fprintf(f, "input %s\n", input->buf);
	fclose(f);
}

/* A child that waits for ever; its pid is in RECORD/pid. */
static void leave_child(const char *dir, int is_daemon)
{
	cleanup_free char *path = xasprintf("%s/pid", dir);
	pid_t pid = fork();
	FILE *f;

	if (!pid) {
		if (is_daemon)
			setsid();
		for (;;)
			pause();
	}
	f = fopen(path, "we");
	if (f) {
		fprintf(f, "%d\n", (int)pid);
		fclose(f);
	}
}

static void flood(int fd, size_t max)
{
	static char buf[65536];
	size_t n;

	memset(buf, 'x', sizeof(buf));
	for (n = 0; !max || n < max; n += sizeof(buf)) {
		if (write(fd, buf, sizeof(buf)) < 0)
			return;
	}
}

static void misbehave(const char *mode, const char *dir)
{
	if (!strcmp(mode, "hang-group") || !strcmp(mode, "leave-child"))
		leave_child(dir, 0);
	if (!strcmp(mode, "leave-daemon"))
		leave_child(dir, 1);
	while (!strncmp(mode, "hang", 4))
		pause();
	if (!strcmp(mode, "flood"))
		flood(1, 0);
	if (!strcmp(mode, "flood-errors"))
		flood(2, 8 << 20);
	if (!strcmp(mode, "killed")) {
		printf("{\"cniVersion\":");
		fflush(stdout);
		raise(SIGKILL);
	}
}

static void print_result(const cJSON *conf)
{
	const cJSON *r = cJSON_GetObjectItemCaseSensitive(conf, "result");
	cleanup_sb struct strbuf b = STRBUF_INIT;

	if (!r)
		r = cJSON_GetObjectItemCaseSensitive(conf, "prevResult");
	if (r)
		json_print(&b, r, false);
	else
		sb_addf(&b, "{\"cniVersion\":\"%s\"}", text_of(conf, "cniVersion"));
	puts(b.buf);
}

int main(int argc, char **argv)
{
	cleanup_sb struct strbuf input = STRBUF_INIT;
	cleanup_json cJSON *conf = NULL;
	const char *command = getenv("CNI_COMMAND"), *on, *type = strrchr(argv[0], '/');
	const cJSON *status;
	char fds[512];
	struct err e;

	(void)argc;
	list_fds(fds, sizeof(fds));
	if (!command || fs_read_fd(0, "input", 4 << 20, &input, &e) < 0)
		return 99;
	conf = cJSON_ParseWithLength(input.buf, input.len);
	if (text_of(conf, "record")[0])
		record(text_of(conf, "record"), type ? type + 1 : argv[0], command, fds, &input);
	on = text_of(conf, "on");
	if (!strcmp(command, "VERSION")) {
		puts("{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.3.1\",\"0.4.0\","
		     "\"1.0.0\",\"1.1.0\"]}");
		return 0;
	}
	if (on[0] && strcmp(on, command) != 0) {
		if (!strcmp(command, "ADD"))
			print_result(conf);
		return 0;
	}
	misbehave(text_of(conf, "mode"), text_of(conf, "record"));
	status = cJSON_GetObjectItemCaseSensitive(conf, "status");
	if (cJSON_GetObjectItemCaseSensitive(conf, "text") || status)
		fputs(text_of(conf, "text"), stdout);
	else if (!strcmp(command, "ADD"))
		print_result(conf);
	fflush(stdout);
	fputs(text_of(conf, "complain"), stderr);
	return status ? status->valueint : 0;
}
