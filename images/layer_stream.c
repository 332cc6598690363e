/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: Exactly one decompressor, the declared one
 *
 * Nothing is guessed from the bytes: a blob that is declared gzip is gzip from its first byte to
 * its last.  Several gzip members or zstd frames one after another are one stream, as for gzip(1),
 * zstd(1) and Go's reader.  What follows the last member and is not a member is refused, as Go's
 * reader does: such bytes would be covered by the blob's digest, but by nobody's parser.
 *
 * gzip is read by ISA-L and not by zlib: decompression is most of what a fetch costs, and ISA-L
 * halves it.
 */
#include "layer_stream.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/strbuf.h"

#define IN_SIZE (128u << 10)
#define OUT_SIZE (256u << 10)
/* 128 MiB: what zstd(1) itself accepts without --memory. More is refused by the library. */
#define ZSTD_WINDOW_LOG 27

struct stream {
	int fd;
	enum layer_compression compression;
	bool in_eof;	/* the fd is exhausted */
	bool in_member; /* a gzip member or a zstd frame has begun and not ended */
	bool any;	/* a member has been seen */
	EVP_MD_CTX *md;
	uint64_t total; /* bytes given out */
	struct inflate_state gzip;
	ZSTD_DCtx *zstd;
	size_t in_pos, in_len;
	unsigned char in[IN_SIZE];
	unsigned char out[OUT_SIZE];
};

void stream_close(struct stream *s)
{
	if (!s)
		return;
	EVP_MD_CTX_free(s->md);
	ZSTD_freeDCtx(s->zstd);
	free(s);
}

static int start_decoder(struct stream *s)
{
	switch (s->compression) {
	case LAYER_TAR:
		return 0;
	case LAYER_GZIP:
		isal_inflate_init(&s->gzip);
		s->gzip.crc_flag = ISAL_GZIP; /* a gzip header and trailer, and both checked */
		return 0;
	case LAYER_ZSTD:
		s->zstd = ZSTD_createDCtx();
		if (!s->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax,
								    ZSTD_WINDOW_LOG)))
			return -1;
		return 0;
	}
	return -1;
}

struct stream *stream_open(int fd, enum layer_compression compression, struct err *e)
{
	struct stream *s = xcalloc(1, sizeof(*s));

	s->fd = fd;
	s->compression = compression;
	s->md = EVP_MD_CTX_new();
	if (!s->md || EVP_DigestInit_ex(s->md, EVP_sha256(), NULL) != 1 || start_decoder(s) < 0) {
		err_set(e, 0, "cannot start the decompressor or the digest: out of memory");
		stream_close(s);
		return NULL;
	}
	return s;
}

/* Refills the input when it is empty. */
static int fill(struct stream *s, struct err *e)
{
	ssize_t n;

	if (s->in_pos < s->in_len || s->in_eof)
		return 0;
	do
		n = read(s->fd, s->in, sizeof(s->in));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, errno, "cannot read the blob");
	s->in_pos = 0;
	s->in_len = (size_t)n;
	s->in_eof = n == 0;
	return 0;
}

static int gzip_error(const struct stream *s, int r, struct err *e)
{
	if (s->any && !s->in_member)
		return err_set(e, 0,
			       "cannot decompress: bytes that are not gzip follow the gzip data");
	return err_set(e, 0, "cannot decompress: broken gzip data%s",
		       r == ISAL_INCORRECT_CHECKSUM ? ": wrong checksum" : "");
}

