/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: Helper programs
 *
 * What needs a large library or a jail of its own is a program beside vpod, so that vpod itself
 * starts in no time.  A helper says nothing on standard error; it ends with one line of JSON on
 * standard output, {"result": <any>} or {"error": {"kind", "num", "msg", "hint"}}, and its caller
 * prints the error as if it were its own.
 */
#ifndef VPOD_BASE_HELPER_H
#define VPOD_BASE_HELPER_H

#include <cjson/cJSON.h>

#include "err.h"
#include "strbuf.h"

/*
 * Where our file @name is: beside our executable or in VPOD_LIBEXECDIR.  Caller owns; NULL with @e.
 */
char *helper_path(const char *name, struct err *e);

/*
 * Runs the program @name, found beside our executable or in VPOD_LIBEXECDIR, with @args as its
 * argv[1...], our environment, our standard input and error.  It dies with us.  Returns 0 and
 * *@result (caller owns; never NULL), or -1 with the helper's own error in @e.
 */
int helper_run(const char *name, const struct strv *args, cJSON **result, struct err *e);

/*
 * The helper's side, for the end of its main(): writes the line to @fd and returns the exit status,
 * 0 for a result and 125 for an error.  @result stays the caller's; NULL is an empty object.
 */
int helper_report_result(int fd, const cJSON *result);
int helper_report_error(int fd, const struct err *e);

/* Parses a helper's answer; helper_run() without the running. @name is for messages. */
int helper_parse(const char *name, const char *text, size_t len, cJSON **result, struct err *e);

#endif
