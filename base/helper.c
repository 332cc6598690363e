/* SPDX-License-Identifier: Apache-2.0 */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "json.h"
#include "spawn.h"

extern char **environ;

/* Caller owns the path. Beside our executable first: a build tree must not run installed helpers.
 */
char *helper_path(const char *name, struct err *e)
{
	cleanup_free char *own = fs_exe_dir();
	cleanup_free char *beside = own ? fs_join(own, name) : NULL;
	cleanup_free char *installed = fs_join(VPOD_LIBEXECDIR, name);

	if (beside && !access(beside, X_OK))
		return take_ptr(&beside);
	if (!access(installed, X_OK))
		return take_ptr(&installed);
	err_setk(e, ERR_NOT_FOUND, 0, "cannot find the program %s: it is neither in %s nor in %s",
		 name, own ? own : "our own directory", VPOD_LIBEXECDIR);
	err_hint(e, "install all of vpod: 'make install'");
	return NULL;
}

static int parse_error(const cJSON *error, struct err *e)
{
	const char *msg = "", *hint = "";
	uint64_t kind = ERR_ENGINE, num = 0;
	struct err bad;

	if (json_get_str(error, "msg", &msg, &bad) < 0 ||
	    json_get_str(error, "hint", &hint, &bad) < 0 ||
	    json_get_u64(error, "kind", &kind, &bad) < 0 ||
	    json_get_u64(error, "num", &num, &bad) < 0 || kind > ERR_GUEST || num > 4095) {
		*e = bad;
		return -1;
	}
	/* The message has the errno's text already. */
	err_setk(e, (enum err_kind)kind, 0, "%s", msg);
	e->num = (int)num;
	if (*hint)
		err_hint(e, "%s", hint);
	return -1;
}

int helper_parse(const char *name, const char *text, size_t len, cJSON **result, struct err *e)
{
	cleanup_json cJSON *answer = json_parse(text, len, name, e);
	const cJSON *error;

	*result = NULL;
	if (!answer)
		return -1;
	error = cJSON_GetObjectItemCaseSensitive(answer, "error");
	if (cJSON_IsObject(error))
		return parse_error(error, e);
	*result = cJSON_DetachItemFromObjectCaseSensitive(answer, "result");
	if (!*result)
		return err_set(e, 0, "cannot use the answer of %s: no result in it", name);
	return 0;
}

static int start(const char *name, const struct strv *args, int out_fd, struct child *c,
		 struct err *e)
{
	struct spawn s = { .dies_with_parent = true };
	char *path = helper_path(name, e);
	size_t i;
	int r;

	if (!path)
		return -1;
	strv_take(&s.argv, path);
	for (i = 0; i < args->nr_v; i++)
		strv_add(&s.argv, args->v[i]);
	for (i = 0; environ[i]; i++)
		strv_add(&s.env, environ[i]);
	spawn_add_fd(&s, STDIN_FILENO, STDIN_FILENO);
	spawn_add_fd(&s, out_fd, STDOUT_FILENO);
	spawn_add_fd(&s, STDERR_FILENO, STDERR_FILENO);
	r = spawn_start(&s, c, e);
	spawn_free(&s);
	return r;
}

/* An answer counts only with an exit; without an answer the wait status is all there is to tell. */
static int finish(struct child *c, const char *name, const struct strbuf *out, cJSON **result,
		  struct err *e)
{
	int status = child_wait(c, e);

	if (status < 0)
		return -1;
	if (WIFSIGNALED(status))
		return err_set(e, 0, "cannot run %s: killed by signal %d", name, WTERMSIG(status));
	if (!out->len)
		return err_set(e, 0, "cannot run %s: exit status %d and no answer", name,
			       WEXITSTATUS(status));
	return helper_parse(name, out->buf, out->len, result, e);
}

int helper_run(const char *name, const struct strv *args, cJSON **result, struct err *e)
{
	cleanup_close int rd = -1, wr = -1;
	cleanup_sb struct strbuf out = STRBUF_INIT;
	struct child c;
	int p[2];

	*result = NULL;
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot make a pipe");
	rd = p[0];
	wr = p[1];
	if (start(name, args, wr, &c, e) < 0)
		return -1;
	close_p(&wr);
	if (fs_read_fd(rd, name, JSON_MAX_SIZE, &out, e) < 0) {
		child_kill(&c);
		return -1;
	}
	return finish(&c, name, &out, result, e);
}

static int report(int fd, struct strbuf *line, int status)
{
	sb_addc(line, '\n');
	/* Nobody is left to tell when the pipe is closed; the status still says it. */
	if (fs_write_all(fd, line->buf, line->len) < 0)
		status = 125;
	sb_free(line);
	return status;
}

int helper_report_result(int fd, const cJSON *result)
{
	struct strbuf b = STRBUF_INIT;

	sb_adds(&b, "{\"result\":");
	if (result)
		json_print(&b, result, false);
	else
		sb_adds(&b, "{}");
	sb_addc(&b, '}');
	return report(fd, &b, 0);
}

int helper_report_error(int fd, const struct err *e)
{
	struct strbuf b = STRBUF_INIT;

	sb_addf(&b, "{\"error\":{\"kind\":%d,\"num\":%d,\"msg\":", (int)e->kind, e->num);
	sb_add_json(&b, e->msg);
	sb_adds(&b, ",\"hint\":");
	sb_add_json(&b, e->hint);
	sb_adds(&b, "}}");
	return report(fd, &b, 125);
}
