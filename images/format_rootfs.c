/* SPDX-License-Identifier: Apache-2.0 */
/* A bare root file system, as a directory or a tar: an image of one layer. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "images/formats.h"

static int rootfs_open(struct fetch *f, struct err *e)
{
	struct stat st;
	bool want_dir = f->ref.kind == REF_DIR;

	if (stat(f->ref.path, &st) < 0)
		return err_setk(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_ENGINE, errno,
				"cannot open %s", f->ref.path);
	if (want_dir ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		return err_set(e, 0, "cannot open %s: not a %s", f->ref.path,
			       want_dir ? "directory" : "regular file");
	return 0;
}

static int copy_file(struct fetch *f, struct put *p, struct err *e)
{
	cleanup_close int fd = open(f->ref.path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_set(e, errno, "cannot open %s", f->ref.path);
	return put_copy(p, fd, 0, UINT64_MAX, e);
}

static int rootfs_resolve(struct fetch *f, struct strbuf *manifest, struct err *e)
{
	struct digest diff_id;
	struct desc layer;
	struct put p;
	int r;

	progress("reading %s", f->ref.path);
	if (put_begin(f->store, &p, NULL, 1ull << 40, "the root file system", e) < 0)
		return -1;
	r = f->ref.kind == REF_DIR ? tree_to_tar(f->ref.path, &p, e) : copy_file(f, &p, e);
	if (r < 0) {
		put_abort(&p);
		return -1;
	}
	if (put_commit(&p, &layer, e) < 0 || render_lone_layer(f, &layer.digest, &diff_id, e) < 0)
		return -1;
	return synth_image(f->store, &layer, &diff_id, manifest, e);
}

static int rootfs_blob(struct fetch *f, const struct desc *d, struct put *p, struct err *e)
{
	(void)f;
	(void)p;
	return err_set(e, 0, "blob sha256:%s vanished from the store", d->digest.hex);
}

static void rootfs_close(struct fetch *f)
{
	(void)f;
}

const struct image_format format_dir = {
	.kind = REF_DIR,
	.open = rootfs_open,
	.resolve = rootfs_resolve,
	.blob = rootfs_blob,
	.close = rootfs_close,
};

const struct image_format format_tar = {
	.kind = REF_TAR,
	.open = rootfs_open,
	.resolve = rootfs_resolve,
	.blob = rootfs_blob,
	.close = rootfs_close,
};
