/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_MODULES_H
#define VPOD_GUEST_MODULES_H

/*
 * Loads the kernel modules that the initramfs lists, in its order, and frees their files.  One that
 * does not load is told on the console; whatever needed it says so later.
 */
void modules_load(void);

#endif
