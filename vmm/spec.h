/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The machine's description
 *
 * Text, one thing per line: a word, then key=value pairs in any order, separated by single spaces.
 * In a value, %XX is a byte in hexadecimal: a space is %20.  The rest of a "cmdline" line is the
 * kernel's command line, verbatim.  Empty lines and lines that begin with # are ignored.  The first
 * line is the version.  An unknown word or key is an error.
 *
 *	vpod-vmm 1
 *	machine cpus=2 memory=268435456 [name=TEXT] [acpi=on|off] [cpuid=-FEATURE,-FEATURE...]
 *		[io=auto|uring|threads]		how disks are read and written
 *	kvm FILE				default: path=/dev/kvm
 *	kernel FILE [boot=auto|linux64|pvh]
 *	initrd FILE
 *	cmdline console=ttyS0
 *	serial FILE [max=BYTES]
 *	console [name=TEXT FILE]		a port of the one virtio console
 *	fs tag=TEXT FILE [queues=1]		a directory, by the vhost-user socket of its server
 *	disk serial=TEXT [readonly=on|off] [LIMIT] FILE [FILE]	parts, one behind the other
 *	net tap=NAME|FILE [mac=ADDRESS] [mtu=BYTES] [rx-LIMIT] [tx-LIMIT] [vhost=on|vhost-fd=N]
 *	net kind=stream FILE [mac=ADDRESS] [mtu=BYTES] [rx-LIMIT] [tx-LIMIT]	FILE: a socket
 *	rng [LIMIT]
 *	balloon [target=BYTES] [stats=on|off] [reporting=on|off]
 *	report FILE
 *	hold FILE				stays open as long as the machine lives, for its
 *lock control FILE				see control.h; path: a socket to be made
 *
 * where FILE is path=PATH, or fd=N with N inherited, and LIMIT is bytes=N bytes-burst=N ops=N
 * ops-burst=N, all per second and all optional.  Sizes are bytes.  vpod-vmm(1) has them
 * all.
 */
#ifndef VPOD_VMM_SPEC_H
#define VPOD_VMM_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SPEC_MAX_BYTES 65536u
#define SPEC_MAX_DISKS 24
#define SPEC_MAX_PARTS 256
#define SPEC_MAX_PORTS 4
#define SPEC_MAX_NICS 8
#define SPEC_MAX_FS 8
#define SPEC_MAX_FS_QUEUES 8
#define SPEC_MAX_CPUS 32
#define SPEC_MAX_CMDLINE 2048
#define SPEC_NAME 64
#define SPEC_MAX_RATE (1ull << 50) /* of a limit, per second */

enum spec_boot { SPEC_BOOT_AUTO, SPEC_BOOT_LINUX64, SPEC_BOOT_PVH };

enum spec_io { SPEC_IO_AUTO, SPEC_IO_URING, SPEC_IO_THREADS }; /* of the disks */

/* Bytes and operations per second, each with a burst; 0: no limit. */
struct spec_limit {
	uint64_t bytes, bytes_burst;
	uint64_t ops, ops_burst;
};

/* What a path means that open(2) is not for: a socket to connect to or to make, a tap's name. */
enum { SPEC_CONNECT = -1, SPEC_LISTEN = -2, SPEC_TAP = -3 };

/* A file by path, to be opened, or by number. */
struct spec_file {
	char *path; /* to be opened by spec_open(); NULL: none */
	int how;    /* flags of open(2), or one of the above */
	int number; /* inherited, to be taken over by spec_open(); -1: none */
	int fd;	    /* open, and ours; -1 before spec_open() */
};

struct spec_port {
	char name[SPEC_NAME];
	struct spec_file file;
};

struct spec_disk {
	char serial[21];
	bool is_readonly;
	struct spec_limit limit;
	struct spec_file *parts; /* owned */
	unsigned nr_parts;
};

struct spec_nic {
	bool is_stream; /* else a tap */
	struct spec_file file;
	uint8_t mac[6];
	bool has_mac;
	uint16_t mtu; /* 0: not told */
	struct spec_limit rx, tx;
	struct spec_file vhost; /* /dev/vhost-net, or none */
};

struct spec_fs {
	char tag[37]; /* 36 bytes for the guest */
	unsigned nr_queues;
	struct spec_file file;
};

struct spec_balloon {
	uint64_t target; /* bytes that the guest shall give up */
	bool has_stats, has_reporting;
};

struct vmm_spec {
	char name[SPEC_NAME];
	unsigned cpus;
	uint64_t memory;
	bool has_acpi;
	enum spec_io io;
	char cpuid_off[512];  /* names, comma-separated */
	struct spec_file kvm; /* /dev/kvm unless given */
	struct spec_file kernel, initrd;
	enum spec_boot boot;
	char cmdline[SPEC_MAX_CMDLINE];
	struct spec_file serial;
	uint64_t serial_max; /* bytes, 0: none */
	struct spec_port ports[SPEC_MAX_PORTS];
	unsigned nr_ports;
	bool has_console;
	struct spec_disk disks[SPEC_MAX_DISKS];
	unsigned nr_disks;
	struct spec_nic nics[SPEC_MAX_NICS];
	unsigned nr_nics;
	struct spec_fs fs[SPEC_MAX_FS];
	unsigned nr_fs;
	bool has_rng;
	struct spec_limit rng;
	bool has_balloon;
	struct spec_balloon balloon;
	struct spec_file report, hold;
	struct spec_file control; /* a socket; by path: one that listens */
};

/* Parses @text of @len bytes. Opens nothing. Free it in either case. */
int spec_parse(struct vmm_spec *s, const char *text, size_t len, struct err *e);
void spec_free(struct vmm_spec *s);

/* The field that "bytes", "ops-burst"... of @len bytes names; NULL: none. */
uint64_t *spec_limit_field(struct spec_limit *l, const char *name, size_t len);

/* Calls fn for every file of @s, given or not. */
void spec_each_file(struct vmm_spec *s,
		    void (*fn)(struct spec_file *f, const char *what, void *arg), void *arg);

/* Opens what is named by path; afterwards every file that was given has its fd. */
int spec_open(struct vmm_spec *s, struct err *e);

#endif
