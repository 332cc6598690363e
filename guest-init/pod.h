/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What vpod-init is to run: the pod spec (podspec.h), parsed and checked.  Strings point into the
 * text that was parsed, lists are ranges of the pod's arrays: nothing here is allocated.
 */
#ifndef VPOD_GUEST_POD_H
#define VPOD_GUEST_POD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/cidr.h"
#include "base/err.h"
#include "guest-init/proto.h"

#define POD_MAX_WORDS 16384 /* exec and env of all apps, with their NULL ends */
#define POD_MAX_VOLUMES 64
#define POD_MAX_MOUNTS 256
#define POD_MAX_GIDS 256
#define POD_MAX_RLIMITS 256
#define POD_MAX_NICS 16
#define POD_MAX_ADDRS 128
#define POD_MAX_ROUTES 512

#define NIC_MTU_MIN 68		/* RFC 791 */
#define NIC_TEMPORARY "vpodnic" /* how links are called while names are changed */

/* AUDIT_WRITE CHOWN DAC_OVERRIDE FSETID FOWNER KILL MKNOD NET_RAW NET_BIND_SERVICE SETUID SETGID
 * SETPCAP SETFCAP SYS_CHROOT */
#define POD_DEFAULT_CAPS 0xa80425fbu

struct volume {
	const char *name;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

struct volume_mount {
	const struct volume *volume;
	const char *target;
	bool is_readonly;
	bool copies_up;
};

struct nic {
	const char *name;
	uint8_t mac[6]; /* by which it is found */
	uint32_t mtu;	/* 0: leave it */
};

struct nic_addr {
	const struct nic *nic;
	struct cidr addr;
	bool no_prefix_route;
};

struct nic_route {
	const struct nic *nic;
	struct cidr dst;
	struct cidr gw;			       /* family 0: none */
	struct cidr src;		       /* family 0: the kernel chooses */
	uint32_t mtu, advmss, priority, table; /* 0: the kernel's */
	uint8_t scope;
	bool has_scope;
};

struct app_rlimit {
	int resource;
	struct rlimit limit;
};

struct app {
	const char *name;
	const char *rootfs; /* serial of its disk */
	const char *cwd;    /* "/" when the spec does not say */
	const char *user;   /* NULL: root */
	const char *group;  /* NULL: the user's own */
	char **argv;	    /* NULL-terminated, not empty */
	char **env;	    /* NULL-terminated, as written */
	const struct volume_mount *mounts;
	const gid_t *gids;
	const struct app_rlimit *rlimits;
	unsigned nr_mounts, nr_gids, nr_rlimits;
	uint64_t memory; /* 0: no limit */
	uint64_t cpu_milli;
	uint64_t caps;
	int stop_signal;
	uint16_t rows, cols;
	bool is_readonly, has_stdin, has_tty, has_nopaths;
};

struct pod {
	const char *hostname;	  /* NULL: leave it */
	const char *scratch_disk; /* serial; NULL: tmpfs */
	uint64_t scratch_bytes;	  /* of the tmpfs; 0: half of memory */
	const char *resolv;	  /* content of /etc/resolv.conf; NULL: the images' own */
	const char *hosts;	  /* content of /etc/hosts; likewise */
	uint16_t metadata_port;	  /* of the metadata service; 0: none */
	bool is_debug;
	unsigned nr_nics, nr_addrs, nr_routes;
	struct nic nics[POD_MAX_NICS];
	struct nic_addr addrs[POD_MAX_ADDRS];
	struct nic_route routes[POD_MAX_ROUTES];
	unsigned nr_apps, nr_volumes, nr_mounts, nr_gids, nr_rlimits, nr_args, nr_env;
	struct app apps[PROTO_MAX_APPS];
	struct volume volumes[POD_MAX_VOLUMES];
	struct volume_mount mounts[POD_MAX_MOUNTS];
	gid_t gids[POD_MAX_GIDS];
	struct app_rlimit rlimits[POD_MAX_RLIMITS];
	char *args[POD_MAX_WORDS];
	char *env[POD_MAX_WORDS];
};

/*
 * Parses @text, which is changed and must outlive @pod.  On failure @pod has no apps.
 */
int podspec_parse(struct pod *pod, char *text, size_t len, struct err *e);

#endif
