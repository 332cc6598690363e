/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The image store
 *
 * Beneath the data directory, all of it mode 0700 so that setuid programs and secrets in images
 * stay out of other users' reach:
 *
 *	blobs/sha256/<hex>		manifest, configuration and layers, as the registry had them
 *	layers/<blob hex>-v<N>/		data, index, json: a converted layer (images/layer.h), N is
 *					LAYER_VERSION.  Named by the blob, whose digest we checked;
 *					the diff_id is the word of the worker that read the layer,
 *					and a layer that took it over must not become another's
 *	rootfs/<image id>-v<N>/		meta, info.json: an image that is ready to run; flock(2) of
 *					this directory: shared by who uses it, exclusive by who
 *					removes it; its mtime is the time of last use
 *	refs/<escaped name>		{"name","id","time","stamp"}: what a name means
 *	locks/<key>			one fetch of the same thing at a time
 *	tmp/<pid>-<random>/		of one process, which holds its flock; stale without it
 *	lock				shared by fetches, exclusive while unused files are removed
 *
 * Nothing gets its name before it is complete, right and on disk; the names come in the order
 * blob, layer, rootfs, ref, so whatever a name promises is there.  There is no index: directories
 * are.  Lock order: store lock < image key < blob key < rootfs directory.
 */
#ifndef VPOD_IMAGES_STORE_H
#define VPOD_IMAGES_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "images/digest.h"

struct store {
	char *path;
	int dirfd;
	int lock_fd; /* shared store lock, -1: not held */
	int tmp_fd;  /* our directory in tmp/, -1: none yet */
	char tmp_name[64];
};

/* With @create the directories are made; else a store that is not there is ERR_NOT_FOUND. */
int store_open(const char *dir, bool create, struct store *s, struct err *e);
void store_close(struct store *s); /* removes the temporary directory */

/* Names beneath the store; @buf is returned. */
#define STORE_NAME_MAX 160
char *store_blob_name(const struct digest *d, char buf[static STORE_NAME_MAX]);
char *store_layer_name(const struct digest *blob, char buf[static STORE_NAME_MAX]);
char *store_rootfs_name(const struct digest *id, char buf[static STORE_NAME_MAX]);

bool store_has(const struct store *s, const char *name);

/* Reads a blob of at most @max bytes. */
int store_read_blob(const struct store *s, const struct digest *d, size_t max, struct strbuf *out,
		    struct err *e);

/*
 * Takes a flock, waiting at most @timeout_ms (0: not at all).  Returns 0, 1 when somebody else has
 * it, -1 on error.
 */
int store_flock(int fd, int how, unsigned timeout_ms, struct err *e);

/* The process that /proc/locks names for @fd's file, 0 if none. */
pid_t store_lock_owner(int fd);

/* Shared (fetching) or exclusive (removing) store lock; returns like store_flock(). */
int store_lock(struct store *s, int how, unsigned timeout_ms, struct err *e);
void store_unlock(struct store *s);

/* Removes temporary directories whose process is gone, which is when their lock is free. */
void store_collect_tmp(struct store *s);

/* Makes our temporary directory and removes those of processes that are gone. */
int store_make_tmp(struct store *s, struct err *e);

/*
 * Gives @tmp (in our temporary directory) its name in the store and syncs the directory there.
 * Somebody was faster: fine, ours is removed.
 */
int store_publish(struct store *s, const char *tmp, const char *name, struct err *e);

/* Removes a directory of the store: out of sight at once, then its contents. */
int store_remove_dir(struct store *s, const char *name, struct err *e);

/* Adds to an ENOSPC (or EDQUOT) error what was needed and what there is. Returns -1. */
int store_explain(const struct store *s, uint64_t need, struct err *e);

/* ---- names of images ---- */

struct store_ref {
	char *name; /* canonical */
	struct digest id;
	uint64_t time; /* seconds since the epoch: when it was fetched */
	char *stamp;   /* of the local files it came from (images/stamp.h), "" if none */
};

#define cleanup_store_ref __attribute__((__cleanup__(store_ref_free)))
void store_ref_free(struct store_ref *r);

/* Returns 1, or 0 when there is no such name, or -1. */
int store_ref_read(const struct store *s, const char *name, struct store_ref *out, struct err *e);
int store_ref_write(struct store *s, const struct store_ref *r, struct err *e);
int store_ref_remove(struct store *s, const char *name, struct err *e);

/* Caller owns the array and its elements; sorted by name. */
struct store_refs {
	struct store_ref *v;
	unsigned nr;
};
#define cleanup_store_refs __attribute__((__cleanup__(store_refs_free)))
void store_refs_free(struct store_refs *r);
int store_refs_list(const struct store *s, struct store_refs *out, struct err *e);

/* ---- rendered images ---- */

struct store_layer {
	struct digest blob;
	uint64_t data_size;
};

#define STORE_MAX_LAYERS 512

/* info.json of a rendered image: everything that running it needs, but for its configuration. */
struct store_info {
	struct digest id, config;
	struct digest *blobs; /* manifest, configuration and layers, for the removal of others */
	unsigned nr_blobs;
	struct store_layer *layers; /* bottom first */
	unsigned nr_layers;
	uint64_t meta_size;
	uint64_t size; /* bytes of all blobs */
	uint64_t time; /* when it was rendered */
};

#define cleanup_info __attribute__((__cleanup__(store_info_free)))
void store_info_free(struct store_info *i);
void store_info_print(struct strbuf *b, const struct store_info *i);

/* Reads info.json of the rootfs directory @dirfd. */
int store_info_read(int dirfd, struct store_info *out, struct err *e);

/*
 * Opens the rootfs directory of an image and reads its info. Returns the directory's fd (caller
 * owns), or -1: ERR_NOT_FOUND when it is not rendered or files of it are missing or too short.
 */
int store_open_rootfs(const struct store *s, const struct digest *id, struct store_info *out,
		      struct err *e);

/*
 * Whether the conversion of @l->blob is there, with files as long as they should be; fills in the
 * rest of @l, and the diff_id that the conversion found.
 */
bool store_layer_read(const struct store *s, struct store_layer *l, struct digest *diff_id);

#endif
