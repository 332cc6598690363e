/* SPDX-License-Identifier: Apache-2.0 */
#include "find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

void found_free(struct found *f)
{
	ref_free(&f->ref);
	free(f->name);
	store_ref_free(&f->in);
}

int find_none(const char *text, struct err *e)
{
	err_setk(e, ERR_NOT_FOUND, 0, "cannot find image '%.300s': it is not in the store", text);
	return err_hint(e, "'vpod image list' shows what there is, 'vpod fetch' gets it");
}

/* "<64 hex>-v<N>" */
static bool rootfs_id(const char *name, struct digest *id)
{
	if (strlen(name) < DIGEST_HEX_LEN + 3 || !digest_hex_ok(name, DIGEST_HEX_LEN) ||
	    strncmp(name + DIGEST_HEX_LEN, "-v", 2) != 0)
		return false;
	memcpy(id->hex, name, DIGEST_HEX_LEN);
	id->hex[DIGEST_HEX_LEN] = '\0';
	return true;
}

int find_each_rootfs(const struct store *s,
		     int (*each)(void *ctx, const char *name, const struct digest *id,
				 struct err *e),
		     void *ctx, struct err *e)
{
	int fd = openat(s->dirfd, "rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	cleanup_closedir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	struct digest id;

	if (!d)
		return errno == ENOENT ? 0 : err_set(e, errno, "cannot open %s/rootfs", s->path);
	while (!r && (de = readdir(d))) {
		if (rootfs_id(de->d_name, &id))
			r = each(ctx, de->d_name, &id, e);
	}
	return r;
}

struct prefix_search {
	const char *prefix;
	const char *text;
	struct digest id; /* "" until one is found */
};

static int match_prefix(void *ctx, const char *name, const struct digest *id, struct err *e)
{
	struct prefix_search *p = ctx;

	(void)name;
	if (strncmp(id->hex, p->prefix, strlen(p->prefix)) != 0)
		return 0;
	if (p->id.hex[0] && !digest_equal(&p->id, id)) {
		err_setk(e, ERR_USAGE, 0, "cannot find image '%.100s': several ids begin so",
			 p->text);
		return err_hint(e, "give more digits: 'vpod image list --full' shows them");
	}
	p->id = *id;
	return 0;
}

/* Images that lost their rootfs directory are still known by the names that point to them. */
static int find_by_id(const struct store *s, const char *text, struct found *out, struct err *e)
{
	cleanup_store_refs struct store_refs refs = { 0 };
	struct prefix_search p = { .prefix = out->ref.id, .text = text };
	unsigned i;

	if (find_each_rootfs(s, match_prefix, &p, e) < 0 || store_refs_list(s, &refs, e) < 0)
		return -1;
	for (i = 0; i < refs.nr; i++) {
		if (match_prefix(&p, "", &refs.v[i].id, e) < 0)
			return -1;
	}
	if (!p.id.hex[0])
		return 0;
	out->id = p.id;
	out->by_id = true;
	for (i = 0; i < refs.nr && !out->in.name; i++) {
		if (digest_equal(&refs.v[i].id, &p.id)) {
			out->in = refs.v[i];
			refs.v[i] = (struct store_ref){ 0 };
		}
	}
	return 1;
}

int find_parse(const char *text, struct found *out, struct err *e)
{
	*out = (struct found){ 0 };
	if (ref_parse(text, &out->ref, e) < 0 || ref_resolve(&out->ref, e) < 0)
		return -1;
	out->name = ref_canonical(&out->ref);
	return 0;
}

int find_image(const struct store *s, const char *text, struct found *out, struct err *e)
{
	int r;

	if (find_parse(text, out, e) < 0)
		return -1;
	if (out->ref.kind != REF_ID) {
		r = store_ref_read(s, out->name, &out->in, e);
		out->id = out->in.id;
		if (r)
			return r;
	}
	return out->ref.id ? find_by_id(s, text, out, e) : 0;
}
