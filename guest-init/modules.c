/* SPDX-License-Identifier: Apache-2.0 */
#include "modules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/module.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "podspec.h"
#include "say.h"
#include "sys.h"

#define ORDER_MAX (64u * 1024u)

static bool is_compressed(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && (!strcmp(dot, ".xz") || !strcmp(dot, ".zst") || !strcmp(dot, ".gz"));
}

/* For kernels without finit_module(2). */
static long insert_mapped(int fd)
{
	struct stat st;
	void *image;
	long r;

	if (fstat(fd, &st) < 0)
		return -1;
	image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (image == MAP_FAILED)
		return -1;
	r = syscall(SYS_init_module, image, (unsigned long)st.st_size, "");
	munmap(image, (size_t)st.st_size);
	return r;
}

static int insert(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	long r;

	if (fd < 0)
		return -1;
	r = syscall(SYS_finit_module, fd, "",
		    is_compressed(path) ? MODULE_INIT_COMPRESSED_FILE : 0);
	if (r < 0 && errno == ENOSYS)
		r = insert_mapped(fd);
	return r < 0 && errno != EEXIST ? -1 : 0;
}

static void load_one(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "/modules/%s", name);
	if (insert(path) < 0)
		say("cannot load module %s: %s", name, strerror(errno));
	unlink(path);
}

void modules_load(void)
{
	static char order[ORDER_MAX];
	char *next, *line = order;

	if (sys_read(PODSPEC_MODULES, order, sizeof(order)) < 0)
		return; /* a kernel with everything built in */
	for (; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (*line)
			load_one(line);
	}
	say_step("modules loaded");
}
