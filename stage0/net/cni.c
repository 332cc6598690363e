/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/net/cni.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "stage0/config.h"
#include "stage0/net/execconf.h"
#include "stage0/net/plugin.h"

/* Plugins call iptables, which is not in the PATH of everybody who becomes root with su. */
#define SBIN "/usr/local/sbin:/usr/sbin:/sbin"
#define MAX_ARGS 4096

/* One command to the plugins of a list. */
struct request {
	const char *command;
	const struct cni_list *list;
	struct cni_args *args;
	bool is_attachment; /* about one: ADD, CHECK, DEL */
	const char *prev;
	const struct cni_attachment *valid;
	size_t nr_valid;
};

/* ---- where plugins are ---- */

static int add_path(struct strv *out, const char *dir, struct err *e)
{
	if (dir[0] != '/' || strchr(dir, ':'))
		return err_setk(e, ERR_USAGE, 0,
				"cannot look for plugins in %s: not an absolute path", dir);
	strv_add(out, dir);
	return 0;
}

int cni_plugin_paths(const struct config *cfg, const char *cni_path, struct strv *out,
		     struct err *e)
{
	cleanup_free char *list = xstrdup(cni_path ? cni_path : "");
	char *dir, *save = NULL;

	for (dir = strtok_r(list, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		if (add_path(out, dir, e) < 0)
			return -1;
	}
	strv_add(out, "/usr/lib/cni");
	strv_add(out, "/opt/cni/bin");
	strv_add(out, "/usr/libexec/cni");
	/* It is a path of CNI_PATH: one with a colon would be two. */
	if (cfg->system_config[0] == '/' && !strchr(cfg->system_config, ':'))
		strv_take(out, fs_join(cfg->system_config, "plugins/net"));
	return 0;
}

static void join_paths(const struct strv *paths, struct strbuf *b)
{
	size_t i;

	for (i = 0; i < paths->nr_v; i++)
		sb_addf(b, "%s%s", i ? ":" : "", paths->v[i]);
}

char *cni_plugin_find(const char *type, const struct strv *paths, struct err *e)
{
	cleanup_sb struct strbuf all = STRBUF_INIT;
	struct stat st;
	size_t i;

	for (i = 0; cni_name_is_valid(type) && i < paths->nr_v; i++) {
		cleanup_free char *path = fs_join(paths->v[i], type);

		if (!stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK))
			return take_ptr(&path);
	}
	join_paths(paths, &all);
	err_setk(e, ERR_NOT_FOUND, 0, "cannot find plugin %s in %s", type, all.buf);
	err_hint(e, "install containernetworking-plugins, or name its directory with --cni-path");
	return NULL;
}

/* ---- what they get (section 2, "Parameters") ---- */

bool cni_args_are_valid(const char *s)
{
	size_t i, n = 0;
	bool has_key = false;

	for (i = 0; s[i]; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || i == MAX_ARGS)
			return false;
		if (s[i] == '=' && !has_key)
			has_key = n > 0;
		n++;
		if (s[i] != ';')
			continue;
		if (!has_key)
			return false;
		n = 0;
		has_key = false;
	}
	return !n || has_key;
}

static bool ifname_is_valid(const char *s)
{
	size_t i;

	if (!s || !s[0] || !strcmp(s, ".") || !strcmp(s, ".."))
		return false;
	for (i = 0; s[i]; i++) {
		if (i == IFNAMSIZ - 1 || s[i] <= ' ' || s[i] == 0x7f || s[i] == '/' || s[i] == ':')
			return false;
	}
	return true;
}

static int check_args(const struct cni_args *a, struct err *e)
{
	if (!a->container_id || !cni_name_is_valid(a->container_id))
		return err_set(e, EINVAL, "container id \"%s\"",
			       a->container_id ? a->container_id : "");
	if (!ifname_is_valid(a->ifname))
		return err_set(e, EINVAL, "interface name \"%s\"", a->ifname ? a->ifname : "");
	if (a->args && !cni_args_are_valid(a->args)) {
		err_setk(e, ERR_USAGE, 0, "the plugins' arguments are \"%s\"", a->args);
		return err_hint(e, "they are NAME=VALUE, several with semicolons between");
	}
	return 0;
}

static void make_env(const struct request *q, struct strv *env)
{
	cleanup_sb struct strbuf paths = STRBUF_INIT;
	const struct cni_args *a = q->args;
	const char *path = getenv("PATH");

	join_paths(a->paths, &paths);
	strv_addf(env, "CNI_COMMAND=%s", q->command);
	if (q->is_attachment) {
		strv_addf(env, "CNI_CONTAINERID=%s", a->container_id);
		strv_addf(env, "CNI_NETNS=%s", a->netns ? a->netns : "");
		strv_addf(env, "CNI_IFNAME=%s", a->ifname);
		strv_addf(env, "CNI_ARGS=%s", a->args ? a->args : "");
	}
	strv_addf(env, "CNI_PATH=%s", paths.buf);
	strv_addf(env, "PATH=%s:" SBIN, path && path[0] ? path : "/usr/local/bin:/usr/bin:/bin");
}

