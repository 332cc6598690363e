/* SPDX-License-Identifier: Apache-2.0 */
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/loop.h"

#define DEVICE_DEADLINE_NS 10000000000u
#define POLL_MIN_NS 100000
#define POLL_MAX_NS 5000000

ssize_t sys_read(const char *path, char *buf, size_t size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -1;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

int sys_write(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	return write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

unsigned long sys_counter(const char *path, const char *key)
{
	static char text[16384];
	size_t n = strlen(key);

	if (sys_read(path, text, sizeof(text)) < 0)
		return 0;
	for (char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, key, n) && p[n] == ' ')
			return strtoul(p + n, NULL, 10);
	}
	return 0;
}

int sys_mkdir(const char *path, mode_t mode)
{
	return mkdir(path, mode) < 0 && errno != EEXIST ? -1 : 0;
}

int sys_mkdir_p(const char *path, mode_t mode, struct err *e)
{
	char part[PATH_MAX];
	struct stat st;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		return 0;
	for (const char *p = path; *p;) {
		p += strspn(p, "/");
		p += strcspn(p, "/");
		if ((size_t)(p - path) >= sizeof(part))
			return err_set(e, ENAMETOOLONG, "cannot make directory %.64s...", path);
		memcpy(part, path, (size_t)(p - path));
		part[p - path] = '\0';
		if (part[0] && sys_mkdir(part, mode) < 0)
			return err_set(e, errno, "cannot make directory %s", part);
	}
	if (stat(path, &st) < 0)
		return err_set(e, errno, "cannot make directory %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, 0, "cannot make directory %s: the image has a file there", path);
	return 0;
}

int sys_wait_for(int (*try)(void *ctx), void *ctx)
{
	uint64_t deadline = now_ns() + DEVICE_DEADLINE_NS;
	struct timespec pause = { .tv_nsec = POLL_MIN_NS };
	int r;

	while (!(r = try(ctx)) && now_ns() < deadline) {
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < POLL_MAX_NS)
			pause.tv_nsec *= 2;
	}
	return r;
}
