/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-512 (FIPS 180-4) and HMAC with it (RFC 2104), for programs that do not link libcrypto. */
#ifndef VPOD_BASE_SHA512_H
#define VPOD_BASE_SHA512_H

#include <stddef.h>
#include <stdint.h>

#define SHA512_LEN 64
#define SHA512_BLOCK 128

struct sha512 {
	uint64_t h[8];
	uint64_t len; /* bytes so far */
	uint8_t block[SHA512_BLOCK];
};

void sha512_begin(struct sha512 *s);
void sha512_add(struct sha512 *s, const void *p, size_t n);
void sha512_end(struct sha512 *s, uint8_t out[static SHA512_LEN]);

struct hmac512 {
	struct sha512 inner, outer;
};

void hmac512_begin(struct hmac512 *m, const void *key, size_t key_len);
void hmac512_add(struct hmac512 *m, const void *p, size_t n);
void hmac512_end(struct hmac512 *m, uint8_t out[static SHA512_LEN]);

#endif
