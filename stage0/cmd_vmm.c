/* SPDX-License-Identifier: Apache-2.0 */
/* vpod vmm: one machine of a configuration file, without a pod. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/helper.h"
#include "stage0/cmd.h"
#include "stage0/vmm_config.h"

extern char **environ;

#define MAX_CONFIG (1u << 20)

struct vmm_args {
	const char *config;
	bool print;
};

static const struct opt vmm_opts[] = {
	{ "config", 0, OPT_STR, offsetof(struct vmm_args, config), "FILE", NULL,
	  "the machine, in JSON; - is standard input", NULL },
	{ "print", 0, OPT_BOOL, offsetof(struct vmm_args, print), NULL, NULL,
	  "print the description that vpod-vmm would get, and do not run it", NULL },
	OPT_END,
};

static int convert_file(const char *path, struct strbuf *out, struct err *e)
{
	cleanup_sb struct strbuf text = STRBUF_INIT;
	bool is_stdin = !strcmp(path, "-");
	int r = is_stdin ? fs_read_fd(STDIN_FILENO, "standard input", MAX_CONFIG, &text, e)
			 : fs_read(AT_FDCWD, path, MAX_CONFIG, &text, e);

	return r < 0 ? -1 : vmm_config_convert(text.buf, text.len, out, e);
}

/* vpod-vmm takes our place, with what is behind "--" as its options. */
static int execute(const struct strbuf *spec, int argc, char **argv, struct err *e)
{
	cleanup_free char *path = helper_path("vpod-vmm", e);
	cleanup_close int fd = memfd_create("vpod-vmm", 0);
	cleanup_strv struct strv args = { 0 };
	int i;

	if (!path)
		return -1;
	if (fd < 0 || fs_write_all(fd, spec->buf, spec->len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_set(e, errno, "cannot hand the machine's description over");
	strv_add(&args, "vpod-vmm");
	strv_addf(&args, "--spec=fd:%d", fd);
	for (i = 0; i < argc; i++)
		strv_add(&args, argv[i]);
	execve(path, args.v, environ);
	return err_set(e, errno, "cannot execute %s", path);
}

static int run(const struct config *cfg, int argc, char **argv, struct err *e)
{
	cleanup_sb struct strbuf spec = STRBUF_INIT;
	struct vmm_args a = { 0 };
	int i = cmd_parse(&cmd_vmm, &a, argc, argv, e);

	(void)cfg;
	if (i < 0)
		return i == -2 ? 0 : -1;
	if (!a.config)
		return err_setk(e, ERR_USAGE, 0, "cannot run a machine: no --config=FILE");
	if (convert_file(a.config, &spec, e) < 0)
		return -1;
	if (!a.print)
		return execute(&spec, argc - i, argv + i, e);
	fputs(spec.buf, stdout);
	return 0;
}

const struct cmd cmd_vmm = {
	.name = "vmm",
	.args = "--config=FILE [-- VPOD-VMM-OPTION...]",
	.summary = "run one machine of a configuration file, without a pod",
	.opts = vmm_opts,
	.run = run,
};
