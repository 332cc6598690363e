/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internet addresses and networks, of either family.  Text is that of RFC 4632 and RFC 4291; a zone
 * ("%eth0") is refused.
 */
#ifndef VPOD_BASE_CIDR_H
#define VPOD_BASE_CIDR_H

#include <stdbool.h>
#include <stdint.h>

/* The longest text with a prefix, and its NUL. */
#define CIDR_TEXT_MAX 50

struct cidr {
	int family;	  /* AF_INET or AF_INET6; 0: none */
	uint8_t addr[16]; /* network byte order; the first 4 bytes for AF_INET */
	unsigned prefix;  /* bits; 32 or 128 for one address */
};

/* "ADDR" or "ADDR/PREFIX"; host bits may be set. Returns 0, or -1 and leaves @out alone. */
int cidr_parse(const char *s, struct cidr *out);

/* As cidr_parse(), without a prefix. */
int cidr_parse_addr(const char *s, struct cidr *out);

/* "ADDR/PREFIX" and "ADDR" into @buf, which is returned. */
const char *cidr_text(const struct cidr *c, char buf[static CIDR_TEXT_MAX]);
const char *cidr_text_addr(const struct cidr *c, char buf[static CIDR_TEXT_MAX]);

/* The network that the address lies in: host bits cleared. */
struct cidr cidr_network(const struct cidr *c);

/* Whether @inner (an address or a network) lies wholly in @outer; never across families. */
bool cidr_contains(const struct cidr *outer, const struct cidr *inner);

/* Bits of an address of that family. */
unsigned cidr_bits(int family);

/* "aa:bb:cc:dd:ee:ff". Returns 0, or -1 and leaves @out alone. */
int mac_parse(const char *s, uint8_t out[static 6]);
const char *mac_text(const uint8_t mac[static 6], char buf[static 18]);

#endif
