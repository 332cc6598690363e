/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The index of a layer
 *
 * A header, then one record per entry of the tar, in the tar's order, each a multiple of 8 bytes:
 *
 *	struct index_rec | path | link target | xattrs in EROFS form | zeros up to 8 bytes
 *
 * Little-endian, as all machines we run on.  The file is written by a process that parsed hostile
 * input, so the reader believes nothing: index_next() checks every length, offset, name and xattr
 * of a record before anybody sees it.  What it returns may be used without further checks.
 */
#ifndef VPOD_IMAGES_LAYER_INDEX_H
#define VPOD_IMAGES_LAYER_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "images/digest.h"
#include "images/layer_file.h"

#define LAYER_BLOCK 4096u
#define LAYER_MAX_PATH 4095u
#define LAYER_MAX_NAME 255u
#define LAYER_MAX_XATTRS (64u << 10) /* bytes per entry, in EROFS form */
/* Of one layer's files: 1 TiB, holes included. EROFS could address 16 TiB in all. */
#define LAYER_MAX_DATA (UINT64_C(1) << 40)
#define INDEX_MAX (UINT64_C(1) << 30)

enum index_kind {
	INDEX_FILE,
	INDEX_DIR,
	INDEX_SYMLINK,
	INDEX_HARDLINK,
	INDEX_CHAR,
	INDEX_BLOCK,
	INDEX_FIFO,
	INDEX_WHITEOUT, /* path: what it hides in the layers below */
	INDEX_OPAQUE,	/* path: the directory whose content in the layers below it hides */
	INDEX_NR_KINDS,
};

struct index_header {
	char magic[8];
	uint32_t version; /* LAYER_VERSION */
	uint32_t reserved;
	uint64_t nr_entries;
	uint64_t body_len;  /* bytes of records */
	uint64_t data_size; /* of the data file */
	uint8_t diff_id[32];
	uint8_t zero[56];
};
_Static_assert(sizeof(struct index_header) == 128, "on-disk format");

struct index_rec {
	uint32_t len; /* of the whole record */
	uint8_t kind; /* enum index_kind */
	uint8_t reserved;
	uint16_t mode; /* permission bits, 07777 */
	uint32_t uid;
	uint32_t gid;
	int64_t mtime;
	uint32_t mtime_nsec;
	uint32_t rdev;	     /* as EROFS stores it, see index_rdev() */
	uint64_t size;	     /* INDEX_FILE */
	uint64_t data_block; /* INDEX_FILE with a size: first block in the data file */
	uint16_t path_len;   /* 0: the root directory */
	uint16_t link_len;
	uint32_t xattr_len;
	uint64_t reserved2;
};
_Static_assert(sizeof(struct index_rec) == 64, "on-disk format");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "formats are little-endian");

static inline const char *index_path(const struct index_rec *r)
{
	return (const char *)(r + 1);
}

static inline const char *index_link(const struct index_rec *r)
{
	return index_path(r) + r->path_len;
}

static inline const unsigned char *index_xattrs(const struct index_rec *r)
{
	return (const unsigned char *)index_link(r) + r->link_len;
}

/* Writing. Fills in the lengths of @r; @path, @link and @xattrs must be good. */
struct index_writer {
	struct outfile file;
	uint64_t nr_entries;
};
int index_create(struct index_writer *w, int fd, struct err *e);
int index_add(struct index_writer *w, struct index_rec *r, const char *path, const char *link,
	      const void *xattrs, struct err *e);
int index_finish(struct index_writer *w, uint64_t data_size, const struct digest *diff_id,
		 struct err *e);
void index_free_writer(struct index_writer *w);

/* Reading, from memory that stays the caller's and is aligned to 8 bytes. */
struct index {
	const struct index_header *header;
	const unsigned char *pos;
	const unsigned char *end;
	uint64_t nr_seen;
};
int index_open(struct index *ix, const void *p, size_t n, struct err *e);
void index_rewind(struct index *ix);

/* The next record: 1, 0 at the end, -1 when it breaks a rule. */
int index_next(struct index *ix, const struct index_rec **out, struct err *e);

/* Device numbers: 12 bits of major, 20 of minor, as in the kernel's new_encode_dev(). */
bool index_rdev(uint64_t major, uint64_t minor, uint32_t *out);

/*
 * Appends an xattr in EROFS form (struct erofs_xattr_entry, name without prefix, value, zeros up to
 * 4 bytes) to @buf, which holds LAYER_MAX_XATTRS.  One of that name that is there already stays.
 * Returns 0, 1 when EROFS has no place for such a name (then nothing is added), -1 when too big.
 */
int xattr_append(unsigned char *buf, uint32_t *len, const char *name, const void *value,
		 size_t value_len);

#endif
