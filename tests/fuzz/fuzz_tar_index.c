/* SPDX-License-Identifier: Apache-2.0 */
/* The table of contents of an image archive: every range lies within the file. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "images/bag.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct bag b;
	struct err e;
	unsigned i;

	if (fd < 0 || fs_write_all(fd, p, n) < 0)
		abort();
	if (bag_open_tar(fd, "fuzz", &b, &e) < 0)
		return 0;
	for (i = 0; i < b.nr_files; i++) {
		cleanup_close int at = -1;
		struct span span;

		if (b.files[i].off > n || b.files[i].size > n - b.files[i].off)
			abort();
		if (!bag_find(&b, b.files[i].name, &span, &e))
			at = span.fd;
	}
	bag_close(&b);
	return 0;
}