/* ---- what they say ---- */

/* A plugin's words for one line: lines are joined, what is no text is escaped. */
static void add_words(struct strbuf *b, const char *p, size_t n)
{
	size_t i, line;

	while (n && (p[n - 1] == '\n' || p[n - 1] == ' '))
		n--;
	for (i = 0; i < n; i += line + 1) {
		const char *nl = memchr(p + i, '\n', n - i);

		line = nl ? (size_t)(nl - (p + i)) : n - i;
		if (i)
			sb_adds(b, "; ");
		sb_add_printable(b, p + i, line);
	}
}

/* Fills @e with what the plugin told of its failure, or with @why where it told nothing. */
static int tell_failure(const struct plugin_run *r, const struct cni_error *told, const char *why,
			int num, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	if (told->code) {
		add_words(&b, told->msg, strlen(told->msg));
		if (!told->msg[0])
			sb_addf(&b, "error %llu", (unsigned long long)told->code);
		if (told->details[0])
			sb_adds(&b, ": ");
		add_words(&b, told->details, strlen(told->details));
	} else {
		sb_adds(&b, why);
	}
	if (r->err.len) {
		sb_adds(&b, " (it wrote: ");
		add_words(&b, r->err.buf, r->err.len);
		sb_addc(&b, ')');
	}
	err_set(e, 0, "%s", b.buf);
	e->num = num;
	return -1;
}

/* Whether a run that came to its end was a success. */
static int judge_run(struct cni_args *a, const struct plugin_run *r, struct err *e)
{
	cleanup_free char *why = xasprintf("exit status %d", r->status);
	struct cni_error told;

	if (!cni_error_parse(r->out.buf, r->out.len, &told) && !r->status)
		return 0;
	a->code = told.code;
	return tell_failure(r, &told, why, 0, e);
}

/* One that did not has told nothing but, perhaps, on standard error. */
static int explain_end(const struct plugin_run *r, struct err *e)
{
	const struct cni_error nothing = { 0 };
	const struct err was = *e;

	return tell_failure(r, &nothing, was.msg, was.num, e);
}

/* ---- one plugin ---- */

static int run_plugin(const struct request *q, const char *type, const struct strbuf *input,
		      struct strbuf *out, struct err *e)
{
	cleanup_free char *path = cni_plugin_find(type, q->args->paths, e);
	cleanup_strv struct strv env = { 0 };
	struct plugin_run r = {
		.path = path,
		.env = &env,
		.input = input,
		.max_output = CNI_MAX_RESULT,
		.timeout_ns = q->args->timeout_ns ? q->args->timeout_ns : CNI_TIMEOUT_NS,
		.cancel_fd = q->args->cancel_fd,
	};
	int rc;

	q->args->code = 0;
	if (!path)
		return -1;
	make_env(q, &env);
	log_debug("net: %s %s", q->command, path);
	rc = plugin_run(&r, e);
	q->args->plugin_ns += r.ns;
	q->args->nr_runs++;
	rc = rc < 0 ? explain_end(&r, e) : judge_run(q->args, &r, e);
	if (!rc)
		sb_add(out, r.out.buf, r.out.len);
	sb_free(&r.out);
	sb_free(&r.err);
	return rc;
}

/* A plugin that speaks other versions is asked which: only then, a run costs a millisecond. */
static int explain_version(const struct request *q, const char *type, struct err *e)
{
	struct cni_args a = { .paths = q->args->paths, .timeout_ns = q->args->timeout_ns };
	cleanup_strv struct strv versions = { 0 };
	cleanup_sb struct strbuf all = STRBUF_INIT;
	struct err ignored;
	size_t i;

	if (q->args->code != CNI_E_VERSION ||
	    cni_plugin_versions(type, &a, &versions, &ignored) < 0)
		return -1;
	for (i = 0; i < versions.nr_v; i++)
		sb_addf(&all, "%s%s", i ? ", " : "", versions.v[i]);
	q->args->plugin_ns += a.plugin_ns;
	q->args->nr_runs += a.nr_runs;
	return err_hint(e, "network %s is of CNI version %s; plugin %s speaks %s", q->list->name,
			cni_version_text(q->list->version), type, all.buf);
}

/* Runs plugin @i of the list; its standard output is in @out. */
static int run_nth(const struct request *q, unsigned i, struct strbuf *out, struct err *e)
{
	const struct cni_plugin *p = &q->list->plugins[i];
	struct execconf x = {
		.list = q->list,
		.plugin = p,
		.capabilities = q->args->capabilities,
		.prev = q->prev,
		.valid = q->valid,
		.nr_valid = q->nr_valid,
	};
	cleanup_sb struct strbuf input = STRBUF_INIT;

	execconf_print(&x, &input);
	if (!run_plugin(q, p->type, &input, out, e))
		return 0;
	explain_version(q, p->type, e);
	return err_wrap(e, "plugin %s", p->type);
}

