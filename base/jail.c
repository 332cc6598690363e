/* SPDX-License-Identifier: Apache-2.0 */
#include "jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* <sys/mount.h> and <linux/mount.h> of Debian 12 clash; these are of the former. */
extern int mount(const char *, const char *, const char *, unsigned long, const void *);
extern int umount2(const char *, int);
#define MS_NOSUID_ 2ul
#define MS_NODEV_ 4ul
#define MS_REC_ 16384ul
#define MS_PRIVATE_ (1ul << 18)
#define MNT_DETACH_ 2

#include "cleanup.h"
#include "fs.h"

#define OLD_ROOT "/.old"

void jail_free(struct jail *j)
{
	strv_free(&j->files);
	strv_free(&j->devices);
}

/* Root's children change their uid; others keep theirs and need a user namespace to mount at all.
 */
static bool is_root(void)
{
	return geteuid() == 0;
}

unsigned long jail_clone_flags(const struct jail *j)
{
	(void)j;
	return (is_root() ? 0 : CLONE_NEWUSER) | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
	       CLONE_NEWIPC | CLONE_NEWUTS;
}

static int write_proc(pid_t pid, const char *name, const char *text, struct err *e)
{
	cleanup_close int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || fs_write_all(fd, text, strlen(text)) < 0) {
		err_set(e, errno, "cannot set up the jail: cannot write %s", path);
		return err_hint(e, "'vpod doctor' tells whether user namespaces work here");
	}
	return 0;
}

int jail_map_ids(const struct jail *j, pid_t pid, struct err *e)
{
	char uids[64], gids[64];

	(void)j;
	if (is_root())
		return 0;
	snprintf(uids, sizeof(uids), "%u %u 1\n", geteuid(), geteuid());
	snprintf(gids, sizeof(gids), "%u %u 1\n", getegid(), getegid());
	if (write_proc(pid, "setgroups", "deny", e) < 0 || write_proc(pid, "gid_map", gids, e) < 0)
		return -1;
	return write_proc(pid, "uid_map", uids, e);
}

static int set_identity(const struct jail *j, bool with_devices, struct err *e)
{
	bool extra = with_devices && j->extra_gid != (gid_t)-1;

	if (!j->uid)
		return 0;
	if (setgroups(extra ? 1 : 0, &j->extra_gid) < 0 || setresgid(j->gid, j->gid, j->gid) < 0 ||
	    setresuid(j->uid, j->uid, j->uid) < 0)
		return err_set(e, errno, "cannot become uid %u in the jail", j->uid);
	if (unshare(CLONE_NEWUSER) < 0)
		return err_set(e, errno, "cannot make a user namespace for the jail");
	return 0;
}

static int make_parents(const char *path, struct err *e)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = '\0';
	return dir[0] ? fs_mkdir_p(dir, 0755, e) : 0;
}

