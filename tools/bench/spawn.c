/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn COMMAND...: runs it once, its output to /dev/null, and prints the nanoseconds from before
 * its start until it was reaped.  For times of a few milliseconds, which Python's own would blur.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), status;
	uint64_t start = now();
	pid_t pid;

	if (argc < 2 || null < 0)
		return 2;
	pid = vfork();
	if (!pid) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execv(argv[1], argv + 1);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		return 1;
	printf("%llu\n", (unsigned long long)(now() - start));
	return 0;
}
