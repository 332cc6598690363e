/* SPDX-License-Identifier: Apache-2.0 */
/* vpod: global options, the configuration, then one command of the table. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "stage0/cmd.h"
#include "stage0/config.h"
#include "stage0/exit.h"

/* The longest match of argv against "kernel import", "kernel" and so on. */
static const struct cmd *find_cmd(int argc, char **argv, int *used)
{
	char two[64];
	size_t i;

	if (argc > 1) {
		snprintf(two, sizeof(two), "%s %s", argv[0], argv[1]);
		for (i = 0; cmds[i]; i++) {
			if (!strcmp(cmds[i]->name, two)) {
				*used = 2;
				return cmds[i];
			}
		}
	}
	for (i = 0; cmds[i]; i++) {
		if (!strcmp(cmds[i]->name, argv[0])) {
			*used = 1;
			return cmds[i];
		}
	}
	return NULL;
}

/* The nearest command, or for a group ("image") the nearest one below it. */
static int unknown_cmd(int argc, char **argv, struct err *e)
{
	const char *names[128], *near;
	size_t i, n = 0, len = strlen(argv[0]);
	char shown[128];
	bool group = false;

	snprintf(shown, sizeof(shown), "%s", argv[0]);
	for (i = 0; cmds[i] && n + 1 < nitems(names); i++) {
		names[n++] = cmds[i]->name;
		if (!strncmp(cmds[i]->name, argv[0], len) && cmds[i]->name[len] == ' ')
			group = true;
	}
	names[n] = NULL;
	if (group && argc < 2)
		return err_setk(e, ERR_USAGE, 0, "cannot run '%s': it needs a subcommand", shown),
		       err_hint(e, "'vpod help %s' lists them", shown);
	if (group)
		snprintf(shown, sizeof(shown), "%s %s", argv[0], argv[1]);
	err_setk(e, ERR_USAGE, 0, "cannot run '%s': no such command", shown);
	near = nearest_word(shown, names);
	return near ? err_hint(e, "did you mean '%s'?", near)
		    : err_hint(e, "'vpod help' lists the commands");
}

/* "image --help": of a group, which is no command. */
static bool wants_help(int argc, char **argv)
{
	return argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
}

static int dispatch(int argc, char **argv, struct config *cfg, struct err *e)
{
	const struct cmd *cmd;
	int i = 1, used = 0, r;

	r = config_parse(cfg, argc, argv, &i, e);
	if (r)
		return r < 0 ? -1 : 0;
	if (i >= argc) {
		err_setk(e, ERR_USAGE, 0, "cannot run: no command given");
		return err_hint(e, "'vpod help' lists the commands");
	}
	cmd = find_cmd(argc - i, argv + i, &used);
	if (!cmd && wants_help(argc - i, argv + i) && cmd_print_group(argv[i]))
		return 0;
	if (!cmd)
		return unknown_cmd(argc - i, argv + i, e);
	return cmd->run(cfg, argc - i - used + 1, argv + i + used - 1, e);
}

int main(int argc, char **argv)
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	struct config cfg = { 0 };
	struct err e = { 0 };
	int r;

	cfg.as_rkt = argc && !strcmp(slash ? slash + 1 : argv[0], "rkt");
	log_set(cfg.as_rkt ? "rkt" : "vpod", LOG_WARN);
	signal(SIGPIPE, SIG_IGN); /* EPIPE tells where */
	r = dispatch(argc, argv, &cfg, &e);
	if (r < 0)
		err_print(&e, log_name());
	if (r >= 0 && (fflush(stdout) || ferror(stdout))) {
		err_set(&e, errno, "cannot write to standard output");
		err_print(&e, log_name());
		r = -1;
	}
	r = r < 0 ? (cfg.as_rkt ? EXIT_RKT_ENGINE : EXIT_ENGINE) : r;
	config_free(&cfg);
	return r;
}
