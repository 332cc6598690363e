/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "images/find.h"
#include "images/image.h"

void image_list_free(struct image_list *l)
{
	unsigned i;

	for (i = 0; i < l->nr; i++)
		free(l->v[i].name);
	free(l->v);
	*l = (struct image_list){ 0 };
}

struct listing {
	const struct store *s;
	struct store_refs refs;
	struct image_list *out;
};

static struct image_entry *add(struct image_list *l, const char *name, const struct digest *id)
{
	l->v = xrealloc(l->v, (l->nr + 1) * sizeof(*l->v));
	l->v[l->nr] = (struct image_entry){ .id = *id, .name = xstrdup(name) };
	return &l->v[l->nr++];
}

static void fill(const struct store *s, struct image_entry *en)
{
	cleanup_info struct store_info info = { 0 };
	struct stat st;
	struct err ignored;
	/* One that cannot be read is listed with what is known, so that it can be removed. */
	cleanup_close int fd = store_open_rootfs(s, &en->id, &info, &ignored);

	if (fd < 0)
		return;
	en->size = info.size;
	if (!en->import_time)
		en->import_time = info.time;
	if (!fstat(fd, &st))
		en->last_used = (uint64_t)st.st_mtime;
}

static int add_unnamed(void *ctx, const char *name, const struct digest *id, struct err *e)
{
	struct listing *l = ctx;
	unsigned i;

	(void)name;
	(void)e;
	for (i = 0; i < l->out->nr; i++) {
		if (digest_equal(&l->out->v[i].id, id))
			return 0;
	}
	fill(l->s, add(l->out, "", id));
	return 0;
}

static int list(struct listing *l, struct err *e)
{
	unsigned i;

	if (store_refs_list(l->s, &l->refs, e) < 0)
		return -1;
	for (i = 0; i < l->refs.nr; i++) {
		struct image_entry *en = add(l->out, l->refs.v[i].name, &l->refs.v[i].id);

		en->import_time = l->refs.v[i].time;
		fill(l->s, en);
	}
	store_refs_free(&l->refs);
	return find_each_rootfs(l->s, add_unnamed, l, e);
}

int image_list(const char *dir, struct image_list *out, struct err *e)
{
	struct listing l = { .out = out };
	struct store s;
	int r;

	*out = (struct image_list){ 0 };
	if (store_open(dir, false, &s, e) < 0)
		return e->kind == ERR_NOT_FOUND ? 0 : -1;
	l.s = &s;
	r = list(&l, e);
	store_close(&s);
	if (r < 0)
		image_list_free(out);
	return r;
}
