/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pod is: its apps with the image's configuration and the user's overrides merged, its
 * volumes, and the machine they run on.  Kept in the pod directory as manifest.json, an appc
 * PodManifest (appc spec, "Pod Manifest Schema") with what appc has no word for in annotations
 * named "vpod/...".
 */
#ifndef VPOD_STAGE0_MANIFEST_H
#define VPOD_STAGE0_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "images/digest.h"

struct app_mount {
	char *volume;
	char *target; /* absolute path in the app */
	bool readonly;
	bool copyup; /* filled with the image's content first, as docker does for VOLUME */
};

struct app {
	char *name;
	char *image_name; /* canonical reference */
	struct digest image_id;
	struct strv exec;
	struct strv env; /* NAME=value */
	char *cwd;	 /* "" is / */
	char *user;	 /* "" is root */
	char *group;	 /* "" is the user's own */
	struct strv gids;
	struct app_mount *mounts;
	unsigned nr_mounts;
	bool readonly;
	bool is_interactive; /* has standard input */
	bool has_tty;
	uint64_t memory;    /* bytes, 0: no limit */
	uint64_t cpu_milli; /* 0: no limit */
	int stop_signal;    /* 0: SIGTERM */
};

struct volume {
	char *name;
	unsigned mode;
	uint32_t uid, gid;
};

enum scratch_kind { SCRATCH_DISK, SCRATCH_TMPFS };

struct manifest {
	struct app *apps;
	unsigned nr_apps;
	struct volume *volumes;
	unsigned nr_volumes;
	char *hostname;
	char *kernel; /* "" is the default kernel */
	enum scratch_kind scratch;
	uint64_t scratch_size; /* bytes; 0: the default */
	bool insecure_paths;
	bool insecure_capabilities;
};

#define cleanup_manifest __attribute__((__cleanup__(manifest_free)))
void manifest_free(struct manifest *m);

struct app *manifest_add_app(struct manifest *m);
struct volume *manifest_add_volume(struct manifest *m, const char *name);
const struct volume *manifest_find_volume(const struct manifest *m, const char *name);
struct app_mount *app_add_mount(struct app *a, const char *volume, const char *target);

void manifest_write(const struct manifest *m, struct strbuf *out);
int manifest_read(const char *text, size_t len, struct manifest *out, struct err *e);

/* What the pod spec says besides the manifest. */
struct spec_parts {
	const char *const *rootfs_serials; /* of each app's disk */
	const char *scratch_serial;	   /* NULL: on tmpfs */
	const char *net_records;  /* nic, addr, route, resolv, hosts, see podspec_put.h; or NULL */
	unsigned metadata_port;	  /* 0: no metadata service */
	const char *metadata_url; /* what apps are told of it */
	bool debug;
};

/* The pod spec for the guest, guest-init/podspec.h. */
void manifest_spec(const struct manifest *m, const struct spec_parts *parts, struct strbuf *out);

/* "SIGTERM", "TERM" or "15"; -1 when it is none. */
int signal_by_name(const char *s);

#endif
