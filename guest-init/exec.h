/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_EXEC_H
#define VPOD_GUEST_EXEC_H

#include "pod.h"
#include "user.h"

/*
 * The app's environment: what the spec says, the last of a name winning, and the defaults that it
 * lacks.  NULL-terminated, valid until the next call; NULL when there are too many.
 */
char **env_make(const struct app *app, const struct user *u);

/*
 * Runs @argv[0], looked up in PATH of @env as execvp does.  Returns only on failure, with the kind
 * ERR_NOT_FOUND (status 127), ERR_DENIED (126), or another (125).
 */
int exec_app(char **argv, char **env, struct err *e);

#endif