/* The host's file @path, its symlinks resolved within the old root; a mount of its own. */
static int clone_file(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	cleanup_close int root = open(OLD_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int fd = -1;

	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0)
		return -1;
	return (int)syscall(SYS_open_tree, fd, "",
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
}

/* Makes host file @path visible at the same path. */
static int bind_file(const char *path, struct err *e)
{
	cleanup_close int tree = -1, fd = -1;

	if (path[0] != '/')
		return err_set(e, EINVAL, "cannot bind %s in the jail", path);
	if (make_parents(path, e) < 0)
		return -1;
	tree = clone_file(path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	if (tree < 0 || fd < 0 ||
	    syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(e, errno, "cannot bind %s in the jail", path);
	return 0;
}

/*
 * A node of the jail's own for the host's device @path: on hosts without udev /dev/kvm is root's
 * alone.  Fails where root may not make nodes, as in many containers.
 */
static int own_device(const struct jail *j, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	cleanup_close int root = open(OLD_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    mknod(path, S_IFCHR | 0600, st.st_rdev) < 0)
		return -1;
	if (lchown(path, j->uid, j->gid) == 0)
		return 0;
	(void)unlink(path); /* the host's own node comes in its place */
	return -1;
}

static int add_device(const struct jail *j, const char *path, bool *with_devices, struct err *e)
{
	if (path[0] != '/')
		return err_set(e, EINVAL, "cannot bind %s in the jail", path);
	if (make_parents(path, e) < 0)
		return -1;
	if (j->uid && own_device(j, path) == 0)
		return 0;
	*with_devices = true;
	return bind_file(path, e);
}

static int enter_root(const struct jail *j, struct err *e)
{
	unsigned long flags = MS_NOSUID_ | (j->devices.nr_v ? 0 : MS_NODEV_);

	if (mount(NULL, "/", NULL, MS_REC_ | MS_PRIVATE_, NULL) < 0 ||
	    mount("tmpfs", "/tmp", "tmpfs", flags, "mode=0755,size=1m") < 0 || chdir("/tmp") < 0 ||
	    mkdir(OLD_ROOT + 1, 0700) < 0 || syscall(SYS_pivot_root, ".", OLD_ROOT + 1) < 0 ||
	    chdir("/") < 0)
		return err_set(e, errno, "cannot make the jail's root");
	return 0;
}

static int seal_root(struct err *e)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };

	if (umount2(OLD_ROOT, MNT_DETACH_) < 0 || rmdir(OLD_ROOT) < 0 ||
	    syscall(SYS_mount_setattr, -1, "/", AT_RECURSIVE, &ro, sizeof(ro)) < 0)
		return err_set(e, errno, "cannot seal the jail's root");
	return 0;
}

/* Sets @with_devices when a device node is the host's, not the jail's own. */
static int make_root(const struct jail *j, bool *with_devices, struct err *e)
{
	size_t i;

	if (enter_root(j, e) < 0)
		return -1;
	for (i = 0; i < j->files.nr_v; i++) {
		if (bind_file(j->files.v[i], e) < 0)
			return -1;
	}
	for (i = 0; i < j->devices.nr_v; i++) {
		if (add_device(j, j->devices.v[i], with_devices, e) < 0)
			return -1;
	}
	return seal_root(e);
}

static int limit(int what, uint64_t max, struct err *e)
{
	struct rlimit r = { max, max };

	if (setrlimit(what, &r) < 0)
		return err_set(e, errno, "cannot set a resource limit in the jail");
	return 0;
}

static int set_limits(const struct jail *j, struct err *e)
{
	if (limit(RLIMIT_CORE, 0, e) < 0 ||
	    limit(RLIMIT_NOFILE, j->max_fds ? j->max_fds : 64, e) < 0)
		return -1;
	if (j->max_file && limit(RLIMIT_FSIZE, j->max_file, e) < 0)
		return -1;
	if (j->max_memory && limit(RLIMIT_AS, j->max_memory, e) < 0)
		return -1;
	return 0;
}

static int drop_capabilities(struct err *e)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	int cap;

	/* A worker of an ordinary user without CAP_SETPCAP has nothing to drop. */
	for (cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EPERM)
			return err_set(e, errno, "cannot drop capability %d", cap);
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &hdr, none) < 0)
		return err_set(e, errno, "cannot drop capabilities");
	return 0;
}

static int drop_rights(struct err *e)
{
	if (drop_capabilities(e) < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "cannot give up privileges");
	return 0;
}

int jail_enter(const struct jail *j, struct err *e)
{
	bool with_devices = false;

	umask(0022);
	if (make_root(j, &with_devices, e) < 0 || set_limits(j, e) < 0 ||
	    set_identity(j, with_devices, e) < 0)
		return -1;
	return drop_rights(e);
}

int jail_drop_rights(const struct jail *j, struct err *e)
{
	if (set_limits(j, e) < 0 || drop_rights(e) < 0)
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(e, errno, "cannot make the worker untraceable");
	return 0;
}
