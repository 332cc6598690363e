/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys.h"

#define MAX_DISKS 64
#define SERIAL_LEN 20 /* what virtio-blk carries of it */

/* Serials that were read: each costs a request to the device. */
static struct {
	char name[16];
	char serial[SERIAL_LEN + 1];
} disks[MAX_DISKS];
static size_t nr_disks;

struct search {
	const char *serial;
	size_t found;
};

static bool is_known(const char *name)
{
	for (size_t i = 0; i < nr_disks; i++) {
		if (!strcmp(disks[i].name, name))
			return true;
	}
	return false;
}

static void learn(const char *name)
{
	char path[64];

	if (nr_disks == MAX_DISKS || strlen(name) >= sizeof(disks[0].name) || is_known(name))
		return;
	snprintf(path, sizeof(path), "/sys/block/%s/serial", name);
	if (sys_read(path, disks[nr_disks].serial, sizeof(disks[0].serial)) <= 0)
		return;
	memcpy(disks[nr_disks].name, name, strlen(name) + 1); /* its length was checked */
	nr_disks++;
}

static int match(struct search *s)
{
	for (size_t i = 0; i < nr_disks; i++) {
		if (!strncmp(disks[i].serial, s->serial, SERIAL_LEN)) {
			s->found = i;
			return 1;
		}
	}
	return 0;
}

static int find(void *ctx)
{
	cleanup_closedir DIR *d = NULL;
	struct dirent *ent;

	if (match(ctx))
		return 1;
	d = opendir("/sys/block");
	while (d && (ent = readdir(d))) {
		if (!strncmp(ent->d_name, "vd", 2))
			learn(ent->d_name);
	}
	return match(ctx);
}

int disk_find(const char *serial, char *node, size_t size, struct err *e)
{
	struct search s = { .serial = serial };

	if (!sys_wait_for(find, &s))
		return err_set(e, 0,
			       "cannot find disk %s: no virtio-blk device has this serial number",
			       serial);
	snprintf(node, size, "/dev/%s", disks[s.found].name);
	return 0;
}
