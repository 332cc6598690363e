/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: From layers to a root file system
 *
 * A layer (a tar, plain or gzip or zstd) is read once, by a jailed child without files or network,
 * and becomes two files:
 *
 *	data	the contents of its regular files, each at a 4 KiB boundary, nothing else
 *	index	what the tar says about each entry: path, type, mode, owner, times, xattrs, links,
 *		whiteouts, and where the content lies in the data file
 *
 * Both depend only on the tar's bytes and on LAYER_VERSION.  The store names them by the blob that
 * they were made from (images/store.h says why not by diff_id); every image with that blob shares
 * them.  An image then merges the indexes of its layers, bottom to top, into a "meta" file: the
 * EROFS superblock, inodes and directories.  Block addresses run through one address space: first
 * the meta file, then each layer's data file in order, each padded to 4 KiB.  The concatenation
 * meta + data 1 + ... + data N is a plain EROFS image that fsck.erofs and the kernel's mount
 *accept; a hypervisor shows it to the guest as one disk without anybody ever writing the
 *concatenation.
 */
#ifndef VPOD_IMAGES_LAYER_H
#define VPOD_IMAGES_LAYER_H

#include <stdint.h>

#include "base/err.h"
#include "images/digest.h"

#define LAYER_VERSION 1 /* of the two file formats and of what the writer does */
#define LAYER_MAX_ENTRIES 4000000u
#define MERGE_MAX_LAYERS 512u

enum layer_compression { LAYER_TAR, LAYER_GZIP, LAYER_ZSTD };

struct layer_in {
	int fd; /* the blob, already verified against its digest, at offset 0 */
	enum layer_compression compression;
	struct digest diff_id; /* of the uncompressed tar, "" when unknown */
	const char *name;      /* for messages */
};

struct layer_out {
	int data_fd; /* empty regular files, read-write, the caller's */
	int index_fd;
	struct digest diff_id; /* as the worker says: trust it only as far as the layer */
	uint64_t data_size;    /* bytes, a multiple of 4096 */
	uint64_t nr_entries;
};

/*
 * Converts one layer in a jailed child.  Safe to run for several layers at once, from several
 * processes.  Fails when the diff_id differs, the tar is broken, or a name leaves the root; then
 * the content of the two files is undefined and the caller discards them.
 */
int layer_convert(const struct layer_in *in, struct layer_out *out, struct err *e);

/* Starts the conversion without waiting, so that layers run side by side; finish with layer_wait().
 */
struct layer_job;
struct layer_job *layer_start(const struct layer_in *in, int data_fd, int index_fd, struct err *e);
int layer_wait(struct layer_job *job, struct layer_out *out, struct err *e); /* frees the job */
void layer_cancel(struct layer_job *job); /* instead of layer_wait(): kills; NULL is fine */

/* One layer of a merge, bottom first. */
struct merge_layer {
	int index_fd;
	uint64_t data_size; /* of its data file */
};

/*
 * Merges indexes into the meta file.  The same layers give the same bytes.  @meta_fd: an empty
 * regular file, read-write.  Runs jailed like layer_convert(), since indexes hold what strangers
 * wrote.
 */
int rootfs_merge(const struct merge_layer *layers, unsigned nr_layers, int meta_fd,
		 uint64_t *meta_size, struct err *e);

#endif
