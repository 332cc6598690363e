/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1 of a machine that is measured from outside.  Its first instructions print "#!#".  Then its
 * kernel command line says what it does:
 *
 *	bench=boot	nothing
 *	bench=read	reads /dev/vda to its end by O_DIRECT, bench=write writes it
 *	bench=send	sends BYTES to port 5000 of 10.0.2.1 over eth0
 *	bench=receive	receives from there to the end
 *	bench=ping	sends a byte there and waits for it to come back, ROUNDS times
 *
 * A result is the line "@NAME NANOSECONDS BYTES" there.  It ends by a reboot.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define BYTES (64u << 20)
#define CHUNK (1u << 18)
#define ROUNDS 2000u

static char chunk[CHUNK] __attribute__((aligned(4096)));

static void say(const char *fmt, ...)
{
	char line[200];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void disk(int is_write)
{
	int fd = open("/dev/vda", (is_write ? O_WRONLY : O_RDONLY) | O_DIRECT);
	uint64_t start = now(), sum = 0;
	ssize_t n = 1;

	while (fd >= 0 && n > 0) {
		n = is_write ? write(fd, chunk, CHUNK) : read(fd, chunk, CHUNK);
		sum += n > 0 ? (uint64_t)n : 0;
	}
	if (is_write)
		fdatasync(fd);
	say("@%s %llu %llu\n", is_write ? "write" : "read", (unsigned long long)(now() - start),
	    (unsigned long long)sum);
}

static int network(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct ifreq r = { 0 };
	int s = socket(AF_INET, SOCK_STREAM, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "eth0");
	inet_pton(AF_INET, "10.0.2.2", &a.sin_addr);
	memcpy(&r.ifr_addr, &a, sizeof(a));
	if (ioctl(s, SIOCSIFADDR, &r) < 0)
		say("no eth0\n");
	inet_pton(AF_INET, "255.255.255.0", &a.sin_addr);
	memcpy(&r.ifr_netmask, &a, sizeof(a));
	ioctl(s, SIOCSIFNETMASK, &r);
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	ioctl(s, SIOCSIFFLAGS, &r);
	inet_pton(AF_INET, "10.0.2.1", &a.sin_addr);
	a.sin_port = htons(5000);
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		say("no connection\n");
	return s;
}

static void stream(int is_send)
{
	int s = network();
	uint64_t start = now(), sum = 0;
	ssize_t n = 1;

	while (n > 0 && (!is_send || sum < BYTES)) {
		n = is_send ? send(s, chunk, CHUNK, 0) : recv(s, chunk, CHUNK, 0);
		sum += n > 0 ? (uint64_t)n : 0;
	}
	if (is_send) { /* the other end closes when it has all */
		shutdown(s, SHUT_WR);
		while (recv(s, chunk, CHUNK, 0) > 0)
			;
	}
	say("@%s %llu %llu\n", is_send ? "send" : "receive", (unsigned long long)(now() - start),
	    (unsigned long long)sum);
}

static void ping(void)
{
	int s = network(), on = 1;
	uint64_t start;
	unsigned i;

	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	start = now();
	for (i = 0; i < ROUNDS; i++) {
		if (send(s, chunk, 1, 0) != 1 || recv(s, chunk, 1, 0) != 1)
			break;
	}
	say("@ping %llu %u\n", (unsigned long long)(now() - start), i);
}

int main(void)
{
	static char line[4096];
	int fd;

	say("#!#\n");
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	fd = open("/proc/cmdline", O_RDONLY);
	if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0)
		say("no command line\n");
	mkdir("/dev", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	if (strstr(line, "bench=read"))
		disk(0);
	else if (strstr(line, "bench=write"))
		disk(1);
	else if (strstr(line, "bench=send"))
		stream(1);
	else if (strstr(line, "bench=receive"))
		stream(0);
	else if (strstr(line, "bench=ping"))
		ping();
	tcdrain(STDOUT_FILENO);
	reboot(RB_AUTOBOOT);
	return 1;
}
