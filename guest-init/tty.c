/* SPDX-License-Identifier: Apache-2.0 */
#include "tty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mounts.h"
#include "sys.h"

void tty_resize(int master, uint16_t rows, uint16_t cols)
{
	struct winsize w = { .ws_row = rows, .ws_col = cols };

	(void)ioctl(master, TIOCSWINSZ, &w); /* the app may have hung up */
}

int tty_open(unsigned i, uint16_t rows, uint16_t cols, int *number, struct err *e)
{
	cleanup_close int master = -1;
	char path[48];
	int unlock = 0;

	if (sys_mkdir("/ptys", 0700) < 0)
		return err_set(e, errno, "cannot make /ptys");
	snprintf(path, sizeof(path), "/ptys/%u", i);
	if (mount_at("devpts", path, "devpts", MS_NOSUID | MS_NOEXEC,
		     "newinstance,ptmxmode=0666,mode=0620,gid=5", e) < 0)
		return -1;
	snprintf(path, sizeof(path), "/ptys/%u/ptmx", i);
	master = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0 ||
	    ioctl(master, TIOCGPTN, number) < 0)
		return err_set(e, errno, "cannot open a terminal");
	tty_resize(master, rows, cols);
	return take_fd(&master);
}