/* ---- all plugins of a list (section 3) ---- */

int cni_add(const struct cni_list *l, struct cni_args *a, struct cni_result *out, struct err *e)
{
	struct request q = { .command = "ADD", .list = l, .args = a, .is_attachment = true };
	struct cni_result latest = { 0 };
	int rc = check_args(a, e);
	unsigned i;

	*out = (struct cni_result){ 0 };
	for (i = 0; !rc && i < l->nr_plugins; i++) {
		cleanup_sb struct strbuf text = STRBUF_INIT;

		q.prev = out->json;
		rc = run_nth(&q, i, &text, e);
		if (rc < 0)
			break;
		rc = cni_result_parse(text.buf, text.len, l->version, &latest, e);
		if (rc < 0) {
			err_wrap(e, "plugin %s", l->plugins[i].type);
			break;
		}
		cni_result_free(out);
		*out = latest;
	}
	if (!rc)
		return 0;
	cni_result_free(out);
	return err_wrap(e, "cannot add network %s", l->name);
}

/* Runs them from the first or from the last on, and goes on after a failure, the first being told.
 */
static int run_all(const struct request *q, bool is_reverse, struct err *e)
{
	unsigned i, n = q->list->nr_plugins;
	uint64_t code = 0;
	struct err later;
	int rc = 0;

	for (i = 0; i < n; i++) {
		cleanup_sb struct strbuf text = STRBUF_INIT;

		if (!run_nth(q, is_reverse ? n - 1 - i : i, &text, rc ? &later : e))
			continue;
		if (rc)
			log_debug("net: %s: %s", q->command, later.msg);
		else
			code = q->args->code;
		rc = -1;
	}
	q->args->code = code;
	return rc;
}

int cni_del(const struct cni_list *l, struct cni_args *a, const char *prev, struct err *e)
{
	struct request q = { .command = "DEL", .list = l, .args = a, .is_attachment = true };

	/* DEL got prevResult in 0.4.0. */
	if (l->version >= CNI_0_4_0)
		q.prev = prev;
	if (check_args(a, e) < 0 || run_all(&q, true, e) < 0)
		return err_wrap(e, "cannot remove network %s", l->name);
	return 0;
}

/* Runs them to the first failure. */
static int run_each(const struct request *q, struct err *e)
{
	unsigned i;

	for (i = 0; i < q->list->nr_plugins; i++) {
		cleanup_sb struct strbuf text = STRBUF_INIT;

		if (run_nth(q, i, &text, e) < 0)
			return -1;
	}
	return 0;
}

int cni_check(const struct cni_list *l, struct cni_args *a, const char *prev, struct err *e)
{
	struct request q = {
		.command = "CHECK",
		.list = l,
		.args = a,
		.is_attachment = true,
		.prev = prev,
	};

	if (l->version < CNI_0_4_0 || l->disable_check || !prev)
		return 1;
	if (check_args(a, e) < 0 || run_each(&q, e) < 0)
		return err_wrap(e, "cannot use network %s any more", l->name);
	return 0;
}

int cni_status(const struct cni_list *l, struct cni_args *a, struct err *e)
{
	struct request q = { .command = "STATUS", .list = l, .args = a };

	if (l->version < CNI_1_1_0)
		return 1;
	return run_each(&q, e) < 0 ? err_wrap(e, "cannot use network %s now", l->name) : 0;
}

int cni_gc(const struct cni_list *l, struct cni_args *a, const struct cni_attachment *valid,
	   size_t nr_valid, struct err *e)
{
	static const struct cni_attachment none[1];
	struct request q = {
		.command = "GC",
		.list = l,
		.args = a,
		.valid = nr_valid ? valid : none, /* an empty list is a list */
		.nr_valid = nr_valid,
	};

	if (l->version < CNI_1_1_0 || l->disable_gc)
		return 1;
	return run_all(&q, false, e) < 0 ? err_wrap(e, "cannot clean up network %s", l->name) : 0;
}

int cni_plugin_versions(const char *type, struct cni_args *a, struct strv *out, struct err *e)
{
	struct request q = { .command = "VERSION", .args = a };
	cleanup_sb struct strbuf input = STRBUF_INIT, text = STRBUF_INIT;
	cleanup_json cJSON *j = NULL;

	sb_addf(&input, "{\"cniVersion\":\"%s\"}", cni_version_text(CNI_1_1_0));
	if (run_plugin(&q, type, &input, &text, e) < 0)
		return err_wrap(e, "cannot learn the versions of plugin %s", type);
	j = json_parse(text.buf, text.len, "its answer", e);
	if (!j || json_get_strv(j, "supportedVersions", out, e) < 0)
		return err_wrap(e, "cannot learn the versions of plugin %s", type);
	return 0;
}
