/* SPDX-License-Identifier: Apache-2.0 */
#include "stage0/kernel_unpack.h"

#include <archive.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

static const struct magic {
	char bytes[6];
	unsigned char len;
	int (*enable)(struct archive *a);
} magics[] = {
	{ "\x1f\x8b\x08", 3, archive_read_support_filter_gzip },
	{ "\xfd"
	  "7zXZ",
	  6, archive_read_support_filter_xz },
	{ "\x28\xb5\x2f\xfd", 4, archive_read_support_filter_zstd },
	{ "\x02\x21\x4c\x18", 4, archive_read_support_filter_lz4 }, /* legacy, what kernels use */
	{ "\x04\x22\x4d\x18", 4, archive_read_support_filter_lz4 },
	{ "BZh", 3, archive_read_support_filter_bzip2 },
	{ "\x5d\x00\x00", 3, archive_read_support_filter_lzma },
};

static const struct magic *find_magic(struct bytes in)
{
	size_t i;

	for (i = 0; i < nitems(magics); i++) {
		if (in.len >= magics[i].len && !memcmp(in.p, magics[i].bytes, magics[i].len))
			return &magics[i];
	}
	return NULL;
}

bool unpack_knows(struct bytes in)
{
	return find_magic(in);
}

bool unpack_is_gzip(struct bytes in)
{
	return find_magic(in) == &magics[0];
}

static int fail(struct archive *a, const char *what, struct err *e)
{
	const char *why = archive_error_string(a);

	return err_set(e, 0, "cannot unpack %s: %s", what, why ? why : "its content is broken");
}

static int read_all(struct archive *a, size_t max, const char *what, struct blob *out,
		    struct err *e)
{
	const void *p;
	la_int64_t off;
	size_t n;
	int r;

	while ((r = archive_read_data_block(a, &p, &n, &off)) == ARCHIVE_OK) {
		if (blob_append(out, p, n, max, what, e) < 0)
			return -1;
	}
	return r == ARCHIVE_EOF ? 0 : fail(a, what, e);
}

/* Only the filter whose magic matched, and never one that would start a program (ARCHIVE_WARN). */
static int open_raw(struct archive *a, struct bytes in, const char *what, struct err *e)
{
	const struct magic *m = find_magic(in);
	struct archive_entry *entry;

	if (!m)
		return err_set(e, 0, "cannot unpack %s: unknown compression (%02x %02x %02x %02x)",
			       what, in.len > 0 ? in.p[0] : 0, in.len > 1 ? in.p[1] : 0,
			       in.len > 2 ? in.p[2] : 0, in.len > 3 ? in.p[3] : 0);
	if (m->enable(a) != ARCHIVE_OK)
		return err_set(e, ENOSYS, "cannot unpack %s with this libarchive", what);
	if (archive_read_support_format_raw(a) != ARCHIVE_OK ||
	    archive_read_open_memory(a, in.p, in.len) != ARCHIVE_OK ||
	    archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return fail(a, what, e);
	if (archive_filter_count(a) != 2)
		return err_set(e, 0, "cannot unpack %s: its compressed content is broken", what);
	return 0;
}

int unpack_bytes(struct bytes in, size_t max, const char *what, struct blob *out, struct err *e)
{
	struct archive *a = archive_read_new();
	int r;

	*out = (struct blob){ 0 };
	if (!a)
		return err_set(e, ENOMEM, "cannot unpack %s", what);
	r = open_raw(a, in, what, e);
	if (!r)
		r = read_all(a, max, what, out, e);
	if (r < 0)
		blob_free(out);
	archive_read_free(a);
	return r;
}
