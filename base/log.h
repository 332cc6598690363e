/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages about what happens later or without a caller, on standard error as "vpod: warning: ...".
 * error: the pod or command is lost; warn: we go on but someone should look; info: state changes an
 * operator counts; debug: anything.  Guests must not be able to fill the log: callers log once per
 * cause.
 */
#ifndef VPOD_BASE_LOG_H
#define VPOD_BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set(const char *prog, enum log_level most);

/* The name we were called by: of messages, usages and hints. */
const char *log_name(void);
int log_enabled(enum log_level level);
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif
