/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: /etc/resolv.conf and /etc/hosts
 *
 * What the pod spec says of them lies in a small file system of init, and each app has the files
 * bound over its own: all apps of a pod see the same two files, and what one writes there.  An app
 * with a read-only root has them read-only.  They are root's, 0644.
 *
 * An image may have a symbolic link there (/etc/resolv.conf of Debian's systemd-resolved).  One
 * that leads to a file is followed, beneath the app's root, as docker does.  One that leads nowhere
 * is replaced by a file: whoever opens the name finds ours either way, and no directories appear in
 * an image where its link happens to point.  A file that is missing is made, with /etc, in the
 * writable layer.
 *
 * An app without the file where that cannot be done (a read-only volume at /etc, a directory of
 * that name) runs without: it may not need it.
 */
#ifndef VPOD_GUEST_NETFILES_H
#define VPOD_GUEST_NETFILES_H

#include "pod.h"

/* Writes the files, in init's root. */
int netfiles_make(const struct pod *pod, struct err *e);

/*
 * Binds them into the app's root; called with init's root as current directory, behind the app's
 * volumes and before its /proc.
 */
void netfiles_bind(const struct app *app);

#endif
