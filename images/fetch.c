/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "images/gc.h"
#include "images/key_lock.h"
#include "images/stamp.h"

/* gc holds the store lock exclusively while it removes files. */
#define STORE_TIMEOUT_MS 60000

void progress(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (log_enabled(LOG_INFO))
		log_info("%s", text);
	else if (isatty(STDERR_FILENO))
		fprintf(stderr, "%s\n", text);
}

static const struct image_format *find_format(enum ref_kind kind)
{
	unsigned i;

	for (i = 0; image_formats[i]->kind != kind; i++)
		;
	return image_formats[i];
}

static int lock_store(struct store *s, struct err *e)
{
	int r = store_lock(s, LOCK_SH, STORE_TIMEOUT_MS, e);

	if (r > 0)
		return err_set(e, EBUSY, "cannot use image store %s: process %d is cleaning it up",
			       s->path, (int)store_lock_owner(s->lock_fd));
	return r;
}

/* Everything between the manifest and the name happens under the image's own lock. */
static int commit(struct fetch *f, const struct strbuf *manifest, struct digest *id, struct err *e)
{
	struct key_lock lock;
	int r;

	if (digest_bytes(manifest->buf, manifest->len, id, e) < 0)
		return -1;
	if (key_lock(f->store, id, "image", &lock, e) < 0)
		return -1;
	r = render_image(f, manifest, id, e);
	key_unlock(&lock);
	return r;
}

/* An image asked for by its id gets no name: it has one, or is not to have one. */
static int record_name(struct fetch *f, const struct digest *id, char *stamp, struct err *e)
{
	struct store_ref r = { f->name, *id, (uint64_t)time(NULL), stamp };

	return f->ref.kind == REF_ID ? 0 : store_ref_write(f->store, &r, e);
}

static int run(struct fetch *f, struct digest *id, struct err *e)
{
	cleanup_sb struct strbuf manifest = STRBUF_INIT;
	cleanup_free char *stamp = NULL;

	/* Before anything is read: a change while we read shows as a different stamp next time. */
	if (stamp_make(&f->ref, &stamp, e) < 0 || f->format->open(f, e) < 0 ||
	    f->format->resolve(f, &manifest, e) < 0)
		return -1;
	if (commit(f, &manifest, id, e) < 0)
		return -1;
	return record_name(f, id, stamp, e);
}

int fetch_image(struct store *s, const char *text, const struct image_insecure *insecure,
		struct digest *id, char **name, struct err *e)
{
	struct fetch f = { .store = s, .insecure = *insecure };
	struct err ignored;
	int r;

	if (ref_parse(text, &f.ref, e) < 0)
		return -1;
	if (ref_resolve(&f.ref, e) < 0 || lock_store(s, e) < 0 || store_make_tmp(s, e) < 0) {
		ref_free(&f.ref);
		return -1;
	}
	f.name = ref_canonical(&f.ref);
	f.format = find_format(f.ref.kind);
	r = run(&f, id, e);
	f.format->close(&f);
	store_unlock(s);
	if (r < 0) {
		err_wrap(e, "cannot fetch image %.300s", f.name);
		/* What came before the failure is of no use, unless the next try will use it. */
		if (!f.is_transient)
			(void)gc_try_sweep(s, NULL, &ignored);
	} else {
		*name = xstrdup(f.name);
	}
	ref_free(&f.ref);
	free(f.name);
	return r;
}
