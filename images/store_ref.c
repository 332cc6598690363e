/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "images/store.h"

#define MAX_REF_FILE 65536
#define MAX_FILE_NAME 200

void store_ref_free(struct store_ref *r)
{
	free(r->name);
	free(r->stamp);
	*r = (struct store_ref){ 0 };
}

void store_refs_free(struct store_refs *r)
{
	unsigned i;

	for (i = 0; i < r->nr; i++)
		store_ref_free(&r->v[i]);
	free(r->v);
	*r = (struct store_refs){ 0 };
}

/*
 * The file that says what @name means: the name with all but plain characters as %XX.  Long names
 * are cut and end in a hash; two that collide would only replace each other, since readers compare
 * the name inside.
 */
static char *ref_file(const char *name)
{
	static const char hex[] = "0123456789ABCDEF";
	uint64_t hash = 0xcbf29ce484222325u;
	struct strbuf b = STRBUF_INIT;
	const unsigned char *p;

	sb_adds(&b, "refs/");
	for (p = (const unsigned char *)name; *p; p++) {
		hash = (hash ^ *p) * 0x100000001b3u;
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') || strchr("-_.:@", *p)) {
			sb_addc(&b, (char)*p);
		} else {
			sb_addc(&b, '%');
			sb_addc(&b, hex[*p >> 4]);
			sb_addc(&b, hex[*p & 15]);
		}
	}
	if (b.len > MAX_FILE_NAME) {
		b.len = MAX_FILE_NAME;
		b.buf[b.len] = '\0';
		sb_addf(&b, "%%%016" PRIx64, hash);
	}
	return sb_take(&b);
}

static int ref_from_json(const char *text, size_t len, struct store_ref *out, struct err *e)
{
	cleanup_json cJSON *j = json_parse(text, len, "image name", e);
	const char *name = NULL, *id = NULL, *stamp = "";

	if (!j)
		return -1;
	if (json_get_str(j, "name", &name, e) < 0 || json_get_str(j, "id", &id, e) < 0 ||
	    json_get_u64(j, "time", &out->time, e) < 0 || json_get_str(j, "stamp", &stamp, e) < 0)
		return -1;
	if (!name || !id)
		return err_set(e, 0, "\"name\" or \"id\" is missing");
	if (digest_parse(id, &out->id, e) < 0)
		return -1;
	out->name = xstrdup(name);
	out->stamp = xstrdup(stamp);
	return 0;
}

static int read_file(const struct store *s, const char *file, struct store_ref *out, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;

	*out = (struct store_ref){ 0 };
	if (fs_read(s->dirfd, file, MAX_REF_FILE, &b, e) < 0)
		return e->num == ENOENT ? 0 : -1;
	if (ref_from_json(b.buf, b.len, out, e) < 0) {
		err_wrap(e, "cannot read %s/%s", s->path, file);
		return err_hint(e, "remove that file and fetch the image again");
	}
	return 1;
}

int store_ref_read(const struct store *s, const char *name, struct store_ref *out, struct err *e)
{
	cleanup_free char *file = ref_file(name);
	int r = read_file(s, file, out, e);

	if (r == 1 && strcmp(out->name, name) != 0) {
		store_ref_free(out);
		return 0;
	}
	return r;
}

int store_ref_write(struct store *s, const struct store_ref *r, struct err *e)
{
	cleanup_free char *file = ref_file(r->name);
	cleanup_sb struct strbuf b = STRBUF_INIT;
	cleanup_close int fd = -1;

	sb_adds(&b, "{\"name\":");
	sb_add_json(&b, r->name);
	sb_addf(&b, ",\"id\":\"sha256:%s\",\"time\":%" PRIu64 ",\"stamp\":", r->id.hex, r->time);
	sb_add_json(&b, r->stamp ? r->stamp : "");
	sb_adds(&b, "}\n");
	fd = openat(s->tmp_fd, "ref", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fs_write_all(fd, b.buf, b.len) < 0 || fchmod(fd, 0400) < 0 || fsync(fd) < 0 ||
	    renameat(s->tmp_fd, "ref", s->dirfd, file) < 0) {
		err_set(e, errno, "cannot record image name %s", r->name);
		return store_explain(s, b.len, e);
	}
	close_p(&fd);
	fd = fs_opendir(s->dirfd, "refs", e);
	return fd < 0 ? -1 : fs_sync_dir(fd, "refs", e);
}

int store_ref_remove(struct store *s, const char *name, struct err *e)
{
	cleanup_free char *file = ref_file(name);

	if (unlinkat(s->dirfd, file, 0) < 0 && errno != ENOENT)
		return err_set(e, errno, "cannot remove %s/%s", s->path, file);
	return 0;
}

static int cmp_refs(const void *a, const void *b)
{
	return strcmp(((const struct store_ref *)a)->name, ((const struct store_ref *)b)->name);
}

int store_refs_list(const struct store *s, struct store_refs *out, struct err *e)
{
	cleanup_closedir DIR *d = NULL;
	struct dirent *de;
	int fd = openat(s->dirfd, "refs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*out = (struct store_refs){ 0 };
	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, "cannot open %s/refs", s->path);
	d = fdopendir(fd);
	while (d && (de = readdir(d))) {
		cleanup_free char *file = fs_join("refs", de->d_name);
		int r;

		if (de->d_name[0] == '.')
			continue;
		out->v = xrealloc(out->v, (out->nr + 1) * sizeof(*out->v));
		r = read_file(s, file, &out->v[out->nr], e);
		if (r < 0) {
			store_refs_free(out);
			return -1;
		}
		out->nr += (unsigned)r;
	}
	if (out->nr)
		qsort(out->v, out->nr, sizeof(*out->v), cmp_refs);
	return 0;
}
