/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: Names are bytes
 *
 * libarchive converts pax names from UTF-8 to the locale's character set and normalises them (NFC)
 * when the locale is UTF-8, so that two files could become one.  In the "C" locale ASCII names
 * convert to themselves, and for all others the conversion fails, upon which libarchive warns and
 * hands out the bytes as they stand in the tar.  That is what we want, so the locale is "C" and
 * warnings about names are not errors.  ustar and GNU names are never converted.
 */
#include "layer_tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "images/layer_file.h"
#include "images/layer_index.h"
#include "images/layer_path.h"
#include "images/layer_stream.h"

#define DATA_BUFFER (1u << 20)

struct reader {
	struct stream *stream;
	struct archive *ar;
	struct outfile data;
	struct index_writer index;
	struct err *e; /* of the call under way; the stream reports through it */
	bool stream_failed;
	bool in_content; /* of an entry: what is missing there is truly missing */
	bool is_padded;
	uint64_t nr_fed; /* bytes of the stream */
	struct clean_path path;
	unsigned char xattrs[LAYER_MAX_XATTRS];
};

/*
 * Bytes for libarchive.  Between entries a tar that ends within a block gets the rest of it as
 * zeros: umoci insert and others leave out the padding of the last file, and everybody takes such
 * layers.
 */
static la_ssize_t feed(struct archive *ar, void *ctx, const void **p)
{
	static const char zeros[512];
	struct reader *r = ctx;
	ssize_t n = stream_read(r->stream, p, r->e);

	if (!n && !r->in_content && !r->is_padded && r->nr_fed % sizeof(zeros)) {
		r->is_padded = true;
		*p = zeros;
		return (la_ssize_t)(sizeof(zeros) - r->nr_fed % sizeof(zeros));
	}
	r->nr_fed += n > 0 ? (uint64_t)n : 0;

	if (n < 0) {
		r->stream_failed = true;
		archive_set_error(ar, EIO, "the stream is broken");
	}
	return n;
}

/* libarchive's own text may quote names: the parent escapes it. */
static int tar_error(struct reader *r, struct err *e)
{
	const char *why = archive_error_string(r->ar);

	if (r->stream_failed)
		return -1; /* the stream has told why */
	return err_set(e, 0, "cannot read the tar: %.400s", why ? why : "broken");
}

static int entry_error(const struct reader *r, const char *why, struct err *e)
{
	return err_set(e, 0, "cannot take entry \"%.300s\": %s", r->path.len ? r->path.text : "/",
		       why);
}

static int take_owner(struct reader *r, struct archive_entry *ae, struct index_rec *rec,
		      struct err *e)
{
	int64_t uid = archive_entry_uid(ae), gid = archive_entry_gid(ae);

	/* 2^32 - 1 means "do not change" to chown(2): no file can have it. */
	if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return entry_error(r, "its owner is out of range", e);
	rec->uid = (uint32_t)uid;
	rec->gid = (uint32_t)gid;
	return 0;
}

static void take_times(struct archive_entry *ae, struct index_rec *rec)
{
	long nsec = archive_entry_mtime_nsec(ae);

	rec->mtime = archive_entry_mtime_is_set(ae) ? archive_entry_mtime(ae) : 0;
	rec->mtime_nsec = nsec > 0 && nsec < 1000000000 ? (uint32_t)nsec : 0;
}

/* overlayfs would take these for its own marks: a layer could hide or redirect what it likes. */
static bool is_overlay_mark(const char *name)
{
	return strncmp(name, "trusted.overlay.", 16) == 0 ||
	       strncmp(name, "user.overlay.", 13) == 0;
}

static int take_xattrs(struct reader *r, struct archive_entry *ae, struct index_rec *rec,
		       struct err *e)
{
	const char *name;
	const void *value;
	size_t n;

	/* libarchive lists the last one of the header first, and the first of a name is kept here.
	 */
	archive_entry_xattr_reset(ae);
	while (archive_entry_xattr_next(ae, &name, &value, &n) == ARCHIVE_OK) {
		if (!name || is_overlay_mark(name))
			continue;
		if (xattr_append(r->xattrs, &rec->xattr_len, name, value, n) < 0)
			return entry_error(r, "its extended attributes are too large", e);
	}
	return 0;
}

/* One piece of content at @off, where @pos have been written. */
static int take_piece(struct reader *r, const struct index_rec *rec, uint64_t *pos, const void *p,
		      size_t n, int64_t off, struct err *e)
{
	if (off < 0 || (uint64_t)off < *pos || (uint64_t)off > rec->size ||
	    n > rec->size - (uint64_t)off)
		return entry_error(r, "the map of its holes is broken", e);
	if (outfile_zeros(&r->data, (uint64_t)off - *pos, e) < 0 ||
	    outfile_write(&r->data, p, n, e) < 0)
		return -1;
	*pos = (uint64_t)off + n;
	return 0;
}

