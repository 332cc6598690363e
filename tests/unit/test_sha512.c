/* SPDX-License-Identifier: Apache-2.0 */
/* Values by Python's hashlib and hmac; the first two, and case 2 of RFC 4231, are the standards'.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha512.h"

static void is_hex(const uint8_t *got, const char *want)
{
	char hex[2 * SHA512_LEN + 1];

	for (int i = 0; i < SHA512_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", got[i]);
	assert_string_equal(hex, want);
}

static void sha512_is_the_standards(void **state)
{
	static const struct {
		size_t n; /* bytes of the alphabet, repeated */
		const char *hex;
	} cases[] = {
		{ 0, "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
		     "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
		{ 3, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
		{ 111, "a467698069eae8ed1e0c6dbfd1b4a247a9f1e7ff4e3af62145ed26f4468bc094"
		       "610878b7644091141370a47a7638bddc95dbfe8971c34d13c4815d4bb1b3e7f2" },
		{ 112, "a473c93732eef627d02e86d19047a422b586110848ec17dcea13af282a152f76"
		       "54b0c711e277fd42c1d94bea8b7fed615c52bb0f849227e16240afffc7c56e29" },
		{ 127, "c6ce82cb15c8d7040ef3704b1cb161ae3a7f0ac430433e6d52e3f37bf561271b"
		       "fd014328660d29ee733a9f7f178671390eb0f80231603c8360246753e6406b8d" },
		{ 128, "217d3d9c0952c3e4907f06d4fbf34460ee852c6af591b07c2fa1c5e164558363"
		       "74c95ae33e184227913f8a2e227e3bbd5187ce57aa1bad11a80f622412eb0884" },
		{ 129, "18d5a20f40cd7903e625ac1e4fc10971fb3bd6cecb12a684f7600975340649ee"
		       "bccd11cc97fe9e36bbcb3ae75d6d7a0dc2e60e0022c579e87c3ee2e3ffaf65cc" },
		{ 1000, "c6017363f579f50a015ce5e21b966a94ecd72a32f624b648263b891df07a2780"
			"533400778bd6a71a3507733ddfc4a81454a17859cf4f68571fbaeb73bd70b09d" },
	};
	uint8_t text[1300], out[SHA512_LEN];
	struct sha512 s;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)('a' + i % 26);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sha512_begin(&s);
		sha512_add(&s, text, cases[i].n);
		sha512_end(&s, out);
		is_hex(out, cases[i].hex);
		/* in pieces of all sizes */
		sha512_begin(&s);
		for (size_t at = 0, len = 0; at < cases[i].n; at += len) {
			len = (len + 7) % 131 + 1;
			if (len > cases[i].n - at)
				len = cases[i].n - at;
			sha512_add(&s, text + at, len);
		}
		sha512_end(&s, out);
		is_hex(out, cases[i].hex);
	}
}

static void hmac512_is_the_rfcs(void **state)
{
	static uint8_t long_key[200];
	uint8_t out[SHA512_LEN];
	struct hmac512 m;

	(void)state;
	hmac512_begin(&m, "Jefe", 4);
	hmac512_add(&m, "what do ya want ", 16);
	hmac512_add(&m, "for nothing?", 12);
	hmac512_end(&m, out);
	is_hex(out, "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
		    "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
	memset(long_key, 7, sizeof(long_key));
	hmac512_begin(&m, long_key, sizeof(long_key));
	hmac512_end(&m, out);
	is_hex(out, "92acd668f79a28c803ac7207515496cb539950a3da234210ec573afab2168f12"
		    "132ddce6f478d77ffe63b4c64f7925e64cc87bae25ff1c1f0be32201edb9aa0d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha512_is_the_standards),
		cmocka_unit_test(hmac512_is_the_rfcs),
	};

	return cmocka_run_group_tests_name("sha512", tests, NULL, NULL);
}
