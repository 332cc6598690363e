/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

unsigned cidr_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

int cidr_parse_addr(const char *s, struct cidr *out)
{
	struct cidr c = { 0 };

	if (inet_pton(AF_INET, s, c.addr) == 1)
		c.family = AF_INET;
	else if (inet_pton(AF_INET6, s, c.addr) == 1)
		c.family = AF_INET6;
	else
		return -1;
	c.prefix = cidr_bits(c.family);
	*out = c;
	return 0;
}

int cidr_parse(const char *s, struct cidr *out)
{
	const char *slash = strchr(s, '/');
	char addr[CIDR_TEXT_MAX];
	struct cidr c;
	uint64_t n;

	if (!slash)
		return cidr_parse_addr(s, out);
	if ((size_t)(slash - s) >= sizeof(addr))
		return -1;
	memcpy(addr, s, (size_t)(slash - s));
	addr[slash - s] = '\0';
	if (cidr_parse_addr(addr, &c) < 0 ||
	    num_parse_u64(slash + 1, 0, cidr_bits(c.family), &n) < 0)
		return -1;
	c.prefix = (unsigned)n;
	*out = c;
	return 0;
}

const char *cidr_text_addr(const struct cidr *c, char buf[static CIDR_TEXT_MAX])
{
	if (!inet_ntop(c->family, c->addr, buf, CIDR_TEXT_MAX))
		buf[0] = '\0'; /* no address at all */
	return buf;
}

const char *cidr_text(const struct cidr *c, char buf[static CIDR_TEXT_MAX])
{
	size_t len = strlen(cidr_text_addr(c, buf));

	snprintf(buf + len, CIDR_TEXT_MAX - len, "/%u", c->prefix);
	return buf;
}

struct cidr cidr_network(const struct cidr *c)
{
	struct cidr n = *c;
	unsigned i;

	for (i = c->prefix; i < 128; i++)
		n.addr[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
	return n;
}

bool cidr_contains(const struct cidr *outer, const struct cidr *inner)
{
	struct cidr a = cidr_network(outer), b = *inner;

	if (outer->family != inner->family || inner->prefix < outer->prefix)
		return false;
	b.prefix = outer->prefix;
	b = cidr_network(&b);
	return !memcmp(a.addr, b.addr, sizeof(a.addr));
}

int mac_parse(const char *s, uint8_t out[static 6])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t mac[6];
	size_t i;

	if (strlen(s) != 17)
		return -1;
	for (i = 0; i < 17; i++) {
		const char *d = strchr(digits, s[i] >= 'A' && s[i] <= 'F' ? s[i] + 32 : s[i]);

		if (i % 3 == 2 ? s[i] != ':' : !d)
			return -1;
		if (i % 3 == 0)
			mac[i / 3] = (uint8_t)((d - digits) << 4);
		else if (i % 3 == 1)
			mac[i / 3] |= (uint8_t)(d - digits);
	}
	memcpy(out, mac, sizeof(mac));
	return 0;
}

const char *mac_text(const uint8_t mac[static 6], char buf[static 18])
{
	snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return buf;
}
