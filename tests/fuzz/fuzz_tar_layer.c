/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blob bytes to layer to root file system, without the jail.  The first byte chooses the
 * compression; headers of a plain tar get a good checksum, or few inputs would get beyond it.
 * Whatever the reader takes, the merge parses, and what it writes is a sound EROFS.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "images/layer_tar.h"
#include "tests/tools/merge_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void fix_checksums(uint8_t *p, size_t n)
{
	for (; n >= 512; p += 512, n -= 512) {
		unsigned sum = 0, i;

		if (memcmp(p + 257, "ustar", 5) != 0)
			continue;
		memset(p + 148, ' ', 8);
		for (i = 0; i < 512; i++)
			sum += p[i];
		snprintf((char *)p + 148, 8, "%06o", sum);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	cleanup_sb struct strbuf tar = STRBUF_INIT;
	cleanup_close int blob = memfd_create("blob", MFD_CLOEXEC);
	cleanup_close int data = memfd_create("data", MFD_CLOEXEC);
	cleanup_close int index = memfd_create("index", MFD_CLOEXEC);
	struct layer_out out = { .data_fd = data, .index_fd = index };
	cleanup_sb struct strbuf ix = STRBUF_INIT;
	struct err e = { 0 };

	if (n < 1)
		return 0;
	sb_add(&tar, p + 1, n - 1);
	if (p[0] % 3 == LAYER_TAR)
		fix_checksums((uint8_t *)tar.buf, tar.len);
	if (fs_pwrite_all(blob, tar.buf, tar.len, 0) < 0)
		abort();
	if (layer_tar_read(blob, p[0] % 3, &out, &e) < 0)
		return e.msg[0] ? 0 : (abort(), 0);
	if (lseek(index, 0, SEEK_SET) < 0 || fs_read_fd(index, "index", 64u << 20, &ix, &e) < 0)
		abort();
	merge_and_check(&ix, 1, out.data_size, true);
	return 0;
}
