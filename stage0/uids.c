/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/uids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "stage0/config.h"

/* One byte of the file per uid, locked by who uses it: an OFD lock goes with its last holder. */
int uid_take(const struct config *cfg, uid_t *uid, struct err *e)
{
	cleanup_free char *path = fs_join(cfg->run_dir, "uids");
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	unsigned i;

	*uid = 0;
	if (fd < 0)
		return err_set(e, errno, "cannot open %s", path);
	if (geteuid() != 0)
		return take_fd(&fd);
	for (i = 0; i < UID_COUNT; i++) {
		struct flock fl = {
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)i, .l_len = 1
		};

		if (fcntl(fd, F_OFD_SETLK, &fl) == 0) {
			*uid = UID_FIRST + i;
			return take_fd(&fd);
		}
	}
	return err_set(e, 0, "cannot run the VM: all %u uids of hypervisors are taken", UID_COUNT);
}
