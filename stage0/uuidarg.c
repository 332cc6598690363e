/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/uuidarg.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "stage0/cmd.h"

static int read_file(const char *file, char out[static UUID_LEN + 1], struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	if (fs_read(AT_FDCWD, file, 4096, &b, e) < 0)
		return -1;
	b.buf[strcspn(b.buf, " \t\r\n")] = '\0';
	if (!uuid_is_valid(b.buf))
		return err_setk(e, ERR_USAGE, 0, "cannot use %s: it does not begin with a UUID",
				file);
	snprintf(out, UUID_LEN + 1, "%s", b.buf);
	return 0;
}

int uuid_argument(const struct cmd *cmd, int argc, char **argv, const char *file,
		  char out[static UUID_LEN + 1], struct err *e)
{
	if (cmd_operands(cmd, argc, file ? 0 : 1, file ? 0 : 1, e) < 0)
		return -1;
	if (file)
		return read_file(file, out, e);
	if (!uuid_is_prefix(argv[0]))
		return err_setk(e, ERR_USAGE, 0, "cannot find pod '%s': not (the start of) a UUID",
				argv[0]);
	snprintf(out, UUID_LEN + 1, "%s", argv[0]);
	return 0;
}

int each_uuid(const struct config *cfg, int argc, char **argv,
	      int (*fn)(const struct config *cfg, const char *uuid, void *ctx, struct err *e),
	      void *ctx, struct err *e)
{
	struct err last = { 0 };
	bool failed = false;
	int i;

	for (i = 0; i < argc; i++) {
		if (fn(cfg, argv[i], ctx, e) == 0)
			continue;
		if (failed)
			log_error("%s", last.msg);
		last = *e;
		failed = true;
	}
	*e = last;
	return failed ? -1 : 0;
}
