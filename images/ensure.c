/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides whether there is work to do, and has it done by vpod-image: a program of its own, so that
 * vpod is free of libcurl, libcrypto and libarchive and of their start-up time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/spawn.h"
#include "images/find.h"
#include "images/image.h"
#include "images/stamp.h"

#define HELPER "vpod-image"
#define MAX_REPORT 65536

static char *helper_path(void)
{
	cleanup_free char *dir = fs_exe_dir();
	cleanup_free char *beside = dir ? fs_join(dir, HELPER) : NULL;

	if (beside && !access(beside, X_OK))
		return take_ptr(&beside);
	return xstrdup(VPOD_LIBEXECDIR "/" HELPER);
}

/* Of our environment the helper gets the proxies, and what the sanitizers read. */
static void add_env(struct strv *env)
{
	static const char *const names[] = { "http_proxy", "https_proxy",   "HTTPS_PROXY",
					     "all_proxy",  "ALL_PROXY",	    "no_proxy",
					     "NO_PROXY",   "UBSAN_OPTIONS", "ASAN_OPTIONS" };
	size_t i;

	for (i = 0; i < nitems(names); i++) {
		const char *v = getenv(names[i]);

		if (v)
			strv_addf(env, "%s=%s", names[i], v);
	}
	strv_add(env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
}

static void add_args(struct strv *argv, const char *dir, const char *name,
		     const struct image_insecure *insecure)
{
	strv_take(argv, helper_path());
	strv_addf(argv, "--dir=%s", dir);
	if (log_enabled(LOG_DEBUG))
		strv_add(argv, "--log=debug");
	else if (log_enabled(LOG_INFO))
		strv_add(argv, "--log=info");
	if (insecure && insecure->http)
		strv_add(argv, "--insecure-http");
	if (insecure && insecure->tls)
		strv_add(argv, "--insecure-tls");
	strv_add(argv, "--report");
	strv_add(argv, "fetch");
	strv_add(argv, name);
}

/* {"error":{"kind","errno","msg","hint"}} becomes our own error. */
static int report_error(const cJSON *j, struct err *e)
{
	const char *msg = NULL, *hint = NULL;
	uint64_t kind = ERR_ENGINE, num = 0;

	if (json_get_str(j, "msg", &msg, e) < 0 || json_get_str(j, "hint", &hint, e) < 0 ||
	    json_get_u64(j, "kind", &kind, e) < 0 || json_get_u64(j, "errno", &num, e) < 0)
		return -1;
	if (!msg)
		return err_set(e, 0, "cannot fetch image: " HELPER " gave no reason");
	err_setk(e, kind <= ERR_GUEST ? (enum err_kind)kind : ERR_ENGINE, 0, "%s", msg);
	e->num = (int)num;
	return hint && *hint ? err_hint(e, "%s", hint) : -1;
}

static int report_parse(const struct strbuf *b, struct digest *id, struct err *e)
{
	cleanup_json cJSON *j = json_parse(b->buf, b->len, "the report of " HELPER, e);
	const cJSON *error = NULL;
	const char *text = NULL;

	if (!j || json_get_obj(j, "error", &error, e) < 0 || json_get_str(j, "id", &text, e) < 0)
		return -1;
	if (error)
		return report_error(error, e);
	return digest_parse(text ? text : "", id, e);
}

static int run_helper(const char *dir, const char *name, const struct image_insecure *insecure,
		      struct digest *id, struct err *e)
{
	cleanup_sb struct strbuf report = STRBUF_INIT;
	struct spawn s = { .dies_with_parent = true };
	int r;

	add_args(&s.argv, dir, name, insecure);
	add_env(&s.env);
	spawn_add_fd(&s, STDERR_FILENO, STDERR_FILENO);
	r = spawn_capture(&s, MAX_REPORT, 0, &report, e);
	spawn_free(&s);
	if (r < 0)
		return err_wrap(e, "cannot fetch image %.300s", name);
	return report_parse(&report, id, e);
}

static bool is_rendered(const struct store *s, const struct digest *id)
{
	cleanup_info struct store_info info = { 0 };
	struct err ignored;
	cleanup_close int fd = store_open_rootfs(s, id, &info, &ignored);

	return fd >= 0;
}

/* Whether the local files are as they were when the image was made from them. */
static bool is_current(const struct found *f)
{
	cleanup_free char *stamp = NULL;
	struct err e;

	if (!ref_is_local(&f->ref))
		return true;
	if (stamp_make(&f->ref, &stamp, &e) < 0)
		return e.num == ENOENT;
	return *stamp && !strcmp(stamp, f->in.stamp);
}

/* What has to be fetched: "" nothing, else a reference. -1: not there and not allowed. */
static int what_to_do(const struct store *s, const struct found *f, bool is_there,
		      enum image_pull pull, char **todo, const char *text, struct err *e)
{
	bool by_id = is_there && f->by_id;

	if (!is_there && (pull == PULL_NEVER || f->ref.kind == REF_ID))
		return find_none(text, e);
	if (!is_there || (!by_id && pull == PULL_UPDATE) ||
	    (!by_id && pull == PULL_NEW && !is_current(f)))
		*todo = xstrdup(f->name);
	else if (!is_rendered(s, &f->id))
		/* Its blobs are here: rendering again needs no source. */
		*todo = xasprintf("sha256:%s", f->id.hex);
	return 0;
}

static int plan(const char *dir, const char *ref, enum image_pull pull, struct digest *id,
		char **todo, struct err *e)
{
	cleanup_found struct found f = { 0 };
	struct store s;
	int r;

	if (store_open(dir, false, &s, e) < 0) {
		if (e->kind != ERR_NOT_FOUND || find_parse(ref, &f, e) < 0)
			return -1;
		return what_to_do(NULL, &f, false, pull, todo, ref, e);
	}
	r = find_image(&s, ref, &f, e);
	if (r >= 0) {
		*id = f.id;
		r = what_to_do(&s, &f, r, pull, todo, ref, e);
	}
	store_close(&s);
	return r;
}

int image_ensure(const char *dir, const char *ref, enum image_pull pull,
		 const struct image_insecure *insecure, struct digest *id, struct err *e)
{
	cleanup_free char *todo = NULL;

	if (plan(dir, ref, pull, id, &todo, e) < 0)
		return -1;
	return todo ? run_helper(dir, todo, insecure, id, e) : 0;
}
