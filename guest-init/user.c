/* SPDX-License-Identifier: Apache-2.0 */
#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"

#define FILE_MAX (256u * 1024u)

/*
 * A file of the image, whole, as a string; "" when there is none.  What lies beyond FILE_MAX is
 * not seen.  O_NONBLOCK: the image may have a FIFO there.
 */
static char *read_text(const char *path, char *buf)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)) {
		while (n > 0 && len < FILE_MAX) {
			n = read(fd, buf + len, FILE_MAX - len);
			if (n > 0)
				len += (size_t)n;
		}
	}
	buf[len] = '\0';
	return buf;
}

/* Cuts the next line off *@text; NULL at the end. */
static char *next_line(char **text)
{
	char *line = *text;

	if (!line || !*line)
		return NULL;
	*text = strchr(line, '\n');
	if (*text)
		*(*text)++ = '\0';
	return line;
}

/* Cuts @line at colons into exactly @max fields, the last one taking the rest; the number found. */
static int fields(char *line, char **f, int max)
{
	int n = 0;

	while (n < max && line) {
		f[n++] = line;
		line = strchr(line, ':');
		if (line)
			*line++ = '\0';
	}
	return n;
}

static int parse_id(const char *s, uid_t *id)
{
	uint64_t v;

	if (num_parse_u64(s, 0, UINT32_MAX - 1, &v) < 0)
		return -1;
	*id = (uid_t)v;
	return 0;
}

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

int user_find_passwd(char *text, const char *name, uid_t uid, struct user *u)
{
	char *line, *f[7];
	uid_t id, gid;

	while ((line = next_line(&text))) {
		if (fields(line, f, 7) < 7 || parse_id(f[2], &id) < 0 || parse_id(f[3], &gid) < 0)
			continue;
		if (name ? strcmp(name, f[0]) : uid != id)
			continue;
		u->uid = id;
		u->gid = gid;
		copy(u->name, sizeof(u->name), f[0]);
		copy(u->home, sizeof(u->home), f[5]);
		copy(u->shell, sizeof(u->shell), f[6]);
		return 0;
	}
	return -1;
}

int user_find_group(char *text, const char *name, gid_t *gid)
{
	char *line, *f[4];

	while ((line = next_line(&text))) {
		if (fields(line, f, 4) >= 3 && !strcmp(f[0], name) && !parse_id(f[2], gid))
			return 0;
	}
	return -1;
}

static void add_group(struct user *u, gid_t gid)
{
	for (size_t i = 0; i < u->nr_groups; i++) {
		if (u->groups[i] == gid)
			return;
	}
	if (u->nr_groups < USER_MAX_GROUPS)
		u->groups[u->nr_groups++] = gid;
}

static bool lists_member(char *members, const char *name)
{
	size_t n = strlen(name);

	for (char *p = members; p && *p; p += *p == ',') {
		size_t len = strcspn(p, ",");

		if (len == n && !memcmp(p, name, n))
			return true;
		p += len;
	}
	return false;
}

void user_add_member_groups(char *text, const char *name, struct user *u)
{
	char *line, *f[4];
	gid_t gid;

	while ((line = next_line(&text))) {
		if (fields(line, f, 4) == 4 && !parse_id(f[2], &gid) && lists_member(f[3], name))
			add_group(u, gid);
	}
}

static int owner_of(const char *path, const char *what, struct stat *st, struct err *e)
{
	if (stat(path, st) < 0)
		return err_set(e, errno, "cannot run as the %s of %s", what, path);
	return 0;
}

static int lookup_uid(struct user *u, const char *user, char *buf, struct err *e)
{
	struct stat st;
	uid_t uid = 0;
	bool is_number;

	if (user && user[0] == '/') {
		if (owner_of(user, "owner", &st, e) < 0)
			return -1;
		uid = st.st_uid;
		is_number = true;
	} else {
		is_number = !user || !parse_id(user, &uid);
	}
	if (!user_find_passwd(read_text("/etc/passwd", buf), is_number ? NULL : user, uid, u))
		return 0;
	if (!is_number)
		return err_set(e, 0, "cannot run as user '%s': not in the image's /etc/passwd",
			       user);
	u->uid = uid;
	snprintf(u->name, sizeof(u->name), uid ? "%u" : "root", uid);
	copy(u->home, sizeof(u->home), uid ? "/" : "/root");
	return 0;
}

static int lookup_gid(struct user *u, const char *group, char *buf, struct err *e)
{
	struct stat st;

	if (group[0] == '/') {
		if (owner_of(group, "group", &st, e) < 0)
			return -1;
		u->gid = st.st_gid;
		return 0;
	}
	if (!parse_id(group, &u->gid))
		return 0;
	if (user_find_group(read_text("/etc/group", buf), group, &u->gid) < 0)
		return err_set(e, 0, "cannot run as group '%s': not in the image's /etc/group",
			       group);
	return 0;
}

int user_lookup(struct user *u, const struct app *app, struct err *e)
{
	static char buf[FILE_MAX + 1];

	*u = (struct user){ 0 };
	if (lookup_uid(u, app->user, buf, e) < 0)
		return -1;
	if (app->group) {
		if (lookup_gid(u, app->group, buf, e) < 0)
			return -1;
	} else {
		user_add_member_groups(read_text("/etc/group", buf), u->name, u);
	}
	for (unsigned i = 0; i < app->nr_gids; i++)
		add_group(u, app->gids[i]);
	return 0;
}
