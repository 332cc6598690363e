/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subcommand is one file stage0/cmd_<name>.c with one const struct cmd, one line in cmds.c and
 * one manual page.  The run function parses, calls modules and prints; errors go up, main() prints
 * them.
 */
#ifndef VPOD_STAGE0_CMD_H
#define VPOD_STAGE0_CMD_H

#include <stdbool.h>

#include "base/err.h"
#include "base/options.h"

struct config;

struct cmd {
	const char *name;	 /* "run"; "image list" for one below a group */
	const char *args;	 /* "UUID", as the synopsis shows it */
	const char *summary;	 /* one line, lower case, no full stop */
	const struct opt *opts;	 /* for --help and the man synopsis; NULL: none of its own */
	const char *description; /* more for --help, or NULL */
	/*
	 * argv[0] is the command's name; options are still in argv.  Returns the exit status, or -1
	 * with
	 * @e set: main() prints it and exits with 125.
	 */
	int (*run)(const struct config *cfg, int argc, char **argv, struct err *e);
};

/* All commands in the order that help shows them; NULL-terminated. */
extern const struct cmd *const cmds[];

/*
 * Parses @cmd's options into @ctx and returns the index of the first operand, or -1.  Prints the
 * help and returns -2 for --help: then the run function returns 0 at once.
 */
int cmd_parse(const struct cmd *cmd, void *ctx, int argc, char **argv, struct err *e);

/* --help, for commands that parse by themselves: ctx is a bool. */
extern const struct opt cmd_help_opts[];
void cmd_print_help(const struct cmd *cmd);

/* Prints help text, with the name that we were called by. */
struct strbuf;
void cmd_print_text(const struct strbuf *text);

/* Prints the commands of a group such as "image"; returns how many there are. */
unsigned cmd_print_group(const char *group);

/* Refuses more or fewer operands than min..max (max below min: no bound), naming the synopsis. */
int cmd_operands(const struct cmd *cmd, int nr, int min, int max, struct err *e);

extern const struct cmd cmd_run, cmd_prepare, cmd_run_prepared, cmd_list, cmd_status, cmd_stop,
	cmd_rm, cmd_gc, cmd_logs, cmd_cat_manifest, cmd_doctor, cmd_version, cmd_help, cmd_vmm;
extern const struct cmd cmd_fetch, cmd_image_list, cmd_image_rm, cmd_image_cat_manifest,
	cmd_image_gc;
extern const struct cmd cmd_kernel_import, cmd_kernel_list, cmd_kernel_info, cmd_kernel_rm,
	cmd_kernel_default, cmd_kernel_check;
extern const struct cmd cmd_net_list;

/* How a command prints: --format=json|json-pretty|table (absent: table). */
enum output { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_JSON_PRETTY };
int output_parse(const char *s, enum output *out, struct err *e);

#endif
