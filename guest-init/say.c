/* SPDX-License-Identifier: Apache-2.0 */
#include "say.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "podspec.h"

static bool tells_steps;
static int dev_fd = -1; /* the initramfs' /dev, which stays when the root is another */
static int console_fd = -1;

/* Ends the text and writes it whole, so that lines of the kernel do not come between. */
static void put(char *line, size_t size, const char *fmt, va_list ap)
{
	size_t len = strlen(line);

	vsnprintf(line + len, size - len - 1, fmt, ap);
	len = strlen(line);
	line[len] = '\n';
	/* Not before there is something to say: opening the serial port is a fiftieth of a boot. */
	if (console_fd < 0)
		console_fd = openat(dev_fd, SAY_CONSOLE, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (write(console_fd, line, len + 1) < 0)
		return; /* there is no console, and nowhere else to tell it */
}

void say(const char *fmt, ...)
{
	char line[1200] = "vpod-init: ";
	va_list ap;

	va_start(ap, fmt);
	put(line, sizeof(line), fmt, ap);
	va_end(ap);
}

void say_steps(bool on)
{
	tells_steps = on;
}

void say_step(const char *fmt, ...)
{
	char line[400];
	uint64_t us = now_ns() / 1000;
	va_list ap;

	if (!tells_steps)
		return;
	snprintf(line, sizeof(line), "vpod-init: [%5u.%06u] ", (unsigned)(us / 1000000),
		 (unsigned)(us % 1000000));
	va_start(ap, fmt);
	put(line, sizeof(line), fmt, ap);
	va_end(ap);
}

void say_open(void)
{
	int fd;

	dev_fd = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fcntl(STDERR_FILENO, F_GETFD) >= 0)
		return;
	/* without the initramfs' /dev/console, descriptors 0 to 2 must still be taken */
	fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < STDERR_FILENO)
		fd = dup(fd);
}

void say_leave(void)
{
	close_p(&dev_fd);
	close_p(&console_fd);
}
