/* SPDX-License-Identifier: Apache-2.0 */
#include "exec.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define ENV_MAX 4096
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static size_t name_len(const char *var)
{
	return (size_t)(strchr(var, '=') - var) + 1; /* podspec.c lets none pass without '=' */
}

/* Puts @var in place of one of the same name, or behind all. -1 when it is full. */
static int env_put(char **env, size_t *nr, char *var)
{
	size_t len = name_len(var);

	for (size_t i = 0; i < *nr; i++) {
		if (!strncmp(env[i], var, len)) {
			env[i] = var;
			return 0;
		}
	}
	if (*nr == ENV_MAX)
		return -1;
	env[(*nr)++] = var;
	return 0;
}

static bool env_has(char *const *env, size_t nr, const char *var)
{
	size_t len = name_len(var);

	for (size_t i = 0; i < nr; i++) {
		if (!strncmp(env[i], var, len))
			return true;
	}
	return false;
}

char **env_make(const struct app *app, const struct user *u)
{
	static char *env[ENV_MAX + 1];
	static char path[] = "PATH=" DEFAULT_PATH, term[] = "TERM=xterm";
	static char home[300], user[100], logname[100], shell[300];
	char *defaults[] = { path, home, user, logname, shell, term };
	size_t nr = 0, n = nitems(defaults) - !app->has_tty;

	snprintf(home, sizeof(home), "HOME=%s", u->home[0] ? u->home : "/");
	snprintf(user, sizeof(user), "USER=%s", u->name);
	snprintf(logname, sizeof(logname), "LOGNAME=%s", u->name);
	snprintf(shell, sizeof(shell), "SHELL=%s", u->shell[0] ? u->shell : "/bin/sh");
	for (char **v = app->env; *v; v++) {
		if (env_put(env, &nr, *v) < 0)
			return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		if (!env_has(env, nr, defaults[i]) && env_put(env, &nr, defaults[i]) < 0)
			return NULL;
	}
	env[nr] = NULL;
	return env;
}

static const char *path_of(char *const *env)
{
	for (; *env; env++) {
		if (!strncmp(*env, "PATH=", 5))
			return *env + 5;
	}
	return DEFAULT_PATH;
}

/* What execve(2) said of a file, in the words and with the status of a shell. */
static int refused(const char *path, int num, struct err *e)
{
	switch (num) {
	case ENOENT:
		if (!access(path, F_OK))
			return err_setk(e, ERR_NOT_FOUND, 0,
					"cannot execute %s: the interpreter that "
					"it names, or its dynamic loader, is not in the image",
					path);
		return err_setk(e, ERR_NOT_FOUND, num, "cannot execute %s", path);
	case ENOTDIR:
		return err_setk(e, ERR_NOT_FOUND, num, "cannot execute %s", path);
	case ENOEXEC:
		return err_setk(e, ERR_DENIED, 0,
				"cannot execute %s: neither a program for this "
				"machine nor a script that names its interpreter",
				path);
	case EACCES:
	case EISDIR:
	case EPERM:
	case ELOOP:
	case ETXTBSY:
	case ELIBBAD:
	case EINVAL:
		return err_setk(e, ERR_DENIED, num, "cannot execute %s", path);
	default:
		return err_set(e, num, "cannot execute %s", path);
	}
}

/* Goes on after these, as execvp does. */
static bool is_elsewhere_maybe(int num)
{
	return num == ENOENT || num == ENOTDIR || num == EACCES || num == ENAMETOOLONG ||
	       num == ELOOP;
}

int exec_app(char **argv, char **env, struct err *e)
{
	const char *name = argv[0], *dir = path_of(env);
	char path[PATH_MAX], denied[PATH_MAX] = "";

	if (strchr(name, '/')) {
		execve(name, argv, env);
		return refused(name, errno, e);
	}
	for (;; dir++) {
		size_t len = strcspn(dir, ":");

		/* an empty one means the current directory */
		if (snprintf(path, sizeof(path), "%.*s%s%s", (int)len, dir, len ? "/" : "", name) <
		    (int)sizeof(path)) {
			execve(path, argv, env);
			if (!is_elsewhere_maybe(errno))
				return refused(path, errno, e);
			if (errno == EACCES || (errno == ENOENT && !access(path, F_OK)))
				memcpy(denied, path, sizeof(denied));
		}
		dir += len;
		if (!*dir)
			break;
	}
	if (!denied[0])
		return err_setk(e, ERR_NOT_FOUND, 0, "cannot execute %s: not found in PATH %s",
				name, path_of(env));
	return refused(denied, access(denied, X_OK) < 0 ? EACCES : ENOENT, e);
}
