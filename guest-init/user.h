/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who an app runs as: users and groups as its image's own files name them.  Called in the app's
 * root, before /proc is there, so that no path of the image leads out of it.
 */
#ifndef VPOD_GUEST_USER_H
#define VPOD_GUEST_USER_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "pod.h"

#define USER_MAX_GROUPS 320 /* the spec's gids and those of /etc/group */

struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_MAX_GROUPS];
	size_t nr_groups;
	char name[64]; /* of /etc/passwd, or the number */
	char home[256];
	char shell[256];
};

/* Reads /etc/passwd and /etc/group of the root we are in. */
int user_lookup(struct user *u, const struct app *app, struct err *e);

/* The lines of a passwd file: the entry called @name, or of @uid when name is NULL. 0 or -1. */
int user_find_passwd(char *text, const char *name, uid_t uid, struct user *u);

/* The group called @name. 0 or -1. */
int user_find_group(char *text, const char *name, gid_t *gid);

/* Adds the groups that list @name as a member; those that do not fit are left out. */
void user_add_member_groups(char *text, const char *name, struct user *u);

#endif
