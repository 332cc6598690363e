/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest's tests run where a shell cannot: the one static program of an image that has
 * nothing else.  guestpay VERB...
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Writes @n bytes of a pattern that a reader can check. */
static int spew(size_t n)
{
	static char buf[65536];
	size_t at = 0, len;
	ssize_t w;

	while (n) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = (char)((at + i) * 7 >> 3);
		len = n < sizeof(buf) ? n : sizeof(buf);
		for (size_t done = 0; done < len; done += (size_t)w) {
			w = write(1, buf + done, len - done);
			if (w < 0)
				return 3;
		}
		at += len;
		n -= len;
	}
	return 0;
}

/* Touches memory until the kernel has enough of it. */
static int eat(void)
{
	for (;;) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p == MAP_FAILED)
			return 4;
		memset(p, 1, 1 << 20);
	}
}

static int cat(const char *path)
{
	char buf[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (write(1, buf, (size_t)n) < 0)
			return 3;
	}
	return n < 0 ? 4 : 0;
}

/* A daemon that holds standard output and outlives its parent. */
static int orphan(void)
{
	if (fork() == 0) {
		setsid();
		signal(SIGTERM, SIG_IGN);
		for (;;)
			pause();
	}
	return 0;
}

/* Nodes that an app makes must open nothing. */
static int mknods(void)
{
	static const char *const dirs[] = { "/n", "/dev/n", "/dev/shm/n", "/vol/n" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int fd;

		if (mknod(dirs[i], S_IFBLK | 0600, makedev(254, 0)) < 0) {
			printf("%s: mknod %s\n", dirs[i], strerror(errno));
			continue;
		}
		fd = open(dirs[i], O_RDONLY);
		printf("%s: %s\n", dirs[i], fd < 0 ? strerror(errno) : "OPENED");
	}
	return 0;
}

/* The old way out of a chroot. */
static int escape(void)
{
	mkdir("/jail", 0755);
	if (chroot("/jail") < 0)
		return 5;
	for (int i = 0; i < 64; i++)
		(void)!chdir("..");
	if (chroot(".") < 0)
		return 6;
	printf("%s %s\n", access("/scratch", F_OK) ? "no scratch" : "SCRATCH",
	       access("/pod.spec", F_OK) ? "no spec" : "SPEC");
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (!strcmp(verb, "spew") && argc > 2)
		return spew(strtoull(argv[2], NULL, 10));
	if (!strcmp(verb, "cat") && argc > 2)
		return cat(argv[2]);
	if (!strcmp(verb, "eat"))
		return eat();
	if (!strcmp(verb, "orphan"))
		return orphan();
	if (!strcmp(verb, "mknod"))
		return mknods();
	if (!strcmp(verb, "escape"))
		return escape();
	if (!strcmp(verb, "exit") && argc > 2)
		return atoi(argv[2]);
	puts("static");
	return 0;
}
