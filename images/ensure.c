/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides whether there is work to do, and has it done by vpod-image: a program of its own, so that
 * vpod is free of libcurl, libcrypto and libarchive and of their start-up time.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/helper.h"
#include "base/json.h"
#include "base/log.h"
#include "images/find.h"
#include "images/image.h"
#include "images/stamp.h"

static void add_args(struct strv *args, const char *dir, const char *name,
		     const struct image_insecure *insecure)
{
	strv_addf(args, "--dir=%s", dir);
	if (log_enabled(LOG_DEBUG))
		strv_add(args, "--log=debug");
	else if (log_enabled(LOG_INFO))
		strv_add(args, "--log=info");
	if (insecure && insecure->http)
		strv_add(args, "--insecure-http");
	if (insecure && insecure->tls)
		strv_add(args, "--insecure-tls");
	strv_add(args, "--");
	strv_add(args, name);
}

static int run_helper(const char *dir, const char *name, const struct image_insecure *insecure,
		      struct digest *id, struct err *e)
{
	cleanup_strv struct strv args = { 0 };
	cleanup_json cJSON *result = NULL;
	const char *text = "";

	add_args(&args, dir, name, insecure);
	if (helper_run("vpod-image", &args, &result, e) < 0 ||
	    json_get_str(result, "id", &text, e) < 0)
		return -1;
	return digest_parse(text, id, e);
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