/* One step: consumes input, produces 0 or more bytes into @out. */
static ssize_t step_gzip(struct stream *s, unsigned char *out, size_t room, struct err *e)
{
	struct inflate_state *z = &s->gzip;
	bool is_end;
	int r;

	/* ISA-L looks at a header only when it is whole, and so could miss a short piece of
	 * garbage. */
	if (!s->in_member && s->in_pos < s->in_len && s->in[s->in_pos] != 0x1f)
		return gzip_error(s, ISAL_INVALID_WRAPPER, e);
	z->next_in = s->in + s->in_pos;
	z->avail_in = (uint32_t)(s->in_len - s->in_pos);
	z->next_out = out;
	z->avail_out = (uint32_t)room;
	r = isal_inflate(z);
	/* The positive ones: the input or the room is used up, which is no error of the data. */
	if (r != ISAL_DECOMP_OK && r != ISAL_END_INPUT && r != ISAL_OUT_OVERFLOW)
		return gzip_error(s, r, e);
	is_end = z->block_state == ISAL_BLOCK_FINISH;
	s->in_pos = s->in_len - z->avail_in;
	s->in_member = !is_end;
	s->any = s->any || is_end;
	if (is_end)
		isal_inflate_reset(z);
	return (ssize_t)(room - z->avail_out);
}

static ssize_t step_zstd(struct stream *s, unsigned char *out, size_t room, struct err *e)
{
	ZSTD_inBuffer in = { s->in, s->in_len, s->in_pos };
	ZSTD_outBuffer to = { out, room, 0 };
	size_t r = ZSTD_decompressStream(s->zstd, &to, &in);

	if (ZSTD_isError(r))
		return err_set(e, 0, "cannot decompress: broken zstd data: %s",
			       ZSTD_getErrorName(r));
	s->in_pos = in.pos;
	s->in_member = r != 0;
	s->any = s->any || r == 0;
	return (ssize_t)to.pos;
}

static ssize_t step(struct stream *s, unsigned char *out, size_t room, struct err *e)
{
	return s->compression == LAYER_GZIP ? step_gzip(s, out, room, e)
					    : step_zstd(s, out, room, e);
}

/* Fills the output buffer, unless the data ends before. */
static ssize_t decompress(struct stream *s, struct err *e)
{
	size_t have = 0;

	while (have < OUT_SIZE) {
		size_t before;
		ssize_t n;

		if (fill(s, e) < 0)
			return -1;
		if (s->in_eof && !s->in_member && s->any)
			break;
		before = s->in_pos;
		n = step(s, s->out + have, OUT_SIZE - have, e);
		if (n < 0)
			return -1;
		/* Without input it cannot go on; with some it must, or we would turn for ever. */
		if (n == 0 && s->in_pos == before && (s->in_member || !s->any))
			return err_set(e, 0, "cannot decompress: the compressed data is cut short");
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static ssize_t next_bytes(struct stream *s, const void **p, struct err *e)
{
	ssize_t n;

	if (s->compression == LAYER_TAR) {
		s->in_pos = s->in_len;
		if (fill(s, e) < 0)
			return -1;
		*p = s->in;
		return (ssize_t)s->in_len;
	}
	n = decompress(s, e);
	*p = s->out;
	return n;
}

ssize_t stream_read(struct stream *s, const void **p, struct err *e)
{
	ssize_t n = next_bytes(s, p, e);

	if (n <= 0)
		return n;
	s->total += (uint64_t)n;
	if (s->total > STREAM_MAX)
		return err_set(e, 0, "cannot decompress: more than %llu GiB",
			       (unsigned long long)(STREAM_MAX >> 30));
	if (EVP_DigestUpdate(s->md, *p, (size_t)n) != 1)
		return err_set(e, 0, "cannot compute the digest");
	return n;
}

int stream_finish(struct stream *s, struct digest *out, struct err *e)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char md[EVP_MAX_MD_SIZE];
	const void *p;
	ssize_t n;
	unsigned i;

	do
		n = stream_read(s, &p, e);
	while (n > 0);
	if (n < 0)
		return -1;
	if (EVP_DigestFinal_ex(s->md, md, NULL) != 1)
		return err_set(e, 0, "cannot compute the digest");
	for (i = 0; i < DIGEST_HEX_LEN / 2; i++) {
		out->hex[2 * i] = hex[md[i] >> 4];
		out->hex[2 * i + 1] = hex[md[i] & 15];
	}
	out->hex[DIGEST_HEX_LEN] = '\0';
	return 0;
}
