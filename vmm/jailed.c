/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/jailed.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

static int missing(struct err *e, const char *what)
{
	err_setk(e, ERR_DENIED, 0, "cannot run with --jailed: %s", what);
	return err_hint(e, "without --jailed vpod-vmm makes its own jail");
}

static int check_capabilities(struct err *e)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	unsigned i;
	int cap;

	if (syscall(SYS_capget, &hdr, caps) < 0)
		return err_set(e, errno, "cannot read the capabilities");
	for (i = 0; i < 2; i++) {
		if (caps[i].effective | caps[i].permitted | caps[i].inheritable)
			return missing(e, "there are capabilities");
	}
	for (cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++) {
		if (prctl(PR_CAPBSET_READ, cap) == 1)
			return missing(e, "the bounding set of capabilities is not empty");
	}
	return 0;
}

/* The first component of our own path is there, since we are; "dev" may be, for /dev/kvm. */
static bool is_expected(const char *name)
{
	const char *self = (const char *)getauxval(AT_EXECFN);
	size_t len = strlen(name);

	if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "dev"))
		return true;
	return self && self[0] == '/' && !strncmp(self + 1, name, len) && self[1 + len] == '/';
}

static int check_root(struct err *e)
{
	cleanup_closedir DIR *d = opendir("/");
	struct statvfs st;
	struct dirent *ent;

	if (!d || statvfs("/", &st) < 0)
		return err_set(e, errno, "cannot look at the root directory");
	if (!(st.f_flag & ST_RDONLY))
		return missing(e, "the root directory can be written");
	while ((ent = readdir(d))) {
		if (!is_expected(ent->d_name)) {
			missing(e, "the root directory is not empty");
			return err_hint(e, "it has %s", ent->d_name);
		}
	}
	return 0;
}

int jailed_check(struct err *e)
{
	if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0)
		return missing(e, "the user or group is root");
	if (getpid() != 1)
		return missing(e, "the process is not the first of a pid namespace");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return missing(e, "new privileges can be gained");
	if (check_capabilities(e) < 0)
		return -1;
	return check_root(e);
}
