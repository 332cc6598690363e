/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/initrd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "stage0/cpio.h"
#include "guest-init/podspec.h"
#include "stage0/kernel.h"

static const char *const dirs[] = { "dev", "proc", "sys", "run", "tmp", "mnt" };

/*
 * The kernel opens /dev/console for PID 1 (init/main.c), and with it the serial port, which is a
 * fiftieth of a boot under emulation, for nobody to write to.  So that name is the null device
 * here; vpod-init opens the console by another name when it has something to say.  The kernel's own
 * initramfs made a node of that name before: a file of another type replaces it.
 */
static int add_base(struct cpio *c, struct err *e)
{
	size_t i;

	for (i = 0; i < nitems(dirs); i++) {
		if (cpio_add_dir(c, dirs[i], 0755, e) < 0)
			return -1;
	}
	if (cpio_add_file(c, "dev/console", 0600, "", 0, e) < 0 ||
	    cpio_add_char(c, "dev/console", 0600, 1, 3, e) < 0)
		return -1;
	return cpio_add_char(c, "dev/" SAY_CONSOLE, 0600, 5, 1, e);
}

static int add_init(struct cpio *c, const char *init_path, struct err *e)
{
	cleanup_close int fd = open(init_path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		err_setk(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_ENGINE, errno,
			 "cannot open the guest's init %s", init_path);
		return err_hint(e, "build it with 'make'");
	}
	return cpio_add_fd(c, "init", 0755, fd, e);
}

static int append_file(int out_fd, const char *path, struct err *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot open %s", path);
	return fs_copy(fd, out_fd, (uint64_t)st.st_size, e);
}

static int add_spec(int out_fd, const void *spec, size_t len, struct err *e)
{
	struct cpio c = { .fd = out_fd, .what = "the pod spec" };

	if (cpio_add_file(&c, PODSPEC_PATH + 1, 0400, spec, len, e) < 0)
		return -1;
	return cpio_end(&c, e);
}

int initrd_write(int out_fd, const char *init_path, const struct kernel *k, const void *spec,
		 size_t spec_len, struct err *e)
{
	struct cpio c = { .fd = out_fd, .what = "the initramfs" };

	if (add_base(&c, e) < 0 || add_init(&c, init_path, e) < 0 || cpio_end(&c, e) < 0 ||
	    (k->modules_cpio && append_file(out_fd, k->modules_cpio, e) < 0) ||
	    add_spec(out_fd, spec, spec_len, e) < 0)
		return err_wrap(e, "cannot make the initramfs");
	return 0;
}
