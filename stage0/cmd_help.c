/* SPDX-License-Identifier: Apache-2.0 */
/* vpod version and vpod help. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "stage0/cmd.h"
#include "stage0/config.h"

static int version(const struct config *cfg, int argc, char **argv, struct err *e)
{
	int i = cmd_parse(&cmd_version, NULL, argc, argv, e);

	(void)cfg;
	if (i < 0)
		return i == -2 ? 0 : -1;
	if (cmd_operands(&cmd_version, argc - i, 0, 0, e) < 0)
		return -1;
	printf("%s Version: %s\nappc Version: 0.8.11\nHypervisors: qemu\n", log_name(),
	       VPOD_VERSION);
	return 0;
}

const struct cmd cmd_version = {
	.name = "version",
	.args = "",
	.summary = "print the version of vpod and of what it implements",
	.run = version,
};

static int help(const struct config *cfg, int argc, char **argv, struct err *e)
{
	char name[64] = "";
	size_t i;
	int n = cmd_parse(&cmd_help, NULL, argc, argv, e);

	(void)cfg;
	if (n < 0)
		return n == -2 ? 0 : -1;
	if (n == argc) {
		config_print_help();
		return 0;
	}
	for (; n < argc; n++)
		snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s%s",
			 name[0] ? " " : "", argv[n]);
	for (i = 0; cmds[i]; i++) {
		if (!strcmp(cmds[i]->name, name)) {
			cmd_print_help(cmds[i]);
			return 0;
		}
	}
	if (cmd_print_group(name))
		return 0;
	err_setk(e, ERR_USAGE, 0, "cannot help with '%s': no such command", name);
	return err_hint(e, "'vpod help' lists the commands");
}

const struct cmd cmd_help = {
	.name = "help",
	.args = "[COMMAND]",
	.summary = "tell how a command is used",
	.run = help,
};
