/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "stage0/config.h"

void cmd_print_help(const struct cmd *cmd)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	bool has = cmd->opts && cmd->opts->name;

	sb_addf(&b, "Usage: vpod %s%s%s%s\n\n", cmd->name, has ? " [OPTIONS]" : "",
		cmd->args[0] ? " " : "", cmd->args);
	sb_addf(&b, "%s.\n", cmd->summary);
	if (cmd->description)
		sb_addf(&b, "\n%s\n", cmd->description);
	if (has) {
		sb_adds(&b, "\nOptions:\n");
		opts_help(&b, cmd->opts);
	}
	cmd_print_text(&b);
}

void cmd_print_text(const struct strbuf *text)
{
	cleanup_sb struct strbuf named = STRBUF_INIT;

	err_add_named(&named, text->buf, log_name());
	fputs(named.buf, stdout);
}

unsigned cmd_print_group(const char *group)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	size_t len = strlen(group), i;
	unsigned n = 0;

	sb_addf(&b, "Usage: vpod %s COMMAND …\n\nCommands:\n", group);
	for (i = 0; cmds[i]; i++) {
		if (strncmp(cmds[i]->name, group, len) || cmds[i]->name[len] != ' ')
			continue;
		sb_addf(&b, "  %-22s %s\n", cmds[i]->name, cmds[i]->summary);
		n++;
	}
	sb_addf(&b, "\n'vpod %s COMMAND --help' tells more.\n", group);
	if (n)
		cmd_print_text(&b);
	return n;
}

static int ask_help(void *ctx, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	*(bool *)ctx = true;
	return 0;
}

const struct opt cmd_help_opts[] = {
	{ .name = "help", .letter = 'h', .type = OPT_CALL, .call = ask_help },
	OPT_END,
};

/*
 * Parses all of argv, operands in between, and moves the operands to the end in their order.
 * Returns the index of the first one.
 */
static int parse_permuted(const struct opt_set *sets, int argc, char **argv, struct err *e)
{
	cleanup_free char **operands = xcalloc((size_t)argc, sizeof(*operands));
	int i = 1, n = 0, j;
	bool ended = false;

	while (i < argc) {
		if (!ended && opts_parse(sets, argc, argv, &i, &ended, e) < 0)
			return -1;
		if (i < argc)
			operands[n++] = argv[i++];
	}
	for (j = 0; j < n; j++)
		argv[argc - n + j] = operands[j];
	return argc - n;
}

int cmd_parse(const struct cmd *cmd, void *ctx, int argc, char **argv, struct err *e)
{
	static const struct opt none[] = { OPT_END };
	bool help = false;
	struct opt_set sets[] = { { cmd->opts ? cmd->opts : none, ctx },
				  { cmd_help_opts, &help },
				  config_opt_set(),
				  { NULL, NULL } };
	int first = parse_permuted(sets, argc, argv, e);

	if (help) {
		cmd_print_help(cmd);
		return -2;
	}
	if (first >= 0 && config_print_version())
		return -2;
	return first < 0 || config_settle(e) < 0 ? -1 : first;
}

int cmd_operands(const struct cmd *cmd, int nr, int min, int max, struct err *e)
{
	if (nr >= min && (max < min || nr <= max))
		return 0;
	if (!max && !min)
		err_setk(e, ERR_USAGE, 0, "cannot run '%s': it takes no arguments", cmd->name);
	else
		err_setk(e, ERR_USAGE, 0, "cannot run '%s': it takes %s%d argument%s, not %d",
			 cmd->name,
			 min == max ? ""
			 : nr < min ? "at least "
				    : "at most ",
			 nr < min ? min : max, (nr < min ? min : max) == 1 ? "" : "s", nr);
	return err_hint(e, "usage: vpod %s%s%s", cmd->name, cmd->args[0] ? " " : "", cmd->args);
}

int output_parse(const char *s, enum output *out, struct err *e)
{
	if (!s || !strcmp(s, "table"))
		*out = OUTPUT_TABLE;
	else if (!strcmp(s, "json"))
		*out = OUTPUT_JSON;
	else if (!strcmp(s, "json-pretty"))
		*out = OUTPUT_JSON_PRETTY;
	else
		return err_setk(e, ERR_USAGE, 0,
				"cannot use --format=%s: it is table, json or json-pretty", s);
	return 0;
}
