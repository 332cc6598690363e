/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions of the CNI specification.  What vpod speaks is 0.3.1, 0.4.0, 1.0.0 and 1.1.0.
 *
 * Networks of before (no cniVersion, 0.1.0, 0.2.0, 0.3.0: all of rkt's) are run as 0.3.1.  It is
 * the oldest version whose results have a list of addresses, and 0.3.0 differs by a typing error in
 * the specification's text.  Debian's plugins 1.1.1 were asked: each of them that answers 0.1.0
 * answers 0.3.1 too; bandwidth wants 0.3.0 and firewall 0.4.0 at least.
 */
#ifndef VPOD_STAGE0_NET_VERSION_H
#define VPOD_STAGE0_NET_VERSION_H

#include <stddef.h>

enum cni_version {
	CNI_0_3_1, /* no CHECK; DEL without prevResult */
	CNI_0_4_0, /* CHECK; DEL with prevResult */
	CNI_1_0_0, /* lists only; addresses without their version */
	CNI_1_1_0, /* GC, STATUS; routes and interfaces say more */
	NR_CNI_VERSIONS
};

const char *cni_version_text(enum cni_version v);

/*
 * The version in which vpod runs what says @s; NULL: says nothing. Returns 0, or -1 when @s is none
 * of 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0 and 1.1.0.
 */
int cni_version_parse(const char *s, enum cni_version *out);

#endif
