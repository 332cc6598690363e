/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a command line, as far as it can be told from the command line alone. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "guest-init/proto.h"
#include "images/image.h"
#include "images/ref.h"
#include "stage0/runopts.h"
#include "stage0/vmspec.h"

#define HOSTNAME_MAX 63
#define HOSTNAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static int check_net(const struct run_args *r, struct err *e)
{
	if (!r->net || !strcmp(r->net, "none"))
		return 0;
	err_setk(e, ERR_USAGE, 0, "cannot use --net=%s: this version has no networks yet", r->net);
	return err_hint(e, "--net=none is what pods get");
}

int run_args_check_start(const struct run_args *r, struct err *e)
{
	enum accel accel;

	if (check_net(r, e) < 0 || accel_parse(r->accel, &accel, e) < 0 ||
	    hv_check(r->hypervisor, accel, e) < 0)
		return -1;
	if (r->timing && strcmp(r->timing, "text") && strcmp(r->timing, "json"))
		return err_setk(e, ERR_USAGE, 0, "cannot use --timing=%s: it is text or json",
				r->timing);
	return 0;
}

/* RFC 1123: labels of letters, digits and hyphens inside, with dots between. */
static bool is_hostname(const char *s)
{
	size_t len = strlen(s);

	if (!len || len > HOSTNAME_MAX)
		return false;
	for (;;) {
		size_t n = strcspn(s, ".");

		if (!n || strspn(s, HOSTNAME_CHARS "-") < n || s[0] == '-' || s[n - 1] == '-')
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

/* App options before the first image are docker's way; with one image it is clear whose they are.
 */
static int adopt_early_options(struct run_args *r, struct err *e)
{
	struct app_args *to = &r->apps[0], *all = &r->all;
	size_t i;
	bool any = all->name || all->exec || all->cwd || all->user || all->group || all->readonly ||
		   all->env.nr_v || all->gids.nr_v || all->memory || all->cpu_milli;

	if (any && r->nr_apps > 1)
		return err_setk(e, ERR_USAGE, 0,
				"cannot run: with several images an app's option must follow an "
				"image");
#define ADOPT(f) to->f = to->f ? to->f : all->f
	ADOPT(name);
	ADOPT(exec);
	ADOPT(cwd);
	ADOPT(user);
	ADOPT(group);
	ADOPT(readonly);
	ADOPT(memory);
	ADOPT(cpu_milli);
#undef ADOPT
	for (i = 0; i < all->env.nr_v; i++)
		strv_add(&to->env, all->env.v[i]);
	for (i = 0; i < all->gids.nr_v; i++)
		strv_add(&to->gids, all->gids.v[i]);
	return 0;
}

/* What merging would refuse in any case, before an image is fetched for it. */
static int check_images(const struct run_args *r, struct err *e)
{
	unsigned i;

	for (i = 0; i < r->nr_apps; i++) {
		cleanup_ref struct image_ref ref = { 0 };

		if (ref_parse(r->apps[i].image, &ref, e) < 0)
			return -1;
	}
	return 0;
}

int run_args_check(struct run_args *r, struct err *e)
{
	enum image_pull pull;

	if (r->nr_apps > PROTO_MAX_APPS)
		return err_setk(e, ERR_USAGE, 0, "cannot run %u apps in one pod: at most %u",
				r->nr_apps, PROTO_MAX_APPS);
	if (adopt_early_options(r, e) < 0 || run_args_check_start(r, e) < 0 ||
	    run_args_check_merge(r, e) < 0)
		return -1;
	if (r->pull_policy && image_pull_parse(r->pull_policy, &pull, e) < 0)
		return -1;
	if ((r->interactive || r->tty) && r->nr_apps > 1)
		return err_setk(e, ERR_USAGE, 0,
				"cannot use -i or -t with several apps: whose terminal is it?");
	if (r->hostname && !is_hostname(r->hostname)) {
		err_setk(e, ERR_USAGE, 0, "cannot use --hostname=%s: it is no host name",
			 r->hostname);
		return err_hint(e, "a-z, A-Z, 0-9, dots, and hyphens inside; at most %d characters",
				HOSTNAME_MAX);
	}
	return check_images(r, e);
}
