/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_NET_H
#define VPOD_GUEST_NET_H

/* Brings the loopback interface up, with its addresses. A kernel without network has none. */
void net_loopback_up(void);

#endif
