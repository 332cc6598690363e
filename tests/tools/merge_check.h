/* SPDX-License-Identifier: Apache-2.0 */
/* For fuzzers: merges indexes in memory and aborts when the result is not a sound EROFS. */
#ifndef VPOD_TESTS_MERGE_CHECK_H
#define VPOD_TESTS_MERGE_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/strbuf.h"
#include "images/erofs_merge.h"
#include "tests/tools/erofs_check.h"

static inline void merge_must(bool ok, const struct err *e)
{
	if (ok)
		return;
	fprintf(stderr, "%s\n", e->msg);
	abort();
}

/* @is_ours: the indexes come from our reader, so they must parse. */
static inline void merge_and_check(const struct strbuf *indexes, unsigned nr, uint64_t data_size,
				   bool is_ours)
{
	static struct merge_input in;
	cleanup_close int meta = memfd_create("meta", MFD_CLOEXEC);
	cleanup_sb struct strbuf out = STRBUF_INIT;
	struct erofs_image img;
	struct err e = { 0 };
	uint64_t size;
	unsigned i;

	in.nr_layers = 0;
	in.seed = 1;
	for (i = 0; i < nr; i++) {
		if (merge_add(&in, indexes[i].buf, indexes[i].len, data_size, &e) < 0) {
			merge_must(!is_ours && e.msg[0], &e);
			return;
		}
	}
	/* A tar may link to what is not there: a verdict of the merge, with a message. */
	if (merge_run(&in, meta, &size, &e) < 0) {
		merge_must(e.msg[0], &e);
		return;
	}
	merge_must(lseek(meta, 0, SEEK_SET) == 0 &&
			   fs_read_fd(meta, "meta", 256u << 20, &out, &e) == 0,
		   &e);
	merge_must(out.len == size && erofs_open(&img, out.buf, out.len, &e) == 0, &e);
	merge_must(erofs_check(&img, &e) >= 0, &e);
}

#endif
