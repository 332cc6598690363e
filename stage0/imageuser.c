/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/imageuser.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "stage0/config.h"
#include "stage0/podinfo.h"

struct search {
	const struct digest *id;
	char *user; /* IMAGE_USER_MAX */
	bool is_found;
};

static bool has_image(const struct manifest *m, const struct digest *id)
{
	unsigned i;

	for (i = 0; i < m->nr_apps; i++) {
		if (digest_equal(&m->apps[i].image_id, id))
			return true;
	}
	return false;
}

/*
 * A manifest that cannot be read may name any image: nothing is removed then.  One that is not
 * there is that of a pod which is just being made or removed.
 */
static int look(struct pod *p, void *ctx, struct err *e)
{
	cleanup_manifest struct manifest m = { 0 };
	struct search *s = ctx;

	if (s->is_found || (p->phase != POD_PREPARED && !p->is_locked))
		return 0;
	if (pod_manifest(p, &m, e) < 0) {
		if (e->num == ENOENT)
			return 0;
		err_wrap(e, "cannot tell which images are needed");
		return err_hint(e, "remove the pod with 'vpod rm %.8s'", p->uuid);
	}
	s->is_found = has_image(&m, s->id);
	if (s->is_found)
		snprintf(s->user, IMAGE_USER_MAX, "%s pod %s", pod_state(p), p->uuid);
	return 0;
}

static int find(void *ctx, const struct digest *id, char user[static IMAGE_USER_MAX], struct err *e)
{
	/* In the order of a pod's life: one that moves on meanwhile is not missed. */
	static const enum pod_phase phases[] = { POD_PREPARE, POD_PREPARED, POD_RUN };
	struct search s = { .id = id, .user = user };
	size_t i;

	for (i = 0; i < nitems(phases); i++) {
		if (pod_each(ctx, phases[i], look, &s, e) < 0)
			return -1;
	}
	return s.is_found;
}

struct image_users pod_image_users(const struct config *cfg)
{
	return (struct image_users){ find, (void *)(uintptr_t)cfg };
}
