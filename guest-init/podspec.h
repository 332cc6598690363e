/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The pod spec, version 1
 *
 * What the guest is to run, written by stage0 as /pod.spec into a cpio archive behind the
 *initramfs, read once by vpod-init.  Host -> guest only.  A file of records
 *
 *	key SP length LF value LF
 *
 * with the length in decimal bytes, so that a value may hold any byte but NUL.  The first record is
 * "vpod-spec" with value "1".  Pod keys come first; each "app" record begins an app, whose keys
 * follow.  Unknown keys are errors: the two programs come from one build.
 *
 * Pod keys
 *	hostname	host name
 *	scratch		"disk SERIAL": an ext4 file system on the virtio-blk device with that serial
 *			holds the writable layers and empty volumes; or "tmpfs BYTES" (0: half of
 *RAM) volume		"NAME MODE UID GID", an empty volume; MODE octal debug		"1":
 *vpod-init tells its steps on the console
 *
 * App keys (an app's name is unique)
 *	app		name
 *	rootfs		serial of the virtio-blk device with the EROFS image
 *	readonly	"1": no writable layer
 *	exec		one per word: path or name, then arguments
 *	env		one per variable, NAME=value; the last one of a name wins
 *	cwd		absolute path in the rootfs; created when missing
 *	user		name, number or absolute path of a file whose owner counts; "" and absent:
 *root group		likewise; absent: the user's own group of /etc/passwd, else 0
 *	gid		a supplementary group number, one per group
 *	mount		"VOLUME TARGET [ro]": an empty volume at an absolute path in the rootfs
 *	copyup		as mount, and an empty volume is first filled with the image's content there
 *	rlimit		"NAME SOFT HARD", NAME as in nofile, numbers or "unlimited"
 *	memory		bytes, cgroup v2 memory.max
 *	cpu		thousandths of a CPU, cgroup v2 cpu.max
 *	stopsignal	number, for PROTO_STOP; absent: 15
 *	stdin		"1": forward; absent: /dev/null
 *	tty		"ROWS COLS": a pseudo-terminal; stdout carries it, stderr stays silent
 *	caps		hexadecimal mask of capabilities to retain; absent: the 14 defaults
 *	nopaths		"1": no masked and read-only paths (--insecure-options=paths)
 */
#ifndef VPOD_GUEST_PODSPEC_H
#define VPOD_GUEST_PODSPEC_H

#define PODSPEC_PATH "/pod.spec"

/* The console in the initramfs' /dev, where /dev/console is the null device. */
#define SAY_CONSOLE "vpod-console"
#define PODSPEC_MAGIC "vpod-spec"
#define PODSPEC_VERSION "1"
#define PODSPEC_MAX (1u << 20) /* bytes */

/* In the initramfs: modules in load order, one file name beneath /modules per line. */
#define PODSPEC_MODULES "/modules/order"

#endif
