/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VPOD_GUEST_COPY_H
#define VPOD_GUEST_COPY_H

#include "base/err.h"

/*
 * Copies what is in directory @from into directory @to, and the directory's own attributes: owner,
 * mode, xattrs and times are kept, links are copied as links, hard links become files of their own.
 */
int copy_tree(int from, int to, struct err *e);

#endif