static int take_content(struct reader *r, struct index_rec *rec, struct err *e)
{
	uint64_t pos = 0, begin = outfile_tell(&r->data);
	const void *p;
	int64_t off;
	size_t n;
	int ret;

	if (rec->size > LAYER_MAX_DATA - begin)
		return entry_error(r, "the layer's files are larger than 1 TiB", e);
	rec->data_block = rec->size ? begin / LAYER_BLOCK : 0;
	for (;;) {
		r->in_content = pos < rec->size; /* its padding is asked for in here too */
		ret = archive_read_data_block(r->ar, &p, &n, &off);
		r->in_content = false;
		if (ret == ARCHIVE_EOF)
			break;
		if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
			return tar_error(r, e);
		if (n && take_piece(r, rec, &pos, p, n, off, e) < 0)
			return -1;
	}
	if (outfile_zeros(&r->data, rec->size - pos, e) < 0)
		return -1;
	return outfile_align(&r->data, LAYER_BLOCK, e);
}

static int take_device(struct reader *r, struct archive_entry *ae, struct index_rec *rec,
		       struct err *e)
{
	rec->kind = archive_entry_filetype(ae) == AE_IFCHR ? INDEX_CHAR : INDEX_BLOCK;
	if (!index_rdev((uint64_t)archive_entry_rdevmajor(ae),
			(uint64_t)archive_entry_rdevminor(ae), &rec->rdev))
		return entry_error(r, "its device number is out of range", e);
	return 0;
}

static int take_link(const struct reader *r, const char *target, struct index_rec *rec,
		     struct err *e)
{
	size_t n = target ? strlen(target) : 0;

	if (n == 0 || n > LAYER_MAX_PATH)
		return entry_error(
			r, n ? "its target is longer than 4095 bytes" : "it links to nothing", e);
	rec->link_len = (uint16_t)n;
	return 0;
}

static int take_file(struct reader *r, struct archive_entry *ae, struct index_rec *rec,
		     struct err *e)
{
	int64_t size = archive_entry_size_is_set(ae) ? archive_entry_size(ae) : 0;

	if (size < 0)
		return entry_error(r, "its size is out of range", e);
	rec->kind = INDEX_FILE;
	rec->size = (uint64_t)size;
	return take_content(r, rec, e);
}

/* What depends on the type. @link receives the target, if there is one. */
static int take_type(struct reader *r, struct archive_entry *ae, struct index_rec *rec,
		     const char **link, struct err *e)
{
	*link = archive_entry_hardlink(ae);
	if (*link) {
		/* A payload, which POSIX allows, is skipped: it can only repeat the target's. */
		rec->kind = INDEX_HARDLINK;
		return take_link(r, *link, rec, e);
	}
	switch (archive_entry_filetype(ae)) {
	case AE_IFREG:
		return take_file(r, ae, rec, e);
	case AE_IFDIR:
		rec->kind = INDEX_DIR;
		return 0;
	case AE_IFLNK:
		rec->kind = INDEX_SYMLINK;
		*link = archive_entry_symlink(ae);
		return take_link(r, *link, rec, e);
	case AE_IFCHR:
	case AE_IFBLK:
		return take_device(r, ae, rec, e);
	case AE_IFIFO:
		rec->kind = INDEX_FIFO;
		return 0;
	default:
		return entry_error(r, "its type is unknown", e);
	}
}

static int take_plain(struct reader *r, struct archive_entry *ae, struct err *e)
{
	struct index_rec rec = { .path_len = (uint16_t)r->path.len };
	const char *link = NULL;

	rec.mode = (uint16_t)(archive_entry_mode(ae) & 07777);
	take_times(ae, &rec);
	if (take_owner(r, ae, &rec, e) < 0 || take_xattrs(r, ae, &rec, e) < 0 ||
	    take_type(r, ae, &rec, &link, e) < 0)
		return -1;
	if (r->path.len == 0 && rec.kind != INDEX_DIR)
		return entry_error(r, "the root must stay a directory", e);
	return index_add(&r->index, &rec, r->path.text, link, r->xattrs, e);
}

static int take_entry(struct reader *r, struct archive_entry *ae, struct err *e)
{
	const char *name = archive_entry_pathname(ae);
	struct index_rec rec = { 0 };

	if (path_clean(name ? name : "", &r->path, e) < 0)
		return -1;
	switch (r->path.what) {
	case PATH_PLAIN:
		return take_plain(r, ae, e);
	case PATH_IGNORED:
		return 0;
	case PATH_WHITEOUT:
		rec.kind = INDEX_WHITEOUT;
		break;
	case PATH_OPAQUE:
		rec.kind = INDEX_OPAQUE;
		break;
	}
	rec.path_len = (uint16_t)r->path.len;
	return index_add(&r->index, &rec, r->path.text, NULL, NULL, e);
}

