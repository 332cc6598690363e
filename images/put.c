/* SPDX-License-Identifier: Apache-2.0 */
#include "put.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static int crypto_broken(struct err *e)
{
	return err_set(e, 0, "cannot compute a sha256: libcrypto refuses");
}

static int finish_digest(EVP_MD_CTX *md, struct digest *out, struct err *e)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned i, n = 0;

	if (EVP_DigestFinal_ex(md, sum, &n) != 1 || n != DIGEST_HEX_LEN / 2)
		return crypto_broken(e);
	for (i = 0; i < n; i++)
		snprintf(out->hex + 2 * i, 3, "%02x", sum[i]);
	return 0;
}

int digest_bytes(const void *data, size_t n, struct digest *out, struct err *e)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int r = -1;

	if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(md, data, n) != 1)
		crypto_broken(e);
	else
		r = finish_digest(md, out, e);
	EVP_MD_CTX_free(md);
	return r;
}

#define SEND_SIZE (16u << 20)

static int cannot_store(const struct put *p, struct err *e)
{
	err_set(e, errno, "cannot store %s", p->what);
	return store_explain(p->s, p->expect ? p->expect->size : p->size, e);
}

/* Asks for all the room at once, so that a full disk is known before the transfer. */
static int reserve(struct put *p, struct err *e)
{
	if (!p->expect || !p->expect->size)
		return 0;
	if (!fallocate(p->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)p->expect->size) ||
	    errno == EOPNOTSUPP)
		return 0;
	return cannot_store(p, e);
}

int put_begin(struct store *s, struct put *p, const struct desc *expect, uint64_t max,
	      const char *what, struct err *e)
{
	static unsigned counter;

	*p = (struct put){ .s = s, .fd = -1, .expect = expect, .what = what, .max = max };
	if (expect)
		p->max = expect->size;
	snprintf(p->tmp, sizeof(p->tmp), "blob%u", counter++);
	p->fd = openat(s->tmp_fd, p->tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (p->fd < 0)
		return cannot_store(p, e);
	p->md = EVP_MD_CTX_new();
	if (!p->md || EVP_DigestInit_ex(p->md, EVP_sha256(), NULL) != 1) {
		put_abort(p);
		return crypto_broken(e);
	}
	if (reserve(p, e) < 0) {
		put_abort(p);
		return -1;
	}
	return 0;
}

/* The disk works while we do, so that fsync() has little left to wait for. */
static void send_early(struct put *p)
{
	if (p->size - p->sent < SEND_SIZE)
		return;
	(void)sync_file_range(p->fd, (off_t)p->sent, (off_t)(p->size - p->sent),
			      SYNC_FILE_RANGE_WRITE); /* a hint; fsync() tells what fails */
	p->sent = p->size;
}

int put_write(struct put *p, const void *data, size_t n, struct err *e)
{
	if (n > p->max - p->size)
		return err_setk(e, ERR_DENIED, 0,
				"cannot store %s: it is longer than %" PRIu64
				" bytes, which is what %s",
				p->what, p->max, p->expect ? "its descriptor says" : "is allowed");
	if (fs_write_all(p->fd, data, n) < 0) {
		p->size += n;
		return cannot_store(p, e);
	}
	p->size += n;
	send_early(p);
	return EVP_DigestUpdate(p->md, data, n) == 1 ? 0 : crypto_broken(e);
}

int put_restart(struct put *p, struct err *e)
{
	p->size = p->sent = 0;
	if (lseek(p->fd, 0, SEEK_SET) < 0 || ftruncate(p->fd, 0) < 0)
		return cannot_store(p, e);
	return EVP_DigestInit_ex(p->md, EVP_sha256(), NULL) == 1 ? 0 : crypto_broken(e);
}

int put_copy(struct put *p, int fd, uint64_t off, uint64_t size, struct err *e)
{
	cleanup_free char *buf = xmalloc(1u << 18);
	bool to_the_end = size == UINT64_MAX;

	while (size) {
		size_t want = size < (1u << 18) ? (size_t)size : 1u << 18;
		ssize_t n = pread(fd, buf, want, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "cannot read %s", p->what);
		if (!n && to_the_end)
			return 0;
		if (!n)
			return err_set(e, 0, "cannot read %s: it ends early", p->what);
		if (put_write(p, buf, (size_t)n, e) < 0)
			return -1;
		off += (uint64_t)n;
		size -= to_the_end ? 0 : (uint64_t)n;
	}
	return 0;
}

static int check(const struct put *p, const struct digest *sum, struct err *e)
{
	if (!p->expect)
		return 0;
	if (p->size != p->expect->size)
		return err_setk(e, ERR_DENIED, 0,
				"cannot store %s: it has %" PRIu64
				" bytes, its descriptor says %" PRIu64,
				p->what, p->size, p->expect->size);
	if (!digest_equal(sum, &p->expect->digest))
		return err_setk(e, ERR_DENIED, 0,
				"cannot store %s: its content has the digest sha256:%s", p->what,
				sum->hex);
	return 0;
}

static int make_durable(struct put *p, struct err *e)
{
	if (fchmod(p->fd, 0400) < 0 || fsync(p->fd) < 0)
		return cannot_store(p, e);
	return 0;
}

int put_commit(struct put *p, struct desc *out, struct err *e)
{
	char name[STORE_NAME_MAX];
	struct desc d = { .size = p->size };
	int r = finish_digest(p->md, &d.digest, e);

	if (!r)
		r = check(p, &d.digest, e);
	if (!r)
		r = make_durable(p, e);
	if (!r)
		r = store_publish(p->s, p->tmp, store_blob_name(&d.digest, name), e);
	if (!r && out)
		*out = d;
	put_abort(p);
	return r;
}

void put_abort(struct put *p)
{
	if (p->fd >= 0)
		/* Gone already when it was published; else tidying, and the directory goes too. */
		(void)unlinkat(p->s->tmp_fd, p->tmp, 0);
	close_p(&p->fd);
	EVP_MD_CTX_free(p->md);
	p->md = NULL;
}

int put_bytes(struct store *s, const void *data, size_t n, const char *what, struct desc *out,
	      struct err *e)
{
	struct put p;

	if (put_begin(s, &p, NULL, n, what, e) < 0)
		return -1;
	if (put_write(&p, data, n, e) < 0) {
		put_abort(&p);
		return -1;
	}
	return put_commit(&p, out, e);
}
