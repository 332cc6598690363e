/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "strbuf.h"

static const char *log_prog = "vpod";
static enum log_level log_most = LOG_WARN;

void log_set(const char *prog, enum log_level most)
{
	log_prog = prog;
	log_most = most;
}

const char *log_name(void)
{
	return log_prog;
}

int log_enabled(enum log_level level)
{
	return level <= log_most;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	struct strbuf line = STRBUF_INIT, named = STRBUF_INIT;
	char text[1024];
	va_list ap;

	if (level > log_most)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sb_addf(&line, "%s: %s: ", log_prog, names[level]);
	err_add_named(&named, text, log_prog);
	sb_add_printable(&line, named.buf, named.len);
	sb_addc(&line, '\n');
	/* One write per line, so that lines of several processes do not mix. */
	if (write(STDERR_FILENO, line.buf, line.len) < 0)
		line.len = 0; /* standard error is gone: nobody is left to tell */
	sb_free(&named);
	sb_free(&line);
}
