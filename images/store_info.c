/* SPDX-License-Identifier: Apache-2.0 */
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

#define MAX_INFO (1u << 20)

void store_info_free(struct store_info *i)
{
	free(i->blobs);
	free(i->layers);
	*i = (struct store_info){ 0 };
}

void store_info_print(struct strbuf *b, const struct store_info *i)
{
	unsigned n;

	sb_addf(b, "{\"id\":\"sha256:%s\",\"config\":\"sha256:%s\",\"blobs\":[", i->id.hex,
		i->config.hex);
	for (n = 0; n < i->nr_blobs; n++)
		sb_addf(b, "%s\"sha256:%s\"", n ? "," : "", i->blobs[n].hex);
	sb_adds(b, "],\"layers\":[");
	for (n = 0; n < i->nr_layers; n++)
		sb_addf(b, "%s{\"blob\":\"sha256:%s\",\"data_size\":%" PRIu64 "}", n ? "," : "",
			i->layers[n].blob.hex, i->layers[n].data_size);
	sb_addf(b, "],\"meta_size\":%" PRIu64 ",\"size\":%" PRIu64 ",\"time\":%" PRIu64 "}\n",
		i->meta_size, i->size, i->time);
}

static int get_digest(const cJSON *o, const char *key, struct digest *out, struct err *e)
{
	const char *text = NULL;

	if (json_get_str(o, key, &text, e) < 0)
		return -1;
	return text ? digest_parse(text, out, e) : err_set(e, 0, "key \"%s\" is missing", key);
}

static int parse_blobs(const cJSON *arr, struct store_info *out, struct err *e)
{
	const cJSON *j;

	out->blobs = xcalloc((size_t)cJSON_GetArraySize(arr), sizeof(*out->blobs));
	cJSON_ArrayForEach(j, arr)
	{
		if (!cJSON_IsString(j))
			return err_set(e, 0, "a blob is no string");
		if (digest_parse(j->valuestring, &out->blobs[out->nr_blobs++], e) < 0)
			return -1;
	}
	return 0;
}

static int parse_layers(const cJSON *arr, struct store_info *out, struct err *e)
{
	const cJSON *j;

	out->layers = xcalloc((size_t)cJSON_GetArraySize(arr), sizeof(*out->layers));
	cJSON_ArrayForEach(j, arr)
	{
		struct store_layer *l = &out->layers[out->nr_layers++];

		if (get_digest(j, "blob", &l->blob, e) < 0 ||
		    json_get_u64(j, "data_size", &l->data_size, e) < 0)
			return -1;
	}
	return 0;
}

static int parse_info(const cJSON *j, struct store_info *out, struct err *e)
{
	const cJSON *blobs = NULL, *layers = NULL;

	if (get_digest(j, "id", &out->id, e) < 0 || get_digest(j, "config", &out->config, e) < 0 ||
	    json_get_u64(j, "meta_size", &out->meta_size, e) < 0 ||
	    json_get_u64(j, "size", &out->size, e) < 0 ||
	    json_get_u64(j, "time", &out->time, e) < 0 || json_get_arr(j, "blobs", &blobs, e) < 0 ||
	    json_get_arr(j, "layers", &layers, e) < 0)
		return -1;
	if (parse_blobs(blobs, out, e) < 0)
		return -1;
	return parse_layers(layers, out, e);
}

int store_info_read(int dirfd, struct store_info *out, struct err *e)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	cleanup_json cJSON *j = NULL;

	*out = (struct store_info){ 0 };
	if (fs_read(dirfd, "info.json", MAX_INFO, &b, e) < 0)
		return -1;
	j = json_parse(b.buf, b.len, "info.json", e);
	if (!j)
		return -1;
	if (parse_info(j, out, e) < 0) {
		store_info_free(out);
		return err_wrap(e, "cannot read info.json of an image");
	}
	return 0;
}

static bool has_size(int dirfd, const char *name, uint64_t size)
{
	struct stat st;

	return !fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == size;
}

/* A data file of the wrong length would show the guest other files' bytes: it counts as absent. */
static bool is_complete(const struct store *s, int dirfd, const struct store_info *i)
{
	char name[STORE_NAME_MAX], data[STORE_NAME_MAX + 8];
	unsigned n;

	if (!has_size(dirfd, "meta", i->meta_size))
		return false;
	for (n = 0; n < i->nr_layers; n++) {
		snprintf(data, sizeof(data), "%s/data", store_layer_name(&i->layers[n].blob, name));
		if (!has_size(s->dirfd, data, i->layers[n].data_size))
			return false;
	}
	return true;
}

int store_open_rootfs(const struct store *s, const struct digest *id, struct store_info *out,
		      struct err *e)
{
	cleanup_close int fd = -1;
	char name[STORE_NAME_MAX];

	*out = (struct store_info){ 0 };
	fd = openat(s->dirfd, store_rootfs_name(id, name),
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_setk(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_ENGINE, errno,
				"cannot open image sha256:%s", id->hex);
	if (store_info_read(fd, out, e) < 0)
		return -1;
	if (!digest_equal(id, &out->id) || !is_complete(s, fd, out)) {
		store_info_free(out);
		err_setk(e, ERR_NOT_FOUND, 0, "cannot use image sha256:%s: files of it are missing",
			 id->hex);
		return err_hint(e, "fetch it again");
	}
	return take_fd(&fd);
}

bool store_layer_read(const struct store *s, struct store_layer *l, struct digest *diff_id)
{
	cleanup_sb struct strbuf b = STRBUF_INIT;
	cleanup_close int fd = -1;
	cleanup_json cJSON *j = NULL;
	char name[STORE_NAME_MAX];
	uint64_t index_size = 0;
	struct err ignored;

	fd = openat(s->dirfd, store_layer_name(&l->blob, name),
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fs_read(fd, "json", 4096, &b, &ignored) < 0)
		return false;
	j = json_parse(b.buf, b.len, "json", &ignored);
	return j && json_get_u64(j, "data_size", &l->data_size, &ignored) == 1 &&
	       json_get_u64(j, "index_size", &index_size, &ignored) == 1 &&
	       get_digest(j, "diff_id", diff_id, &ignored) == 0 &&
	       has_size(fd, "data", l->data_size) && has_size(fd, "index", index_size);
}