static int read_entries(struct reader *r, struct err *e)
{
	struct archive_entry *ae;
	int ret;

	for (;;) {
		ret = archive_read_next_header(r->ar, &ae);
		if (ret == ARCHIVE_EOF)
			return 0;
		if (ret == ARCHIVE_RETRY)
			continue;
		if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
			return tar_error(r, e);
		if (take_entry(r, ae, e) < 0)
			return -1;
	}
}

/* Tar and, for a stream of no bytes, "empty"; no filter: the stream is plain by now. */
static int open_archive(struct reader *r, struct err *e)
{
	r->ar = archive_read_new();
	if (!r->ar)
		return err_set(e, ENOMEM, "cannot read the tar");
	if (archive_read_support_format_tar(r->ar) != ARCHIVE_OK ||
	    archive_read_support_format_empty(r->ar) != ARCHIVE_OK ||
	    archive_read_open(r->ar, r, NULL, feed, NULL) != ARCHIVE_OK)
		return tar_error(r, e);
	return 0;
}

static int read_all(struct reader *r, struct layer_out *out, struct err *e)
{
	if (open_archive(r, e) < 0 || read_entries(r, e) < 0)
		return -1;
	/* What follows the end mark belongs to the digest, too. */
	if (stream_finish(r->stream, &out->diff_id, e) < 0)
		return -1;
	out->data_size = outfile_tell(&r->data);
	out->nr_entries = r->index.nr_entries;
	if (outfile_finish(&r->data, e) < 0)
		return -1;
	return index_finish(&r->index, out->data_size, &out->diff_id, e);
}

int layer_tar_read(int blob_fd, enum layer_compression compression, struct layer_out *out,
		   struct err *e)
{
	struct reader *r = xcalloc(1, sizeof(*r));
	int ret = -1;

	r->e = e;
	r->stream = stream_open(blob_fd, compression, e);
	if (r->stream && index_create(&r->index, out->index_fd, e) == 0 &&
	    outfile_open(&r->data, out->data_fd, DATA_BUFFER, "the layer's data", e) == 0)
		ret = read_all(r, out, e);
	archive_read_free(r->ar);
	stream_close(r->stream);
	index_free_writer(&r->index);
	outfile_close(&r->data);
	free(r);
	return ret;
}

/* A pax header with a name outside of ASCII, so that the rehearsal opens the converter. */
static const char rehearsal_pax[] = "11 path=\xc3\xa9\n";

static void put_header(char *block, const char *name, char type, unsigned size)
{
	unsigned sum = 0, i;

	memset(block, 0, 512);
	snprintf(block, 100, "%s", name);
	snprintf(block + 100, 8, "%07o", 0644);
	snprintf(block + 108, 8, "%07o", 0);
	snprintf(block + 116, 8, "%07o", 0);
	snprintf(block + 124, 12, "%011o", size);
	snprintf(block + 136, 12, "%011o", 0);
	memset(block + 148, ' ', 8);
	block[156] = type;
	memcpy(block + 257, "ustar\00000", 8);
	for (i = 0; i < 512; i++)
		sum += (unsigned char)block[i];
	snprintf(block + 148, 8, "%06o", sum);
}

/*
 * Reads a tiny tar outside of the jail: what libc, libarchive and OpenSSL look up once (converters,
 * providers) is then in memory.
 */
int layer_tar_prepare(struct err *e)
{
	cleanup_close int blob = memfd_create("rehearsal", MFD_CLOEXEC);
	cleanup_close int data = memfd_create("rehearsal", MFD_CLOEXEC);
	cleanup_close int index = memfd_create("rehearsal", MFD_CLOEXEC);
	struct layer_out out = { .data_fd = data, .index_fd = index };
	char tar[512 * 6] = { 0 };

	if (!setlocale(LC_ALL, "C"))
		return err_set(e, 0, "cannot set the locale to C");
	put_header(tar, "pax", 'x', sizeof(rehearsal_pax) - 1);
	memcpy(tar + 512, rehearsal_pax, sizeof(rehearsal_pax) - 1);
	put_header(tar + 1024, "file", '0', 0);
	if (blob < 0 || data < 0 || index < 0 || fs_pwrite_all(blob, tar, sizeof(tar), 0) < 0)
		return err_set(e, errno, "cannot prepare the tar reader");
	if (layer_tar_read(blob, LAYER_TAR, &out, e) < 0)
		return -1;
	return out.nr_entries == 1 ? 0 : err_set(e, 0, "cannot prepare the tar reader");
}
