/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rest of the engine sees of an image, whatever format it came in: OCI inside (DESIGN.md
 * section 3).  Reading the store needs no network, no archive library and no helper process.
 */
#ifndef VPOD_IMAGES_IMAGE_H
#define VPOD_IMAGES_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "images/digest.h"

#define IMAGE_SHORT_ID 12 /* hex digits of an id where it is shown cut: 19 characters in all */

struct image_port {
	char *name; /* "80-tcp", as docker2aci names it */
	char *protocol;
	uint16_t port;
};

struct image {
	struct digest id;	/* of the image manifest for this platform */
	char *name;		/* canonical reference, e.g. "docker://127.0.0.1:5000/b:1" */
	char *short_name;	/* for app names: last path component without tag, an AC name */
	struct strv entrypoint; /* config.Entrypoint */
	struct strv cmd;	/* config.Cmd */
	struct strv env;	/* NAME=value */
	char *user;		/* "user[:group]", names or numbers, "" when absent */
	char *working_dir;	/* "" when absent */
	char *stop_signal;	/* "SIGTERM", "15", "" when absent */
	struct strv volumes;	/* absolute paths */
	struct image_port *ports;
	unsigned nr_ports;
	struct strv labels; /* key, value, key, value … */
	uint64_t size;	    /* bytes of its blobs */

	/* The root file system: files to be concatenated, in order, see images/layer.h. */
	struct strv rootfs_files; /* absolute paths: meta, then the data file of each layer */
	uint64_t rootfs_size;	  /* bytes, sum of the files, each padded to 4 KiB */
};

#define cleanup_image __attribute__((__cleanup__(image_free)))
void image_free(struct image *img);

/*
 * Loads an image that is in the store under data directory @dir: by reference as people write it
 * ("oci:DIR:REF", "docker://…"), by "sha256:…" or by a unique prefix of at least 8 hex digits of
 * its id.  Returns -1 with ERR_NOT_FOUND when it is not there.
 */
int image_load(const char *dir, const char *ref, struct image *out, struct err *e);

/*
 * As image_load(), and holds the image against removal: the returned lock fd (caller owns) is a
 * shared flock that lasts as long as any process has it open.
 */
int image_hold(const char *dir, const char *ref, struct image *out, int *lock_fd, struct err *e);

enum image_pull { PULL_NEVER, PULL_NEW, PULL_UPDATE };

/* What a fetch may do that it does not by default; part of --insecure-options. */
struct image_insecure {
	bool http; /* plain http to registries other than this host's */
	bool tls;  /* certificates are not checked */
};

/*
 * Makes sure that the image is in the store and rendered; runs the vpod-image program when work is
 * to be done (network, archives), else nothing.  @id receives the image's id.
 *
 * PULL_NEW: what is in the store will do, unless the image comes from local files that changed
 * since (images/stamp.h); local files that are gone are no reason to fail then.  PULL_UPDATE: asks
 * the source.  PULL_NEVER: only what is in the store.  @insecure may be NULL.
 */
int image_ensure(const char *dir, const char *ref, enum image_pull pull,
		 const struct image_insecure *insecure, struct digest *id, struct err *e);

/* never, new, update */
int image_pull_parse(const char *s, enum image_pull *out, struct err *e);

/* The manifest, as the registry had it, appended to @out. */
struct strbuf;
int image_manifest(const char *dir, const char *ref, struct strbuf *out, struct err *e);

/* ---- for image list, rm, gc ---- */

struct image_entry {
	struct digest id;
	char *name; /* canonical reference, "" when it has none (any more) */
	uint64_t size;
	uint64_t import_time; /* seconds since the epoch */
	uint64_t last_used;
};

struct image_list {
	struct image_entry *v;
	unsigned nr;
};

#define cleanup_image_list __attribute__((__cleanup__(image_list_free)))
void image_list_free(struct image_list *l);

/* One entry per name, and one for each image without a name. No store is an empty list. */
int image_list(const char *dir, struct image_list *out, struct err *e);

#define IMAGE_USER_MAX 80

/*
 * Who needs an image without holding it: what is prepared to run it later.  find() is asked while
 * nobody can begin to hold the image; it returns 1 and the user as people know it ("prepared pod
 * 18cb…"), 0 when there is none, or -1.
 */
struct image_users {
	int (*find)(void *ctx, const struct digest *id, char user[static IMAGE_USER_MAX],
		    struct err *e);
	void *ctx;
};

/*
 * Removes a name; with its last name, or by id, the image.  Refuses when somebody holds it or
 * @users (may be NULL) knows one.  Files that no other image needs go too, unless a fetch is
 * running: then 'image gc' takes them.
 */
int image_remove(const char *dir, const char *ref, const struct image_users *users, struct err *e);

struct image_gc_result {
	unsigned nr_images;
	uint64_t bytes;
};

/*
 * Removes images without a name that nobody holds or uses and files that no image needs; and named
 * images that were not used for @grace seconds, unless that is 0.
 */
int image_gc(const char *dir, uint64_t grace, const struct image_users *users,
	     struct image_gc_result *out, struct err *e);

#endif
